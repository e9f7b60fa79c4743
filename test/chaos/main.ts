/**
 * Chaos: a real cluster under real faults, judged by the work alone.
 *
 * npm run chaos -- [--freezes N] [--kills N] [--stops N] [--disks N] [--storms N] [--seed N] [--json] [--explained FILE]
 *
 * A round does one thing to each of the two services at the same moment, waits until the cluster
 * is in order again, and holds what the work wrote against the bound. The exit code is 0 if nothing
 * was violated and no process was left behind.
 *
 * As root it runs in a mount namespace of its own, so that state folders can be small disks that
 * fill up, and no mount outlives it.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, type FaultClass, RECOVERY_MS, RESTART_MS } from "./bounds.ts";
import { ARBITER, Cluster, type Kind, KINDS, SERVICE } from "./cluster.ts";
import { drawFault, mountDisks, unmountDisks } from "./faults.ts";
import type { Gap } from "./judge.ts";
import { MARKER_VARIABLE } from "./leftovers.ts";
import { Random } from "./random.ts";
import { replayJournal, type Replayed } from "./replayed.ts";

const { values } = parseArgs({
  options: {
    freezes: { type: "string", default: "100" },
    kills: { type: "string", default: "100" },
    stops: { type: "string", default: "" },
    disks: { type: "string", default: "" },
    storms: { type: "string", default: "" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    /** By which everything that belongs to this run is known. */
    marker: { type: "string", default: randomUUID() },
    json: { type: "boolean", default: false },
    /** Writes what `arbiter explain` says after each round to this file. */
    explained: { type: "string" },
  },
});
const kills = Number(values.kills);
const COUNTS: Readonly<Record<FaultClass, number>> = {
  freeze: Number(values.freezes),
  kill: kills,
  stop: values.stops === "" ? Math.ceil(kills / 5) : Number(values.stops),
  disk: values.disks === "" ? Math.ceil(kills / 5) : Number(values.disks),
  storm: values.storms === "" ? Math.ceil(kills / 5) : Number(values.storms),
};
const CLASSES: readonly FaultClass[] = ["freeze", "kill", "stop", "disk", "storm"];
/** Set once this process has mounts of its own. */
const OWN_MOUNTS = "ARBITER_CHAOS_OWN_MOUNTS";

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Runs itself again where mounts are its own; null: that isn't permitted here. */
function inOwnMounts(): number | null {
  if (process.env[OWN_MOUNTS] !== undefined) return null;
  const unshare = ["--mount", "--propagation", "private"];
  if (spawnSync("unshare", [...unshare, "mount", "-t", "tmpfs", "none", "/mnt"]).status !== 0) return null;
  // Told to end, or killed, this process takes the other one with it, which ends all in good order.
  const leash = ["--pdeathsig=TERM", "unshare", ...unshare];
  const words = [...leash, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync("setpriv", words, {
    stdio: "inherit",
    env: { ...process.env, [OWN_MOUNTS]: "1" },
  });
  return status ?? 1;
}

/** Allowed beyond each bound for a machine that has other things to do, beside twice its worst stall. */
const ALLOWANCE_MS = 150;
/**
 * Served this late (a sixth of the lease, the time between two renewals), this machine may have cost
 * anyone the lease: the bound is then that of a holder which fell silent, its fellow perhaps with it.
 */
const STALL_MS = 50;

/** How late this process itself was served: what the machine did to everyone. */
class Lateness {
  worstMs = 0;
  #beforeMs = performance.now();
  readonly #timer = setInterval(() => {
    const nowMs = performance.now();
    this.worstMs = Math.max(this.worstMs, nowMs - this.#beforeMs - LOOK_EVERY_MS);
    this.#beforeMs = nowMs;
  }, LOOK_EVERY_MS);

  /** And from zero again. */
  take(): number {
    const worstMs = this.worstMs;
    this.worstMs = 0;
    return worstMs;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
const LOOK_EVERY_MS = 5;

/** The plan: for each round and service what is done. One longer list goes on alone. */
function plan(random: Random, hasDisks: boolean): Fault[][] {
  const all = CLASSES.flatMap((faultClass) =>
    faultClass === "disk" && !hasDisks ? [] : Array.from({ length: COUNTS[faultClass] }, () => faultClass),
  );
  const drawn = random
    .shuffled(all)
    .map((faultClass, at) => drawFault(random, faultClass, KINDS[at % KINDS.length] ?? "program"));
  return Array.from({ length: Math.ceil(drawn.length / 2) }, (_, at) => drawn.slice(2 * at, 2 * at + 2));
}

interface Outcome {
  readonly faults: readonly string[];
  readonly gaps: Readonly<Record<Kind, { readonly ms: number; readonly boundMs: number }>>;
  readonly wasStalled: boolean;
}

async function round(
  cluster: Cluster,
  faults: readonly Fault[],
  random: Random,
  lateness: Lateness,
): Promise<Outcome> {
  for (const kind of KINDS) cluster.judges[kind].read();
  lateness.take();
  const beganMs = performance.now();
  await Promise.all(
    faults.map(async (fault) => {
      await sleep(random.between(0, 150));
      await fault.run(cluster);
    }),
  );
  const healedAfterMs = performance.now() - beganMs;
  const gaps = new Map<Kind, Gap>(KINDS.map((kind) => [kind, cluster.judges[kind].read()]));
  const isSettled = await settled(cluster, gaps);
  if (!isSettled) {
    const status = JSON.stringify(await cluster.status(), null, 1);
    violations.push(`it did not come to order again after ${said(faults)}: ${status}`);
  }
  const stallMs = lateness.take();
  const wasStalled = stallMs > STALL_MS;
  const allowedMs = ALLOWANCE_MS + 2 * stallMs;
  const judged = (kind: Kind): Outcome["gaps"][Kind] => {
    const gap = gaps.get(kind) ?? { ms: 0, fromEpoch: 0, toEpoch: 0, sinceNs: 0n };
    const endMs = Math.max(healedAfterMs, cluster.backAtMs - beganMs);
    const stalledMs = wasStalled ? endMs + RECOVERY_MS + RESTART_MS : 0;
    const boundMs = allowedMs + Math.max(stalledMs, boundOf(kind, faults, endMs));
    if (gap.ms > boundMs)
      violations.push(
        `${SERVICE[kind]}: ${gap.ms.toFixed(1)} ms without an act (epoch ${gap.fromEpoch} to ${gap.toEpoch}), ${boundMs.toFixed(0)} ms allowed, after ${said(faults)}`,
      );
    // Held, says the arbiter: whether anybody works is for the work to say.
    const silentMs = cluster.judges[kind].silenceMs();
    if (isSettled && silentMs > allowedMs)
      violations.push(
        `${SERVICE[kind]}: held, and no act for ${silentMs.toFixed(0)} ms, after ${said(faults)}`,
      );
    return { ms: gap.ms, boundMs };
  };
  return {
    faults: faults.map(({ kind, what }) => `${SERVICE[kind]}: ${what}`),
    gaps: { program: judged("program"), library: judged("library") },
    wasStalled,
  };
}

async function explain(cluster: Cluster, faults: readonly Fault[], file: string): Promise<void> {
  for (const kind of KINDS) {
    const own = faults.filter((fault) => fault.kind === kind || fault.hitsArbiter);
    appendFileSync(file, `\n=== ${said(own) || "nothing"}\n${await cluster.explained(kind)}`);
  }
}

/** Waits; the longest gap of all that is read meanwhile goes into `gaps`. */
async function settled(cluster: Cluster, gaps: Map<Kind, Gap>): Promise<boolean> {
  return await cluster.settled((kind, gap) => {
    if (gap.ms > (gaps.get(kind)?.ms ?? 0)) gaps.set(kind, gap);
  });
}

const said = (faults: readonly Fault[]): string =>
  faults.map(({ kind, what }) => `${SERVICE[kind]}: ${what}`).join("; ");

/** Two faults that meet in one service: it recovers once both are healed, and who was ended is back. */
function boundOf(kind: Kind, faults: readonly Fault[], healedAfterMs: number): number {
  const own = faults.filter((fault) => fault.kind === kind && !fault.hitsArbiter);
  const ownMs = Math.max(
    0,
    ...faults
      .filter((fault) => fault.kind === kind)
      .map(({ boundMs, isFromTheEnd }) => boundMs + (isFromTheEnd === true ? healedAfterMs : 0)),
  );
  const isWithoutArbiter = faults.some(({ hitsArbiter }) => hitsArbiter);
  if (ownMs > 0 && isWithoutArbiter) return healedAfterMs + RECOVERY_MS + ownMs;
  // Without arbiters a holder rests on its fellow: one that is away takes the holder with it.
  if (own.length > 0 && isWithoutArbiter) return healedAfterMs + RECOVERY_MS;
  return ownMs;
}

const violations: string[] = [];

async function main(): Promise<number> {
  const hasDisks = process.env[OWN_MOUNTS] !== undefined;
  if (!hasDisks) say("Mounts aren't permitted here: no disk is filled or made read-only.");
  const seed = Number(values.seed);
  const random = new Random(seed);
  const { marker } = values;
  const cluster = new Cluster(marker, random);
  const lateness = new Lateness();
  const outcomes: Outcome[] = [];
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort());
  say(`seed ${seed}; ${MARKER_VARIABLE}=${marker}; ${cluster.folder}`);
  const beganMs = performance.now();
  let left: string[] = [];
  try {
    await cluster.start(hasDisks ? mountDisks : () => {});
    const rounds = plan(random, hasDisks);
    for (const [at, faults] of rounds.entries()) {
      if (ending.signal.aborted || violations.length > 20) break;
      const outcome = await round(cluster, faults, random, lateness);
      outcomes.push(outcome);
      if (values.explained !== undefined) await explain(cluster, faults, values.explained);
      const figures = KINDS.map((kind) => outcome.gaps[kind].ms.toFixed(0)).join(" / ");
      say(`${at + 1}/${rounds.length}  ${figures} ms  ${outcome.faults.join("; ")}`);
    }
  } finally {
    lateness.close();
    left = await cluster.end();
  }
  for (const kind of KINDS) {
    cluster.judges[kind].read();
    violations.push(...cluster.judges[kind].violations);
  }
  violations.push(...left.map((process_) => `left behind: ${process_}`));
  const replayed = replayJournal(cluster.stateFolderOf(ARBITER));
  if (replayed.problem !== null) violations.push(replayed.problem);
  report(cluster, { outcomes, replayed }, seed, (performance.now() - beganMs) / 1000);
  if (hasDisks) unmountDisks(cluster.stateFolders);
  if (violations.length === 0) cluster.removeFolder();
  else say(`Logs are kept in ${cluster.folder}`);
  return violations.length === 0 ? 0 : 1;
}

interface Result {
  readonly outcomes: readonly Outcome[];
  readonly replayed: Replayed;
}

function report(cluster: Cluster, { outcomes, replayed }: Result, seed: number, seconds: number): void {
  const sum = (of: (kind: Kind) => number): number => KINDS.reduce((total, kind) => total + of(kind), 0);
  const figures = {
    seed,
    seconds: Math.round(seconds),
    cores: cpus().length,
    load: Number((loadavg()[0] ?? 0).toFixed(1)),
    faults: { ...COUNTS },
    rounds: outcomes.length,
    roundsOnStalledMachine: outcomes.filter(({ wasStalled }) => wasStalled).length,
    restarts: cluster.restarts,
    epochs: sum((kind) => cluster.judges[kind].epochs),
    acts: sum((kind) => cluster.judges[kind].acts),
    writtenAfterAFreeze: sum((kind) => cluster.judges[kind].inFlight),
    actsByOldHolders: KINDS.flatMap((kind) => cluster.judges[kind].violations).length,
    worstOverlapMs: Math.max(...KINDS.map((kind) => cluster.judges[kind].worstOverlapMs)),
    worstGapMs: Object.fromEntries(
      KINDS.map((kind) => [
        SERVICE[kind],
        Math.round(Math.max(0, ...outcomes.map(({ gaps }) => gaps[kind].ms))),
      ]),
    ),
    replayedInputs: replayed.inputs,
    replayedTransitions: replayed.transitions,
    violations,
  };
  if (values.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
}

process.exitCode = inOwnMounts() ?? (await main());
