/**
 * Measures what a failing network and a failing arbiter cost: three hosts as network namespaces, a
 * program under launchers.
 *
 * npm run bench:partitions -- [--rounds N] [--write]
 *
 * As in bench:failover nothing is believed but the lines that the work wrote. `--write` puts the
 * table into docs/performance.md. Needs root, iproute2 and nftables.
 */
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Host, Hosts, type Profile, whyNoHosts } from "../test/processes/hosts-rig.ts";
import { ActLog, moveIn } from "./acts.ts";
import { figuresOf, milliseconds, rangeText, tableText } from "./figures.ts";
import { writeInto } from "./write-into.ts";

interface Case {
  readonly what: string;
  /** Whether the service moves; else it must go on as if nothing had been. */
  readonly moves: boolean;
  cause(hosts: Hosts, holder: Host, other: Host): void | Promise<void>;
  heal(hosts: Hosts, holder: Host): void;
}

const CASES: readonly Case[] = [
  {
    what: "the holder's host is cut off from all",
    moves: true,
    cause: (hosts, holder) => hosts.isolate(holder),
    heal: (hosts) => hosts.heal(),
  },
  {
    what: "SIGSTOP of the launcher, SIGCONT afterwards",
    moves: true,
    cause: (hosts, holder) => {
      process.kill(hosts.pidOf(holder), "SIGSTOP");
    },
    heal: (hosts, holder) => {
      process.kill(hosts.pidOf(holder), "SIGCONT");
    },
  },
  {
    what: "the holder is cut off from the arbiter alone",
    moves: false,
    cause: (hosts, holder) => hosts.cut("arbiter", holder),
    heal: (hosts) => hosts.heal(),
  },
  {
    what: "`kill -9` of the only arbiter",
    moves: false,
    cause: async (hosts) => await hosts.stop("arbiter", "SIGKILL"),
    heal: (hosts) => hosts.run("arbiter"),
  },
];

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "10" }, write: { type: "boolean", default: false } },
});
const rounds = Number(values.rounds);
const LEASE_MS: Readonly<Record<Profile, number>> = { normal: 2000, fast: 300 };
const TARGET: Readonly<Record<Profile, string>> = { normal: "median ≤ 2100", fast: "median ≤ 350" };
/** A loss after a shorter hold makes a daemon back off, and its loss counts for a second. */
const CALM_MS = 1100;
const MOVE_TIMEOUT_MS = 30_000;
/** So many leases are watched after the fault: whoever would stop has stopped by then. */
const WATCHED_LEASES = 3;

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

interface Round {
  /** From the fault to the first act of the new holder; null: it stayed. */
  readonly sinceCauseMs: number | null;
  readonly gapMs: number;
  readonly bothActiveMs: number;
  readonly actsByOldHolder: number;
}

async function measure(one: Case, hosts: Hosts, log: ActLog, holder: Host, other: Host): Promise<Round> {
  await hosts.settled(holder);
  await sleep(CALM_MS);
  log.forget();
  hosts.judge.read();
  await sleep(100);
  const causeNs = process.hrtime.bigint();
  await one.cause(hosts, holder, other);
  const endMs = performance.now() + MOVE_TIMEOUT_MS;
  while (one.moves && moveIn(log.acts(), causeNs) === null) {
    if (performance.now() > endMs) throw new Error(`${one.what}: nobody took over`);
    await sleep(100);
  }
  const leaseMs = LEASE_MS[hosts.profile];
  await sleep(one.moves ? leaseMs / 2 : WATCHED_LEASES * leaseMs);
  one.heal(hosts, holder);
  await hosts.settled(one.moves ? other : holder);
  const gap = hosts.look();
  const move = moveIn(log.acts(), causeNs);
  say(`  ${milliseconds(move?.sinceCauseMs ?? gap.ms)} ms`);
  if ((move !== null) !== one.moves)
    throw new Error(`${one.what}: the service ${one.moves ? "stayed" : "moved"}`);
  return {
    sinceCauseMs: move?.sinceCauseMs ?? null,
    gapMs: move?.gapMs ?? gap.ms,
    bothActiveMs: move?.bothActiveMs ?? 0,
    actsByOldHolder: move?.actsByOldHolder ?? 0,
  };
}

async function rowsOf(profile: Profile): Promise<string[][]> {
  await using hosts = await Hosts.start(profile);
  const log = new ActLog(join(hosts.folder, "acts"));
  let [holder, other]: [Host, Host] = ["master", "spare"];
  const rows: string[][] = [];
  for (const one of CASES) {
    say(`${one.what}, ${profile}`);
    const list: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      list.push(await measure(one, hosts, log, holder, other));
      if (one.moves) [holder, other] = [other, holder];
    }
    const since = list.flatMap(({ sinceCauseMs }) => (sinceCauseMs === null ? [] : [sinceCauseMs]));
    rows.push([
      one.what,
      profile === "fast" ? "fast" : "default",
      one.moves ? rangeText(figuresOf(since)) : "it stays",
      rangeText(figuresOf(list.map(({ gapMs }) => gapMs))),
      milliseconds(Math.max(...list.map(({ bothActiveMs }) => bothActiveMs))),
      String(list.reduce((sum, { actsByOldHolder }) => sum + actsByOldHolder, 0)),
      one.moves ? TARGET[profile] : "0 moves",
    ]);
  }
  return rows;
}

const why = whyNoHosts();
if (why !== null) throw new Error(why);
const rows = [...(await rowsOf("normal")), ...(await rowsOf("fast"))];
const text = [
  `${rounds} rounds each; ${cpus().length} cores, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)} at the end. `,
  "Milliseconds, median (least–most).\n\n",
  tableText(
    [
      "what",
      "profile",
      "cause → first act of the new holder",
      "longest gap between acts",
      "both active, worst",
      "acts by the old holder",
      "to reach",
    ],
    rows,
  ),
].join("");
process.stdout.write(text);
if (values.write) {
  writeInto(join(import.meta.dirname, "..", "docs", "performance.md"), "bench:partitions", text);
}
