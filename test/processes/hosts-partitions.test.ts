/**
 * An arbiter, a master and a spare on three hosts, and links between them that fail: each kind of
 * partition, in both directions and in one, and addresses that move. What counts is what the work
 * itself wrote.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Hosts, ownNamespaces, SERVICE, whyNoHosts, type Host } from "./hosts-rig.ts";

const why = whyNoHosts();
if (why !== null) process.stderr.write(`Skipped: ${why}\n`);

/** The fast profile's lease, with what the arbiter adds, and a machine that is busy with other tests. */
const SILENCE_MS = 330 + 60;
const ALLOWANCE_MS = 400;
/** Several leases: whoever would stop has stopped by then. */
const LONG_MS = 800;
/** A loss after a shorter hold makes a daemon back off. */
const LONG_HOLD_MS = 1000;

describe.skipIf(why !== null)("links between hosts", () => {
  let hosts: Hosts;
  let before = "";
  let holder: Host = "master";
  let other: Host = "spare";
  let epoch = 0;

  beforeAll(async () => {
    before = ownNamespaces();
    hosts = await Hosts.start();
  }, 30_000);
  afterAll(async () => {
    await hosts[Symbol.asyncDispose]();
    if (ownNamespaces() !== before) throw new Error(`namespaces are left behind: ${ownNamespaces()}`);
  }, 30_000);

  beforeEach(async () => {
    const status = await hosts.settled(holder);
    epoch = status.services[0]?.epoch ?? 0;
    hosts.look();
  });

  /** What happened to the service, once all links are whole again; null: nothing. */
  async function disturbance(): Promise<string | null> {
    hosts.heal();
    const { services } = await hosts.settled(holder);
    if (services[0]?.epoch !== epoch) return `it is at epoch ${services[0]?.epoch}, and was at ${epoch}`;
    const gap = hosts.look();
    return gap.ms < ALLOWANCE_MS ? null : `nobody acted for ${gap.ms} ms`;
  }

  const fromArbiter: readonly [string, (one: Host) => void][] = [
    ["in both directions", (one) => hosts.cut("arbiter", one)],
    ["only on the way there", (one) => hosts.cutOneWay("arbiter", one)],
    ["only on the way back", (one) => hosts.cutOneWay(one, "arbiter")],
  ];

  test.each(fromArbiter)(
    "the holder is cut off from the arbiter alone, %s: it goes on, seen through the spare",
    async (_how, cut) => {
      cut(holder);
      const status = await hosts.eventually(
        "the holder is seen through the spare",
        ({ services }) => services[0]?.seenThrough.includes(other) ?? false,
      );
      expect(status.problems.map(({ text }) => text).join("\n")).toMatch(
        `${holder} isn't reached, but goes on holding ${SERVICE}, seen through ${other}`,
      );
      await sleep(LONG_MS);
      expect(await disturbance()).toBeNull();
    },
  );

  const fromAll: readonly [string, () => void][] = [
    ["in both directions", () => hosts.isolate(holder)],
    [
      "in what it sends",
      () => {
        hosts.cutOneWay(holder, "arbiter");
        hosts.cutOneWay(holder, other);
      },
    ],
    [
      "in what it receives",
      () => {
        hosts.cutOneWay("arbiter", holder);
        hosts.cutOneWay(other, holder);
      },
    ],
  ];

  test.each(fromAll)(
    "the holder is cut off from all, %s: it stops before the spare starts",
    async (_how, cut) => {
      cut();
      const status = await hosts.eventually(
        "the spare holds it",
        ({ services }) => services[0]?.holder === other && services[0].phase === "held",
      );
      expect(status.services[0]?.epoch).toBe(epoch + 1);
      await sleep(LONG_MS);
      const gap = hosts.look();
      expect(gap).toMatchObject({ fromEpoch: epoch, toEpoch: epoch + 1 });
      expect(gap.ms).toBeLessThan(SILENCE_MS + ALLOWANCE_MS);
      [holder, other] = [other, holder];
      epoch += 1;
      expect(await disturbance()).toBeNull();
    },
  );

  test.each(fromArbiter)(
    "the spare is cut off from the arbiter, %s: the service notices nothing",
    async (_how, cut) => {
      cut(other);
      await hosts.eventually("the service is degraded", ({ problems }) =>
        problems.some(({ code }) => code === "degraded"),
      );
      await sleep(LONG_MS);
      expect(await disturbance()).toBeNull();
    },
  );

  test("holder and spare are cut off from each other: nothing happens", async () => {
    hosts.cut(holder, other);
    await sleep(LONG_MS);
    expect(await disturbance()).toBeNull();
  });

  test("the arbiter is cut off from all: the holder goes on by the spare's promises", async () => {
    hosts.cut("arbiter", holder);
    hosts.cut("arbiter", other);
    await sleep(2 * LONG_MS);
    expect(await disturbance()).toBeNull();
  });

  test("a third of all packets is lost: no two act, and it comes to order afterwards", async () => {
    hosts.lose(33);
    await sleep(1500);
    hosts.heal();
    const { services } = await hosts.eventually(
      "it is held again",
      ({ services: [service], problems }) => service?.phase === "held" && problems.length === 0,
    );
    expect(() => hosts.look()).not.toThrow();
    if (services[0]?.holder === other) [holder, other] = [other, holder];
  });

  test("the spare's address moves while all runs; then it takes over there", async () => {
    await hosts.stop(other, "SIGTERM");
    hosts.moveTo(other, 30);
    hosts.run(other);
    const { daemons } = await hosts.settled(holder);
    expect(daemons.find(({ name }) => name === other)?.address).toBe("10.77.0.30");
    expect(hosts.look().ms).toBeLessThan(ALLOWANCE_MS);
    await sleep(LONG_HOLD_MS);
    await hosts.stop(holder, "SIGKILL");
    const status = await hosts.eventually(
      "it is held at the new address",
      ({ services }) => services[0]?.holder === other && services[0].phase === "held",
    );
    expect(status.services[0]).toMatchObject({ address: "10.77.0.30", epoch: epoch + 1 });
    hosts.run(holder);
    [holder, other] = [other, holder];
    await hosts.settled(holder);
    expect(hosts.look().ms).toBeLessThan(SILENCE_MS + ALLOWANCE_MS);
  });

  test("the holder's address moves while it holds: it isn't disturbed", async () => {
    // It listens at every address of its host, so that nothing has to be started again.
    await hosts.stop(other, "SIGTERM");
    hosts.run(other, "--host", "0.0.0.0");
    await hosts.settled(holder);
    await hosts.stop(holder, "SIGTERM");
    hosts.run(holder);
    [holder, other] = [other, holder];
    epoch = (await hosts.settled(holder)).services[0]?.epoch ?? 0;
    hosts.look();
    hosts.moveTo(holder, 40);
    await hosts.eventually(
      "the arbiter asks it there",
      ({ services }) => services[0]?.address === "10.77.0.40" && services[0].phase === "held",
    );
    await sleep(LONG_MS);
    expect(await disturbance()).toBeNull();
  });
});
