/**
 * The whole way through one real arbiter: files, checks over HTTP, SQLite, and what an operator may
 * ask of it. The daemons are scripted, so that each test says what they do.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, membersOf, Rig } from "./arbiter-rig.ts";

const SERVICE = "scheduler-master";

let rig: Rig;
let master: ScriptedDaemon;
let spare: ScriptedDaemon;

beforeEach(async () => {
  rig = await Rig.create();
  rig.writeCluster();
  master = await rig.addDaemon("scheduler-master", "master");
  spare = await rig.addDaemon("scheduler-slave", "spare");
  await master.start();
  await spare.start();
});
afterEach(() => rig.close());

const heldBy = (expected: string): Promise<void> => eventually(() => rig.held(SERVICE), expected);

it("activates the master, fails over when it dies, and fails back when it returns", async () => {
  await rig.start();
  await heldBy("scheduler-master@1 held");
  await master.crash();
  await heldBy("scheduler-slave@2 held");
  await master.start();
  await heldBy("scheduler-master@3 held");
  expect(spare.held).toBeNull();
  const events = await rig.events();
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events[0]?.at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/u);
});

it("adopts the holder after its own kill -9, with the same epoch and without a word to it", async () => {
  const first = await rig.start();
  await heldBy("scheduler-master@1 held");
  await first.stop("SIGKILL");
  const before = master.assignments.length;
  await rig.start();
  // Until it leads, it says what the store says.
  await eventually(() => master.assignments.slice(before).some(({ services }) => services !== null), true);
  await heldBy("scheduler-master@1 held");
  const since = master.assignments.slice(before);
  for (const { services, term } of since) {
    expect(term).toBeGreaterThan(1);
    // A probe, or the same service again: never an assignment without it.
    expect(services === null || services.some(({ epoch, drain }) => epoch === 1 && !drain)).toBe(true);
  }
  expect(new Set(master.assignments.map(({ clusterId }) => clusterId)).size).toBe(1);
});

it("stops in good order: nothing is taken from the holder, and the next start leads at once", async () => {
  const arbiter = await rig.start();
  await heldBy("scheduler-master@1 held");
  expect(await arbiter.stop()).toBe(0);
  expect(master.held).toEqual({ service: SERVICE, epoch: 1 });
  await rig.start();
  await heldBy("scheduler-master@1 held");
  const { text } = await rig.get("/v1/events?after=0");
  expect(text).toContain("leader.released");
});

it("moves at once on an unasked report that proves the loss", async () => {
  await rig.start();
  await heldBy("scheduler-master@1 held");
  // What a launcher says when its program has died; it goes on answering.
  master.held = null;
  master.state = "failed";
  const answer = await rig.post("/v1/reports", master.report());
  expect(answer.status).toBe(204);
  await heldBy("scheduler-slave@2 held");
});

const eventOf = async (seq: unknown): Promise<string> =>
  (await rig.get(`/v1/events?after=${Number(seq) - 1}&limit=1`)).text;

describe("an operator", () => {
  it("switches over, and finds the event that records it", async () => {
    await rig.start();
    await heldBy("scheduler-master@1 held");
    const answer = await rig.post(`/v1/services/${SERVICE}/switchover`, {
      to: "scheduler-slave",
      by: "tester",
    });
    expect(answer).toMatchObject({ status: 202, type: "application/json" });
    expect(await eventOf(answer.body["event"])).toMatch(/operator\.switchover.*by tester/u);
    await heldBy("scheduler-slave@2 held");
    // It was asked for: it doesn't fail back by itself before the master was restarted.
    const back = await rig.post(`/v1/services/${SERVICE}/failback`, {});
    expect(back.status).toBe(202);
    await heldBy("scheduler-master@3 held");
  });

  it("is refused with the reason what can't be done", async () => {
    await rig.start();
    await heldBy("scheduler-master@1 held");
    const cases: [string, unknown, number, string][] = [
      ["/v1/services/none/switchover", {}, 404, "ERR_ARB_NOT_FOUND"],
      [`/v1/services/${SERVICE}/switchover`, { to: "none" }, 409, "ERR_ARB_CONFLICT"],
      [`/v1/services/${SERVICE}/failover`, { force: true }, 409, "ERR_ARB_CONFLICT"],
      [`/v1/services/${SERVICE}/resume`, {}, 409, "ERR_ARB_CONFLICT"],
      ["/v1/daemons/none/maintenance", { on: true }, 404, "ERR_ARB_NOT_FOUND"],
    ];
    for (const [path, body, status, code] of cases) {
      const answer = await rig.post(path, body);
      expect([path, answer.status, answer.body["code"]]).toEqual([path, status, code]);
    }
    expect(await rig.held(SERVICE)).toBe("scheduler-master@1 held");
  });

  it("pauses: a dead master is not replaced until it is resumed", async () => {
    await rig.start();
    await heldBy("scheduler-master@1 held");
    expect((await rig.post("/v1/pause", { reason: "network work", forMs: 3_600_000 })).status).toBe(202);
    await master.crash();
    await expect.poll(async () => (await rig.status()).daemons[0]?.state).toBe("unreachable");
    const { problems, services } = await rig.status();
    expect(services[0]?.pause).toMatchObject({ reason: "network work", all: true });
    expect(problems.find(({ code }) => code === "paused")?.text).toContain("network work");
    expect(spare.held).toBeNull();
    expect((await rig.post("/v1/resume")).status).toBe(202);
    await heldBy("scheduler-slave@2 held");
  });

  it("puts a daemon into maintenance: it gives up what it holds, and status says why", async () => {
    await rig.start();
    await heldBy("scheduler-master@1 held");
    const on = await rig.post("/v1/daemons/scheduler-master/maintenance", { on: true, reason: "new disk" });
    expect(on.status).toBe(202);
    await heldBy("scheduler-slave@2 held");
    const { problems, daemons } = await rig.status();
    expect(daemons[0]?.maintenance).toMatchObject({ reason: "new disk" });
    expect(problems).toMatchObject([{ code: "degraded", subject: SERVICE }]);
    const off = await rig.post("/v1/daemons/scheduler-master/maintenance", { on: false });
    expect(off.status).toBe(202);
    await heldBy("scheduler-master@3 held");
  });
});

it("shows a vacant service as a problem, and gives it to the first that returns", async () => {
  await master.crash();
  await spare.crash();
  await rig.start();
  await expect
    .poll(async () => (await rig.status()).problems.map(({ code }) => code), { timeout: 10_000 })
    .toContain("vacant");
  const gone = await rig.get(`/v1/services/${SERVICE}`);
  expect(gone).toMatchObject({ status: 503, body: { code: "ERR_ARB_VACANT", service: SERVICE } });
  expect(gone.headers.get("retry-after")).toBe("1");
  await spare.start();
  await heldBy("scheduler-slave@1 held");
});

it("writes a journal of the transitions, one JSON line each", async () => {
  await rig.start();
  await heldBy("scheduler-master@1 held");
  const { readFileSync } = await import("node:fs");
  const lines = readFileSync(`${rig.stateDir}/arbiter-master/journal.jsonl`, "utf8").trim().split("\n");
  const entries = lines.map((line) => membersOf(line));
  expect(entries.map(({ from, to, service }) => [service, from, to])).toEqual([
    [SERVICE, "vacant", "activating"],
    [SERVICE, "activating", "held"],
  ]);
});
