/**
 * `npm run chaos:arbiters -- --engine etcd --arbiters 3 --rounds 20 [--hosts] [--seed N]`: several
 * arbiters on a real store, and everything that can happen to the leader while services fail over.
 *
 * Prints one JSON line for each round and one for the run; exit code 1 where an old holder acted, or
 * nobody did for longer than the bound.
 */
import { parseArgs } from "node:util";
import { Random } from "../chaos/random.ts";
import { ArbitersCluster } from "./cluster.ts";
import { ENGINES, isEngineMissing, type EngineName } from "./engines.ts";
import { playOutage, type Outage } from "./outage.ts";
import { againInNamespace } from "./places.ts";
import { LEADER_CUTS, LEADER_FAULTS, playRound, SERVICE_FAULTS, type RoundReport } from "./rounds.ts";

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "sqlite" },
    arbiters: { type: "string", default: "2" },
    rounds: { type: "string", default: "10" },
    /** Of the store: so many times it is taken away, before the rounds. */
    outages: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    hosts: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});

function engineNamed(name: string): EngineName {
  const engine = ENGINES.find((one) => one === name);
  if (engine === undefined) throw new Error(`--engine is one of ${ENGINES.join(", ")}`);
  return engine;
}

const OUTAGES: readonly Outage[] = ["killed", "frozen", "killed, with every arbiter"];

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function play(engine: EngineName): Promise<boolean> {
  const seed = Number(values.seed);
  const random = new Random(seed);
  const cluster = new ArbitersCluster({
    engine,
    arbiters: Number(values.arbiters),
    onHosts: values.hosts,
  });
  const rounds: RoundReport[] = [];
  let isGood = false;
  try {
    await cluster.start();
    const outages = engine === "sqlite" ? [] : OUTAGES.slice(0, Number(values.outages));
    for (const outage of outages) say(await playOutage(cluster, outage));
    const leaderFaults = values.hosts ? [...LEADER_FAULTS, ...LEADER_CUTS] : [...LEADER_FAULTS];
    // Each fault of the leader comes once before any comes again.
    let left = random.shuffled(leaderFaults);
    for (let round = 0; round < Number(values.rounds); round++) {
      if (left.length === 0) left = random.shuffled(leaderFaults);
      const leader = left.pop() ?? "killed";
      const report = await playRound(cluster, random, { leader, service: random.one(SERVICE_FAULTS) });
      rounds.push(report);
      say(report);
    }
    const late = rounds.filter(({ gapMs, boundMs }) => gapMs > boundMs);
    isGood = cluster.judge.violations.length === 0 && late.length === 0;
    say({
      engine,
      arbiters: cluster.arbiters.length,
      hosts: values.hosts,
      seed,
      rounds: rounds.length,
      acts: cluster.judge.acts,
      epochs: cluster.judge.epochs,
      violations: cluster.judge.violations,
      late: late.length,
      worstGapMs: Math.max(0, ...rounds.map(({ gapMs }) => gapMs)),
      worstTakeoverMs: Math.max(0, ...rounds.map(({ takeoverMs }) => takeoverMs ?? 0)),
    });
  } catch (error) {
    process.stderr.write(`seed ${seed}: ${error instanceof Error ? (error.stack ?? "") : String(error)}\n`);
  } finally {
    await cluster.stop();
    if (isGood && !values.keep) cluster.removeFolder();
    else process.stderr.write(`kept: ${cluster.folder}\n`);
  }
  return isGood;
}

async function main(): Promise<number> {
  const engine = engineNamed(values.engine);
  if (isEngineMissing(engine)) return 0;
  if (values.hosts && engine === "sqlite") throw new Error("a file can't be shared by several hosts");
  const code = values.hosts ? againInNamespace() : null;
  return code ?? ((await play(engine)) ? 0 : 1);
}

process.exitCode = await main();
