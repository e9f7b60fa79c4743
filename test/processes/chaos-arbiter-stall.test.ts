/**
 * The arbiter's own stall is nobody's failure: frozen, or busy with something else, it finds daemons
 * silent that are well. The services are at their default settings, a lease of two seconds.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ARBITER, Cluster, KINDS, signal } from "../chaos/cluster.ts";
import { Debugger } from "../chaos/debugger.ts";
import { Random } from "../chaos/random.ts";

const seed = Math.floor(Math.random() * 1e6);
const random = new Random(seed);
const COMMAND_LINE = join(import.meta.dirname, "launcher-cli.ts");
let cluster: Cluster;

beforeAll(async () => {
  const arbiter = ["--inspect=127.0.0.1:0", COMMAND_LINE, "start", "--config"];
  cluster = new Cluster(randomUUID(), random, { profile: "normal", arbiter });
  await cluster.start(() => {});
}, 40_000);
afterAll(async () => {
  const left = await cluster.end();
  cluster.removeFolder();
  if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
}, 40_000);
beforeEach(async () => {
  for (const kind of KINDS) cluster.judges[kind].read();
});

/** Epochs that the work wrote, and the longest time without an act, once all is in order again. */
async function outcome(): Promise<{ epochs: number; worstGapMs: number }> {
  let worstGapMs = 0;
  const isSettled = await cluster.settled((_kind, gap) => {
    worstGapMs = Math.max(worstGapMs, gap.ms);
  });
  if (!isSettled) throw new Error(`seed ${seed}: it did not come to order again`);
  return { epochs: cluster.judges.program.epochs + cluster.judges.library.epochs, worstGapMs };
}

/** Far more than a busy machine takes from anyone, and less than any takeover needs. */
const NO_GAP_MS = 1000;

test("SIGSTOP for three seconds", async () => {
  signal(cluster.pidOf(ARBITER), "SIGSTOP");
  await sleep(3000);
  signal(cluster.pidOf(ARBITER), "SIGCONT");
  const { epochs, worstGapMs } = await outcome();
  expect(epochs).toBe(KINDS.length);
  expect(worstGapMs).toBeLessThan(NO_GAP_MS);
});

test("a busy loop of three seconds", async () => {
  await using attached = await Debugger.attach(() => cluster.saidBy(ARBITER));
  await attached.run("{ const endMs = performance.now() + 3000; while (performance.now() < endMs); }");
  const { epochs, worstGapMs } = await outcome();
  expect(epochs).toBe(KINDS.length);
  expect(worstGapMs).toBeLessThan(NO_GAP_MS);
});

test("many short ones, around a check's time-out and around a lease", async () => {
  for (let stall = 0; stall < 5; stall += 1) {
    signal(cluster.pidOf(ARBITER), "SIGSTOP");
    await sleep(stall % 2 === 0 ? random.between(200, 600) : random.between(800, 1200));
    signal(cluster.pidOf(ARBITER), "SIGCONT");
    await sleep(random.between(0, 300));
  }
  const { epochs, worstGapMs } = await outcome();
  expect(epochs).toBe(KINDS.length);
  expect(worstGapMs).toBeLessThan(NO_GAP_MS);
});
