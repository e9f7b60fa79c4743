/**
 * Hosts whose links take their time: messages come late, later than a lease, out of order and
 * twice. A lease counts from when its holder last spoke, so none is stretched by any of it (I1);
 * what is only slow costs nothing.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Hosts, whyNoHosts } from "./hosts-rig.ts";

const why = whyNoHosts();
if (why !== null) process.stderr.write(`Skipped: ${why}\n`);

/** Several leases. */
const LONG_MS = 1_500;

describe.skipIf(why !== null)("links that take their time", () => {
  let hosts: Hosts;

  beforeAll(async () => {
    hosts = await Hosts.start("fast", "switch");
  }, 30_000);
  afterAll(async () => {
    await hosts[Symbol.asyncDispose]();
  }, 30_000);

  test("slow, uneven and doubled, within the time-out of a check: nothing moves", async () => {
    const before = (await hosts.settled("master")).services[0]?.epoch;
    hosts.slow(3, 6, 20);
    await sleep(LONG_MS);
    hosts.slow(0, 0, 0);
    expect((await hosts.settled("master")).services[0]?.epoch).toBe(before);
    hosts.look();
  });

  test.each([
    ["about a lease late", 250, 150],
    ["later than a lease", 450, 500],
  ])(
    "%s, out of order and doubled: no two act, and it comes to order afterwards",
    async (_, delayMs, jitterMs) => {
      const holder = (await hosts.settled(null)).services[0]?.holder;
      const acts = hosts.judge.acts;
      hosts.slow(delayMs, jitterMs, 30);
      await sleep(2 * LONG_MS);
      hosts.slow(0, 0, 0);
      const after = await hosts.settled(null);
      // Throws where an old holder acted after the first act of the new one.
      hosts.look();
      expect(hosts.judge.acts).toBeGreaterThan(acts);
      expect(["master", "spare"]).toContain(after.services[0]?.holder);
      expect(holder).toBeDefined();
    },
  );
});
