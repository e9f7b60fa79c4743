/**
 * The store is taken away from a running cluster, killed or frozen, for several times everything
 * that might run out; then it comes back. Nobody may notice but those who look: the same arbiter
 * leads, it says what is wrong, and it goes on by itself.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LEASE_MS, MASTER, type ArbitersCluster } from "./cluster.ts";
import { ALLOWANCE_MS } from "./rounds.ts";

export type Outage = "killed" | "frozen" | "killed, with every arbiter";

export interface OutageReport {
  readonly store: Outage;
  readonly outageMs: number;
  readonly gapMs: number;
  /** Until everything was as before, from the moment that the store was back. */
  readonly resumedMs: number;
}

export async function playOutage(cluster: ArbitersCluster, store: Outage): Promise<OutageReport> {
  // The leader has met the others, and the record says so.
  await cluster.settled();
  await sleep(2 * LEASE_MS);
  const before = await cluster.settled();
  cluster.judge.read();
  const beganMs = performance.now();
  if (store === "frozen") cluster.store.freeze();
  else await cluster.store.kill();
  const isAlone = store === "killed, with every arbiter";
  if (isAlone) await Promise.all(cluster.arbiters.map((name) => cluster.end(name, "SIGKILL")));
  else await alarm(cluster);
  await sleep(4 * LEASE_MS);
  if (!isAlone) await stillLeads(cluster, before.leader ?? "", before.term);
  if (store === "frozen") cluster.store.thaw();
  else await cluster.store.start();
  const backMs = performance.now();
  if (isAlone) for (const name of cluster.arbiters) cluster.run(name);
  const after = await cluster.settled();
  const resumedMs = Math.round(performance.now() - backMs);
  const gapMs = Math.round(cluster.judge.read().ms);
  if (gapMs > ALLOWANCE_MS) throw new Error(`nobody acted for ${gapMs} ms while the store was ${store}`);
  const [was, is] = [before.services[0], after.services[0]];
  if (was?.epoch !== is?.epoch) throw new Error(`epoch ${was?.epoch} became ${is?.epoch}`);
  if (!isAlone) {
    await moves(cluster);
    saysItOnce(cluster);
  }
  return { store, outageMs: Math.round(backMs - beganMs), gapMs, resumedMs };
}

/** Every arbiter shows it. */
async function alarm(cluster: ArbitersCluster): Promise<void> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const all = await Promise.all(cluster.arbiters.map((name) => cluster.status(name)));
    if (all.every((status) => status?.problems.some(({ code }) => code === "store-down") ?? false)) return;
    if (performance.now() > endMs)
      throw new Error(`no alarm: ${JSON.stringify(all.map((status) => status?.problems))}`);
    await sleep(50);
  }
}

async function stillLeads(cluster: ArbitersCluster, leader: string, term: number): Promise<void> {
  const status = await cluster.status(leader);
  if (status?.leader !== leader || status.term !== term)
    throw new Error(`${leader} led term ${term}; now ${status?.leader} leads term ${status?.term}`);
}

/** A planned move shows that epochs are committed again. */
async function moves(cluster: ArbitersCluster): Promise<void> {
  const [first = ""] = cluster.arbiters;
  const refused = await cluster.order(first, `/v1/services/${MASTER}/switchover`);
  if (refused !== null) throw new Error(`after the outage nothing moves: ${refused}`);
  await cluster.settled();
}

/** A log that repeats itself each second hides what matters. */
function saysItOnce(cluster: ArbitersCluster): void {
  for (const name of cluster.arbiters) {
    const said = readFileSync(join(cluster.folder, `${name}.log`), "utf8").split("\n");
    const times = said.filter((line) => line.includes("The event log can't be read")).length;
    if (times > 3) throw new Error(`${name} said ${times} times that the event log can't be read`);
  }
}
