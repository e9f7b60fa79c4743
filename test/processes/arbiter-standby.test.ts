/** Two arbiters on one machine share a store: one leads, the other takes over and adopts the holder. */
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, freePort, membersOf, Rig } from "./arbiter-rig.ts";
import type { ArbiterProcess } from "./arbiter-rig.ts";

/** As the rig configures it. */
const ARBITER_LEASE_MS = 1000;
const SERVICE = "scheduler-master";

let rig: Rig;
let master: ScriptedDaemon;
let leader: ArbiterProcess;
let other: string;

beforeEach(async () => {
  rig = await Rig.create();
  rig.writeCluster();
  const port = await freePort();
  other = `http://127.0.0.1:${port}`;
  rig.write(
    "daemons/arbiter-2.cfg",
    `arbiter_name  arbiter-2\naddress  127.0.0.1\nport  ${port}\nspare  1\n`,
  );
  master = await rig.addDaemon("scheduler-master", "master");
  await master.start();
  leader = rig.spawn("arbiter-master");
  await leader.ready();
  await eventually(() => rig.held(SERVICE), "scheduler-master@1 held");
  await rig.spawn("arbiter-2").ready();
  await eventually(async () => (await read("/leader"))["leader"], "arbiter-master");
}, 40_000);
afterEach(() => rig.close());

async function read(target: string): Promise<Record<string, unknown>> {
  return membersOf(await (await fetch(other + target)).text());
}

async function takenOver(): Promise<void> {
  await eventually(async () => (await fetch(`${other}/leader`)).status, 200);
  await eventually(async () => {
    const { holder, epoch, phase } = await read(`/v1/services/${SERVICE}`);
    return [holder, epoch, phase];
  }, ["scheduler-master", 1, "held"]);
  expect(master.held).toEqual({ service: SERVICE, epoch: 1 });
}

it("the standby says who leads, refuses commands, and shows the events", async () => {
  expect((await fetch(`${other}/leader`)).status).toBe(503);
  expect((await fetch(`${other}/healthz`)).status).toBe(200);
  const refused = await fetch(`${other}/v1/pause`, { method: "POST" });
  expect([refused.status, await refused.text()]).toEqual([
    503,
    expect.stringContaining("arbiter-master leads"),
  ]);
  const unknown = await fetch(`${other}/v1/map`);
  expect([unknown.status, await unknown.text()]).toEqual([503, expect.stringContaining(rig.url)]);
  expect(JSON.stringify((await read("/v1/status"))["problems"])).toContain('"code":"stands-by"');
  const own = await rig.events();
  expect((await read("/v1/events?after=0"))["events"]).toHaveLength(own.length);
});

it("the standby leads when the leader is killed, with a higher term, and the holder stays", async () => {
  await leader.stop("SIGKILL");
  await takenOver();
  expect((await read("/v1/status"))["term"]).toBe(2);
});

it("the standby leads when the leader stops in good order, and the holder stays", async () => {
  expect(await leader.stop()).toBe(0);
  await takenOver();
});

it("an operator hands the lead over: the other leads, the first stands by, the holder stays", async () => {
  const body = JSON.stringify({ to: "arbiter-2", by: "anna" });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${rig.url}/v1/leader`, { method: "POST", headers, body });
  expect([answer.status, await answer.text()]).toEqual([202, expect.stringContaining("arbiter-2")]);
  await takenOver();
  expect((await fetch(`${rig.url}/leader`)).status).toBe(503);
  expect((await read("/v1/status"))["term"]).toBe(2);
});

it("the store hangs: the leader goes on by the other's promise, in the same term", async () => {
  // They have met, and the record says so.
  await sleep(3 * ARBITER_LEASE_MS);
  const database = new DatabaseSync(path.join(rig.stateDir, "arbiter.db"));
  database.exec("BEGIN EXCLUSIVE");
  await sleep(4 * ARBITER_LEASE_MS);
  expect((await fetch(`${rig.url}/leader`)).status).toBe(200);
  expect(await rig.held(SERVICE)).toBe("scheduler-master@1 held");
  database.exec("ROLLBACK");
  database.close();
  await sleep(2 * ARBITER_LEASE_MS);
  const status = membersOf(await (await fetch(`${rig.url}/v1/status`)).text());
  expect([status["term"], (await fetch(`${rig.url}/leader`)).status]).toEqual([1, 200]);
});
