/**
 * A library daemon and its lease, with real processes: what it does when it is given a service,
 * when renewals stop, and when its own code is in the way of stopping (I1).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Bench, freePort, until } from "./library-processes.ts";
import type { DaemonProcess } from "./library-processes.ts";
import { get, ScriptedArbiter } from "./scripted-arbiter.ts";
import type { Offer } from "./scripted-arbiter.ts";

let bench: Bench;
let arbiter: ScriptedArbiter;
/** A fellow that nobody answers for: failsafe can't extend the lease. */
let absent: Offer["candidates"];

beforeEach(async () => {
  bench = new Bench();
  arbiter = await ScriptedArbiter.start();
  absent = [{ name: "absent", stateId: "absent-1", url: `http://127.0.0.1:${await freePort()}` }];
});
afterEach(async () => {
  await arbiter.close();
  await bench[Symbol.asyncDispose]();
});

async function activeDaemon(habit = "", more: Partial<Offer> = {}): Promise<DaemonProcess> {
  const daemon = await bench.start("master", bench.patient("master", "master"), { HABIT: habit });
  await arbiter.hold(daemon.url, "master", [{ service: "s", epoch: 1, candidates: absent ?? [], ...more }]);
  await until("it is active", async () => (await get(`${daemon.url}/active`)).status === 200);
  return daemon;
}

describe("while it is renewed", () => {
  test("it is activated with epoch and settings, says so unasked, and stays active past one lease", async () => {
    const daemon = await activeDaemon();
    expect(daemon.did("activate")).toMatchObject([{ service: "s", epoch: 1, config: { greeting: "hello" } }]);
    await until("it has said so unasked", () =>
      arbiter.reports.some(({ services }) => services[0]?.state === "active" && services[0].epoch === 1),
    );
    const workedBefore = daemon.did("work").length;
    await sleep(1500);
    expect(daemon.did("work").length).toBeGreaterThan(workedBefore);
    expect(daemon.did("demote")).toEqual([]);
    expect((await get(`${daemon.url}/health`)).body).toMatchObject({
      name: "master",
      type: "scheduler",
      role: "master",
      state: "active",
      service: "s",
      epoch: 1,
      healthy: true,
    });
    expect((await get(`${daemon.url}/active/s`)).status).toBe(200);
    expect((await get(`${daemon.url}/active/other`)).status).toBe(503);
    expect((await get(`${daemon.url}/waiting`)).status).toBe(503);
  });

  test("a drain lets it finish, and its report then proves that it let go", async () => {
    const daemon = await activeDaemon("slow-stop");
    await arbiter.hold(daemon.url, "master", [{ service: "s", epoch: 1, drain: true }]);
    await until("it reports nothing held", () =>
      arbiter.reports.some(
        ({ services, seenEpochs, state }) =>
          services.length === 0 && seenEpochs["s"] === 1 && state === "waiting",
      ),
    );
    expect(daemon.did("demoted")).toHaveLength(1);
    expect(daemon.exit).toBeNull();
    expect((await get(`${daemon.url}/waiting`)).status).toBe(200);
  });

  test("an activation that fails is cleaned up and reported as failed, and the daemon waits again", async () => {
    const daemon = await bench.start("master", [], { HABIT: "fails" });
    await arbiter.check(daemon.url, "master", null);
    await arbiter.check(daemon.url, "master", [{ service: "s", epoch: 1 }]);
    await until("it reports the failure", () =>
      arbiter.reports.some(
        ({ state, reason }) => state === "failed" && reason.includes("agenda can't be opened"),
      ),
    );
    expect(daemon.did("demote")).toMatchObject([{ service: "s", epoch: 1 }]);
    const report = await arbiter.check(daemon.url, "master", []);
    expect(report).toMatchObject({ state: "waiting", services: [], seenEpochs: { s: 1 } });
  });
});

describe("when renewals stop", () => {
  test("it stops in good order before its lease's end, and waits", async () => {
    const daemon = await activeDaemon();
    arbiter.letGo();
    await until("it waits", async () => (await get(`${daemon.url}/waiting`)).status === 200);
    const [demotion] = daemon.did("demote");
    const [lost] = daemon.did("abort");
    expect(demotion).toMatchObject({ hasTime: true });
    expect(String(lost?.["reason"])).toContain("LeaseLostError");
    const workedBefore = daemon.did("work").length;
    await sleep(100);
    expect(daemon.did("work").length).toBe(workedBefore);
    expect(daemon.exit).toBeNull();
  });

  test("a demote that hangs costs the process its life, with exit code 70 and a last line", async () => {
    const daemon = await activeDaemon("hangs");
    arbiter.letGo();
    expect(await daemon.ended).toEqual({ code: 70, signal: null });
    expect(daemon.stderr).toMatch(/Fenced: s at epoch 1/);
    expect(daemon.did("work").every(({ leftMs }) => Number(leftMs) > 0)).toBe(true);
  });

  test("a demote that throws leaves open what still runs: the process ends at once", async () => {
    const daemon = await activeDaemon("demote-fails");
    arbiter.letGo();
    expect(await daemon.ended).toEqual({ code: 70, signal: null });
    expect(daemon.stderr).toMatch(/the agenda can't be closed/);
  });

  test("a busy event loop is killed by the watch", async () => {
    const daemon = await activeDaemon("busy");
    // Nobody else here sends that signal. Its last line is said if it can be: fencing waits for no pipe.
    expect(await daemon.ended).toEqual({ code: null, signal: "SIGKILL" });
    expect(daemon.did("busy")).toHaveLength(1);
  });

  test("an activation under way is told by its signal, and never becomes active", async () => {
    const daemon = await bench.start("master", bench.patient("master", "master"), { HABIT: "slow-start" });
    await arbiter.check(daemon.url, "master", null);
    await arbiter.check(daemon.url, "master", [{ service: "s", epoch: 1, candidates: absent ?? [] }]);
    await until("it waits", async () => (await get(`${daemon.url}/waiting`)).status === 200);
    expect(daemon.did("activate")).toEqual([]);
    expect(daemon.did("demoted")).toHaveLength(1);
  });
});

test("frozen past its lease's end and thawed, it does not do another piece of work", async () => {
  const daemon = await activeDaemon("eager");
  await until("it works", () => daemon.did("work").length > 0);
  daemon.child.kill("SIGSTOP");
  arbiter.letGo();
  await sleep(1600);
  const before = performance.timeOrigin + performance.now();
  daemon.child.kill("SIGCONT");
  const exit = await daemon.ended;
  expect(exit.code === 70 || exit.signal === "SIGKILL").toBe(true);
  expect(daemon.did("work").filter(({ atMs }) => atMs >= before)).toEqual([]);
  expect(daemon.did("work").length).toBeGreaterThan(0);
});

describe("SIGTERM", () => {
  test("it drains, says so, leaves: the last report arrives, the exit code is 0", async () => {
    const daemon = await activeDaemon("slow-stop");
    daemon.child.kill("SIGTERM");
    await until("it demotes", () => daemon.did("demote").length === 1);
    // The second one doesn't cut the first one's draining short.
    daemon.child.kill("SIGTERM");
    expect(await daemon.ended).toEqual({ code: 0, signal: null });
    expect(daemon.did("demoted")).toHaveLength(1);
    const last = arbiter.reports.at(-1);
    expect(last).toMatchObject({ state: "leaving", services: [], seenEpochs: { s: 1 } });
  });

  test("waiting, it leaves without much ado, though no arbiter takes its last report", async () => {
    const daemon = await bench.start("master", ["--arbiter", `http://127.0.0.1:${await freePort()}`]);
    daemon.child.kill("SIGTERM");
    expect(await daemon.ended).toEqual({ code: 0, signal: null });
  });
});

describe("health", () => {
  test.each([
    ["ill", "no disk"],
    ["health-throws", "no answer from the disk"],
    ["health-hangs", "has not answered"],
  ])("%s: it says that it is unhealthy, and why", async (habit, reason) => {
    const daemon = await bench.start("master", [], { HABIT: habit });
    await until("it says so", async () => {
      const { body } = await get(`${daemon.url}/health`);
      return body["healthy"] === false && String(body["reason"]).includes(reason);
    });
    expect((await get(`${daemon.url}/waiting`)).status).toBe(503);
  });
});
