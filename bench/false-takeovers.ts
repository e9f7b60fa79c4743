/**
 * Counts takeovers that nothing called for: two services with the fast profile, nothing fails, and
 * beside them processes that only burn CPU: once each in a session of its own, like other services
 * of the machine, once all in the arbiter's session, so that it is the arbiter that starves. Each as
 * it is, and with an arbiter that doesn't doubt itself.
 *
 * npm run bench:false-takeovers -- [--seconds 600] [--busy 8] [--cpu-priority realtime] [--only WORDS]
 *
 * The library daemon says `cpu_priority = realtime`, as is advised for leases below a second; with `auto`
 * its own event loop is starved now and then, and ends itself at its lease's end, as it must.
 * A takeover is an epoch that the work itself wrote, beyond the first one of each service.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ARBITER, Cluster, KINDS } from "../test/chaos/cluster.ts";
import { Random } from "../test/chaos/random.ts";
import { tableText } from "./figures.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    busy: { type: "string", default: "8" },
    "cpu-priority": { type: "string", default: "realtime" },
    only: { type: "string", default: "" },
  },
});
const forMs = Number(values.seconds) * 1000;
const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

interface Counted {
  readonly takeovers: number;
  /** How often a check of a holder counted as failed. */
  readonly suspected: number;
  readonly worstGapMs: number;
  readonly load: number;
}

async function count(doubts: boolean, besideArbiter: boolean): Promise<Counted> {
  process.env["WITHOUT_DOUBT"] = doubts ? "0" : "1";
  process.env["BUSY_BESIDE"] = besideArbiter ? values.busy : "0";
  const arbiter = [join(import.meta.dirname, "arbiter-program.ts")];
  const settings = [`cpu_priority = ${values["cpu-priority"]}`];
  const cluster = new Cluster(randomUUID(), new Random(1), { arbiter, settings });
  let busy: ChildProcess[] = [];
  try {
    await cluster.start(() => {});
    busy = Array.from({ length: besideArbiter ? 0 : Number(values.busy) }, () =>
      // Each in a session of its own, like other people's work on the machine.
      spawn("setpriv", ["--pdeathsig=KILL", "perl", "-e", "1 while 1"], { stdio: "ignore", detached: true }),
    );
    // The load's own start is a jolt that no quiet service has to bear.
    await sleep(2000);
    for (const kind of KINDS) cluster.judges[kind].read();
    const epochsBefore = epochsOf(cluster);
    const suspectedBefore = suspicionsOf(cluster);
    let worstGapMs = 0;
    const endMs = performance.now() + forMs;
    while (performance.now() < endMs) {
      await sleep(Math.max(1, Math.min(10_000, endMs - performance.now())));
      for (const kind of KINDS) worstGapMs = Math.max(worstGapMs, cluster.judges[kind].read().ms);
      say(
        `${Math.max(0, Math.round((endMs - performance.now()) / 1000))} s left: ${epochsOf(cluster) - epochsBefore}`,
      );
    }
    for (const kind of KINDS) {
      const [violation] = cluster.judges[kind].violations;
      if (violation !== undefined) throw new Error(violation);
    }
    return {
      takeovers: epochsOf(cluster) - epochsBefore,
      suspected: suspicionsOf(cluster) - suspectedBefore,
      worstGapMs,
      load: loadavg()[0] ?? 0,
    };
  } finally {
    for (const child of busy) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    const left = await cluster.end();
    if (left.length > 0) say(`left behind: ${left.join(", ")}`);
    // Whoever wants to know why will look there.
    if (epochsOf(cluster) > KINDS.length) say(`logs are kept in ${cluster.folder}`);
    else cluster.removeFolder();
  }
}

const epochsOf = (cluster: Cluster): number =>
  KINDS.reduce((sum, kind) => sum + cluster.judges[kind].epochs, 0);

const suspicionsOf = (cluster: Cluster): number =>
  cluster.saidBy(ARBITER).split("event service.suspect ").length - 1;

const rows: string[][] = [];
for (const besideArbiter of [false, true]) {
  for (const doubts of [true, false]) {
    const what = [
      besideArbiter ? "load in the arbiter's session" : "load in sessions of its own",
      doubts ? "as it is" : "without the doubt",
    ];
    if (!what.join(", ").includes(values.only)) continue;
    say(what.join(", "));
    const { takeovers, suspected, worstGapMs, load } = await count(doubts, besideArbiter);
    rows.push([...what, String(takeovers), String(suspected), worstGapMs.toFixed(0), load.toFixed(1)]);
  }
}
const head = ["", "", "takeovers", "holder suspected", "longest time without an act, ms", "load at the end"];
process.stdout.write(
  `${values.seconds} s each, two services at the fast profile, ${values.busy} busy processes, ` +
    `cpu_priority = ${values["cpu-priority"]}, ` +
    `${cpus().length} cores, Node ${process.versions.node}.\n\n${tableText(head, rows)}`,
);
