/**
 * Measures how long a service is without a holder, for each way of losing one.
 *
 * npm run bench:failover -- [--rounds N] [--only WORD] [--write]
 *
 * Every round is a real fault in a cluster of real processes; what is reported is read from the
 * lines that the work itself wrote, one a millisecond. `--write` puts the table into
 * docs/performance.md.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Move, moveIn } from "./acts.ts";
import { Cluster, type Kind, MASTER, type Profile } from "./cluster.ts";
import { figuresOf, milliseconds, rangeText, tableText } from "./figures.ts";
import { type Floor, measureFloor } from "./floor.ts";
import { writeInto } from "./write-into.ts";

interface Case {
  readonly what: string;
  /** Every second round leads back to the master, and stands in a row of its own. */
  readonly whatBack?: string;
  readonly kind: Kind;
  readonly profile: Profile;
  /** What is to be reached, of `sinceCauseMs` for a fault and of `gapMs` for a planned move. */
  readonly target: string;
  readonly isPlanned: boolean;
  /** The daemon's process ends, or may end, and is started again for the next round. */
  readonly endsProcess: boolean;
  readonly cause: (cluster: Cluster, worker: { name: string; pid: number }) => Promise<void> | void;
  /** After the move: a frozen process wakes up, and must not act. */
  readonly afterwards?: (cluster: Cluster, worker: { name: string; pid: number }) => Promise<void>;
}

interface Row {
  readonly what: string;
  readonly measured: Case;
  readonly moves: readonly Move[];
}

const MOVE_TIMEOUT_MS = 15_000;
/** Late acts of the old holder must have the time to be written. */
const AFTERWARDS_MS = 300;

const killed = (cluster: Cluster, { name }: { name: string }): void => {
  process.kill(cluster.pidOf(name), "SIGKILL");
};

const CASES: readonly Case[] = [
  {
    what: "`kill -9` of the launched program",
    kind: "program",
    profile: "default",
    target: "median ≤ 12, worst ≤ 50",
    isPlanned: false,
    endsProcess: false,
    cause: (_cluster, { pid }) => {
      process.kill(pid, "SIGKILL");
    },
  },
  ...(["default", "fast"] as const).map((profile): Case => ({
    what: "`kill -9` of the launcher",
    kind: "program",
    profile,
    target: profile === "fast" ? "median ≤ 350" : "median ≤ 2100",
    isPlanned: false,
    endsProcess: true,
    cause: killed,
  })),
  ...(["default", "fast"] as const).map((profile): Case => ({
    what: "`kill -9` of a library daemon",
    kind: "library",
    profile,
    target: profile === "fast" ? "median ≤ 350" : "median ≤ 2100",
    isPlanned: false,
    endsProcess: true,
    cause: killed,
  })),
  ...(["default", "fast"] as const).map((profile): Case => ({
    what: "SIGSTOP of a library daemon, SIGCONT afterwards",
    kind: "library",
    profile,
    target: profile === "fast" ? "median ≤ 350" : "median ≤ 2100",
    isPlanned: false,
    endsProcess: true,
    cause: (cluster, { name }) => {
      process.kill(cluster.pidOf(name), "SIGSTOP");
    },
    afterwards: async (cluster, { name }) => {
      process.kill(cluster.pidOf(name), "SIGCONT");
      await sleep(AFTERWARDS_MS);
    },
  })),
  ...(["library", "program"] as const).map((kind): Case => ({
    what: kind === "library" ? "SIGTERM to a library daemon" : "SIGTERM to the launcher",
    kind,
    profile: "default",
    target: "its own drain + a few round trips",
    isPlanned: true,
    endsProcess: true,
    cause: (cluster, { name }) => {
      process.kill(cluster.pidOf(name), "SIGTERM");
    },
  })),
  ...(["library", "program"] as const).map((kind): Case => {
    const subject = kind === "library" ? "library daemon" : "launched program";
    return {
      what: `planned switchover of a ${subject}`,
      whatBack: `failback of a ${subject}`,
      kind,
      profile: "default",
      target: kind === "library" ? "≤ 10" : "",
      isPlanned: true,
      endsProcess: false,
      cause: async (cluster, { name }) => await cluster.order(name === MASTER ? "switchover" : "failback"),
    };
  }),
];

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    only: { type: "string", default: "" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const chosen = CASES.filter(({ what, profile }) => `${what} ${profile}`.includes(values.only));
let endedAlone = 0;
const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

async function measure(measured: Case): Promise<Row[]> {
  const moves: Move[] = [];
  const all = measured.whatBack === undefined ? rounds : 2 * rounds;
  const cluster = await Cluster.start(measured.kind, measured.profile);
  try {
    await cluster.restore(null);
    for (let round = 0; round < all; round += 1) moves.push(await measureOnce(cluster, measured));
    if (cluster.endedAlone > 0)
      say(
        `  ${cluster.endedAlone} processes ended though nothing was done to them: the machine stalled them`,
      );
    endedAlone += cluster.endedAlone;
  } finally {
    await cluster.end();
  }
  if (measured.whatBack === undefined) return [{ what: measured.what, measured, moves }];
  return [
    { what: measured.what, measured, moves: moves.filter(({ to }) => to !== MASTER) },
    { what: measured.whatBack, measured, moves: moves.filter(({ to }) => to === MASTER) },
  ];
}

async function measureOnce(cluster: Cluster, measured: Case): Promise<Move> {
  const worker = await cluster.worker();
  const causeNs = process.hrtime.bigint();
  await measured.cause(cluster, worker);
  const endMs = performance.now() + MOVE_TIMEOUT_MS;
  do {
    if (performance.now() > endMs)
      throw new Error(`${measured.what}: nobody took over. ${await cluster.trouble()}`);
    await sleep(AFTERWARDS_MS);
  } while (moveIn(cluster.log.acts(), causeNs) === null);
  await measured.afterwards?.(cluster, worker);
  const move = moveIn(cluster.log.acts(), causeNs);
  if (move === null) throw new Error("the log lost lines");
  say(
    `  ${move.from} -> ${move.to}: gap ${milliseconds(move.gapMs)} ms, ${milliseconds(move.sinceCauseMs)} ms`,
  );
  await cluster.restore(measured.endsProcess ? worker.name : null);
  return move;
}

function cellsOf({ what, measured, moves }: Row, floorMs: number): string[] {
  const gap = figuresOf(moves.map(({ gapMs }) => gapMs));
  const since = figuresOf(moves.map(({ sinceCauseMs }) => sinceCauseMs));
  const judged = measured.isPlanned ? gap : since;
  const both = Math.max(...moves.map(({ bothActiveMs }) => bothActiveMs));
  const late = moves.reduce((sum, { actsByOldHolder }) => sum + actsByOldHolder, 0);
  return [
    what,
    measured.profile,
    rangeText(since),
    rangeText(gap),
    milliseconds(judged.median / floorMs),
    milliseconds(both),
    String(late),
    measured.target,
  ];
}

function report(rows: readonly Row[], floor: Floor): string {
  const chain = figuresOf(floor.chainMs);
  const parts = [
    ["child's exit seen by its parent", floor.exitMs],
    ["one HTTP round trip", floor.httpMs],
    ["one durable SQLite commit", floor.commitMs],
    ["**floor**: exit, round trip and commit as one chain", floor.chainMs],
  ] as const;
  return [
    `${rounds} rounds each; ${cpus().length} cores, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)} at the end. `,
    `Milliseconds, median (least–most). Processes that ended though nothing was done to them: ${endedAlone}.\n\n`,
    tableText(
      [
        "what",
        "profile",
        "cause → first act of the new holder",
        "gap between acts",
        "ratio to floor",
        "both active, worst",
        "acts by the old holder",
        "to reach",
      ],
      rows.map((row) => cellsOf(row, chain.median)),
    ),
    "\n",
    tableText(
      ["floor, same run", "ms"],
      parts.map(([what, list]) => [what, rangeText(figuresOf(list))]),
    ),
  ].join("");
}

const folder = mkdtempSync(join(tmpdir(), "arbiter-floor-"));
const floor = await measureFloor(rounds, folder);
rmSync(folder, { recursive: true });
const rows: Row[] = [];
for (const measured of chosen) {
  say(`${measured.what}, ${measured.profile}`);
  rows.push(...(await measure(measured)));
}
const text = report(rows, floor);
process.stdout.write(text);
if (values.write)
  writeInto(join(import.meta.dirname, "..", "docs", "performance.md"), "bench:failover", text);
