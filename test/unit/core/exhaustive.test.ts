/**
 * Every sequence of moves up to a length, on one service with a master, a spare and an arbiter: the real
 * cores, not a model of them. After each move: at most one daemon believes that it holds the service
 * (I1), the store's epochs rise and are there before they are assigned (I2), and no cell of either
 * table is reached that is marked impossible (that throws). From each state that is reached by one move
 * less, everything heals, and the service is held again in time (I7).
 *
 * States that are the same to every decision are followed once (`exhaustive-signature.ts`).
 * `ARBITER_EXHAUSTIVE_DEPTH=5 npx vitest run test/unit/core/exhaustive.test.ts` takes minutes.
 */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { HOLD_TABLE } from "../../../src/core/daemon-table.ts";
import { SERVICE_TABLE } from "../../../src/core/service-table.ts";
import { MOVES } from "./exhaustive-moves.ts";
import { signatureOf } from "./exhaustive-signature.ts";
import { SERVICE } from "./exhaustive-state.ts";
import { SmallWorld } from "./exhaustive-world.ts";

const DEPTH = Number(process.env["ARBITER_EXHAUSTIVE_DEPTH"] ?? 4);
/** From each of these, one move less: they lie several moves away from where all is quiet. */
const STARTS: Readonly<Record<string, readonly string[]>> = {
  "failsafe, seen by nobody": ["arbiter–master", "a lease", "arbiter–spare", "a lease"],
  "the spare holds it, the master is back": ["program ends", "a while"],
  "fenced, and the spare has promised": ["arbiter–master", "a lease", "master restarts"],
  "both hosts were away": ["master restarts", "spare restarts", "a while", "program ends", "a lease"],
  "half activated": ["hooks slow or quick", "program ends", "a while"],
  "the arbiter is new, and an assignment lingers": ["an assignment lingers, or comes", "arbiter restarts"],
  "without a store": ["store down or up", "a lease", "program ends"],
};
/** A lease, a promise, two back-offs, a failed round of checks; far less than a time-out of 30 s. */
const RECOVERY_MS = 15_000;

/**
 * Rows that no four moves reach: an edit, a store that has lost its past, a refused commit before a holder is seen
 * again, an assignment that calls the present epoch over. `arbiter-rows` and `daemon-table` reach each.
 */
const ELSEWHERE = { arbiter: [110, 111, 112, 113, 114, 115, 501, 521], daemon: [313, 314, 333, 334, 336] };

const moves = Object.entries(MOVES);

interface Count {
  moves: number;
  states: number;
  readonly rows: SmallWorld["rowsTaken"];
}

/** Tries every sequence of so many moves; a state that was followed as far before isn't again. */
function explore(start: SmallWorld, depth: number, path: readonly string[]): Count {
  const followed = new Map<string, number>();
  const count = { moves: 0, states: 0, rows: start.rowsTaken };
  const follow = (world: SmallWorld, left: number, way: readonly string[]): void => {
    if (left === 0) return;
    const signature = createHash("sha1").update(signatureOf(world.at)).digest("base64");
    const before = followed.get(signature) ?? 0;
    if (before >= left) return;
    followed.set(signature, left);
    if (before === 0) {
      count.states += 1;
      told(way, () => mustRecover(world.copy()));
    }
    for (const [name, move] of moves) {
      const next = world.copy();
      count.moves += 1;
      told([...way, name], () => move(next));
      follow(next, left - 1, [...way, name]);
    }
  };
  follow(start, depth, path);
  return count;
}

/** What goes wrong is told with the way to it. */
function told(way: readonly string[], run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new Error(`after: ${way.join(", ")}`, { cause: error });
  }
}

function mustRecover(world: SmallWorld): void {
  world.heal();
  world.advance(RECOVERY_MS);
  const phase = world.at.arbiter.services.get(SERVICE)?.phase;
  if (world.holder === null || phase !== "held")
    throw new Error(
      `I7: ${phase}, held by ${world.holder ?? "nobody"} ${RECOVERY_MS} ms after all has healed`,
    );
}

function started(path: readonly string[]): SmallWorld {
  const world = SmallWorld.settled();
  for (const name of path) MOVES[name]?.(world);
  return world;
}

const idsOf = (table: Readonly<Record<string, Readonly<Record<string, unknown>>>>): number[] =>
  Object.values(table)
    .flatMap((cells) => Object.values(cells))
    .flatMap((cell) => (typeof cell === "object" && cell !== null && "id" in cell ? [Number(cell.id)] : []));

describe(`every sequence of ${DEPTH} moves`, () => {
  test("from where all is quiet", { timeout: 3_600_000 }, () => {
    const count = explore(started([]), DEPTH, []);
    expect(count.states).toBeGreaterThan(1000);
    const { rows } = count;
    // Nothing that could be reached by so few moves has become unreachable.
    const missed = {
      arbiter: idsOf(SERVICE_TABLE).filter((id) => !rows.arbiter.has(id)),
      daemon: idsOf(HOLD_TABLE).filter((id) => !rows.daemon.has(id)),
    };
    expect(missed.arbiter.filter((id) => !ELSEWHERE.arbiter.includes(id))).toEqual([]);
    expect(missed.daemon.filter((id) => !ELSEWHERE.daemon.includes(id))).toEqual([]);
  });
});

describe(`every sequence of ${DEPTH - 1} moves`, () => {
  test.each(Object.entries(STARTS))("from: %s", { timeout: 3_600_000 }, (_text, path) => {
    expect(path.every((name) => name in MOVES)).toBe(true);
    const count = explore(started(path), DEPTH - 1, path);
    expect(count.states).toBeGreaterThan(100);
  });
});

test("a rule that is left out is noticed: a spare that forgets its promise", () => {
  const world = SmallWorld.settled((state) => state.promises.clear());
  // The holder goes on by a promise that isn't kept.
  expect(() => explore(world, 3, [])).toThrow(/^after: /);
});
