/**
 * A mutant for each row of both tables: the row is left out, so that its event changes nothing. What
 * was to happen then doesn't, and something has to notice.
 */
import { HOLD_TABLE } from "../../../src/core/daemon-table.ts";
import { SERVICE_TABLE } from "../../../src/core/service-table.ts";
import {
  BAD_STORE,
  BUSY,
  FROZEN_ARBITER,
  MANY_OPERATORS,
  ORDERS,
  SECOND_STORE,
  SLOW_NETWORK,
  SLOW_STARTS,
  STORE_OUTAGES,
  STORE_RESTORED,
  STORIES,
} from "./hunts.ts";
import type { Hunt, Mutant } from "./mutant.ts";

const TABLES = [
  {
    of: "arbiter",
    table: SERVICE_TABLE,
    file: "core/service-table.ts",
    find: "  return SERVICE_TABLE[phase][event];",
    replace: (id: number): string =>
      `  const found = SERVICE_TABLE[phase][event];\n  return typeof found === "object" && found.id === ${id} ? "ignore" : found;`,
  },
  {
    of: "daemon",
    table: HOLD_TABLE,
    file: "core/daemon-table.ts",
    find: "  const cell = HOLD_TABLE[phase][event];",
    replace: (id: number): string =>
      `  const there = HOLD_TABLE[phase][event];\n  const cell = typeof there === "object" && there.id === ${id} ? "ignore" : there;`,
  },
] as const;

/** Rows that the worlds of everything seldom take. */
const AIMED: Readonly<Record<string, Hunt>> = {
  "arbiter 113": STORE_RESTORED,
  "arbiter 212": SLOW_STARTS,
  "arbiter 220": STORE_OUTAGES,
  "arbiter 231": MANY_OPERATORS,
  "arbiter 340": ORDERS,
  "arbiter 350": ORDERS,
  "arbiter 351": MANY_OPERATORS,
  "arbiter 401": SLOW_STARTS,
  "arbiter 451": MANY_OPERATORS,
  "arbiter 500": FROZEN_ARBITER,
  "arbiter 501": SLOW_STARTS,
  "arbiter 650": ORDERS,
  "daemon 311": SLOW_STARTS,
  "daemon 312": ORDERS,
  "daemon 313": SLOW_NETWORK,
  "daemon 314": SLOW_NETWORK,
  "daemon 315": STORE_RESTORED,
  "daemon 317": STORE_RESTORED,
  "daemon 318": BAD_STORE,
  "daemon 319": SLOW_STARTS,
  "daemon 320": SECOND_STORE,
  "daemon 353": STORE_RESTORED,
};

/** Rows whose absence nothing has to notice, and why. */

const LATER = "what it does happens a little later by another row";
const ORDER = "nothing but an order's promptness; no invariant is about that";
const ENDS = "what isn't wanted any more isn't renewed: guard or lease watch end it with its lease";
const SPOKEN = "nothing; it says what happens";

/** Rows whose absence breaks no invariant, and why. Each is reached by a named test of the tables. */
const SPARE: Readonly<Record<string, string>> = {
  "arbiter 110":
    "an open epoch is given up only where its holder can't be active any more; an unknown one is adopted by row 113",
  "arbiter 111":
    "an open epoch is given up only where its holder can't be active any more; an unknown one is adopted by row 113",
  "arbiter 112": "the next epoch then rests on expiry, and takes longer",
  "arbiter 115": "it needs a refused commit just before the service leaves the files; a named test plays it",
  "arbiter 114": "the next epoch then rests on expiry, and takes longer",
  "arbiter 211": `${LATER}: activation_timeout passes`,
  "arbiter 212": `${LATER}: the lease runs out, and the daemon says so`,
  "arbiter 220": `${LATER}: activation_timeout passes`,
  "arbiter 230": ORDER,
  "arbiter 231": ORDER,
  "arbiter 310": SPOKEN,
  "arbiter 312": SPOKEN,
  "arbiter 351": ORDER,
  "arbiter 401": `${LATER}: it reports itself active, or fails`,
  "arbiter 402": `${LATER}: it reports that it has let go`,
  "arbiter 450": ORDER,
  "arbiter 451": ORDER,
  "arbiter 501": `${LATER}: it reports itself active, or fails`,
  "arbiter 550": ORDER,
  "arbiter 610": `${LATER}: the daemon ends it after its own drain_timeout, and says so`,
  "arbiter 651": ORDER,
  "daemon 311": ENDS,
  "daemon 312": ENDS,
  "daemon 313": ENDS,
  "daemon 314": ENDS,
  "daemon 315": ENDS,
  "daemon 317": `${LATER}: activation_timeout passes`,
  "daemon 318": `${LATER}: activation_timeout passes`,
  "daemon 319": ENDS,
  "daemon 320": ENDS,
  "daemon 333": ENDS,
  "daemon 334": ENDS,
  "daemon 336": `${LATER}: activation_timeout passes`,
  "daemon 337": SPOKEN,
  "daemon 350": "another candidate takes the service, and this one is of no use until it is started again",
  "daemon 353": ENDS,
};

type Table = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Id, phase and event of each row. */
function rowsOf(table: Table): readonly (readonly [number, string, string])[] {
  return Object.entries(table).flatMap(([phase, cells]) =>
    Object.entries(cells).flatMap(([event, cell]): [number, string, string][] =>
      typeof cell === "object" && cell !== null && "id" in cell ? [[Number(cell.id), phase, event]] : [],
    ),
  );
}

export const ROWS: readonly Mutant[] = TABLES.flatMap(({ of, table, file, find, replace }) =>
  rowsOf(table).map(([id, phase, event]): Mutant => {
    const key = `${of} ${id}`;
    return {
      name: `row ${key}`,
      without: `the ${of}'s row ${id}: ${event} while ${phase}`,
      patches: [{ file, find, replace: replace(id) }],
      hunts: [STORIES, AIMED[key] ?? BUSY],
      seeds: 7,
      survives: SPARE[key] ?? null,
    };
  }),
);
