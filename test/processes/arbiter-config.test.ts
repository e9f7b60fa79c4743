/** Edits of the files while the arbiter runs: a good one is applied, a bad one changes nothing (I6). */
import { rmSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, Rig } from "./arbiter-rig.ts";
import type { ArbiterProcess } from "./arbiter-rig.ts";

const SERVICE = "scheduler-master";

let rig: Rig;
let master: ScriptedDaemon;
let arbiter: ArbiterProcess;

beforeEach(async () => {
  rig = await Rig.create();
  rig.writeCluster();
  master = await rig.addDaemon("scheduler-master", "master");
  await master.start();
  arbiter = await rig.start();
  await eventually(() => rig.held(SERVICE), "scheduler-master@1 held");
}, 30_000);
afterEach(() => rig.close());

const names = async (): Promise<string[]> => (await rig.status()).daemons.map(({ name }) => name);
const version = async (): Promise<number> => (await rig.status()).config.version;

it("takes a file that was added by itself, and the holder notices nothing", async () => {
  const spare = await rig.addDaemon("scheduler-slave", "spare");
  await spare.start();
  await expect.poll(names, { timeout: 10_000 }).toEqual(["scheduler-master", "scheduler-slave"]);
  await expect.poll(version).toBe(2);
  expect(master.held).toEqual({ service: SERVICE, epoch: 1 });
  const { text } = await rig.get("/v1/events?after=0");
  expect(text).toMatch(/Configuration version 2 is in force[^"]*scheduler-slave/u);
  expect(await rig.held(SERVICE)).toBe("scheduler-master@1 held");
});

it("refuses a bad edit as a whole: in the status, as an event, in the log, and nothing moves", async () => {
  const before = await rig.status();
  rig.writeDaemon(master, "priority  high\n");
  await rig.addDaemon("scheduler-slave", "spare");
  await expect
    .poll(async () => (await rig.status()).problems.map(({ code }) => code), { timeout: 10_000 })
    .toContain("config-refused");
  const status = await rig.status();
  expect(status.config).toMatchObject({ version: before.config.version, hash: before.config.hash });
  expect(status.config.refusedEdit?.errors[0]).toMatch(/daemons\/scheduler-master\.cfg:5:.*priority/su);
  expect(await names()).toEqual(["scheduler-master"]);
  await expect
    .poll(async () => (await rig.get("/v1/events?after=0")).text)
    .toMatch(/config\.refused.*scheduler-master\.cfg:5/u);
  expect(arbiter.errors).toMatch(/error The edit was refused.*\n.*scheduler-master\.cfg:5/u);
  // Put right, it is taken as a whole.
  rig.writeDaemon(master);
  await expect.poll(names, { timeout: 10_000 }).toEqual(["scheduler-master", "scheduler-slave"]);
  expect((await rig.status()).config.refusedEdit).toBeNull();
});

it("reads again when asked: what changed, that nothing did, or every error as a problem", async () => {
  const same = await rig.post("/v1/reload", {});
  expect(same).toMatchObject({ status: 200, body: { changed: false, version: 1, plan: [] } });
  rig.writeDaemon(master, "priority  7\n");
  const changed = await rig.post("/v1/reload", { by: "tester" });
  expect(changed).toMatchObject({ status: 200, body: { changed: true, version: 2 } });
  expect(String(changed.body["plan"])).toContain("priority");
  rig.writeDaemon(master, "priority  high\ncapacity  none\n");
  const refused = await rig.post("/v1/reload", {});
  expect(refused).toMatchObject({
    status: 422,
    type: "application/problem+json",
    body: { code: "ERR_ARB_CONFIG" },
  });
  expect(refused.body["errors"]).toHaveLength(2);
  expect(await version()).toBe(2);
});

it("reads again on SIGHUP, and keeps running through several", async () => {
  rig.writeDaemon(master, "priority  3\n");
  arbiter.child.kill("SIGHUP");
  arbiter.child.kill("SIGHUP");
  await expect.poll(version, { timeout: 10_000 }).toBe(2);
  expect(arbiter.child.exitCode).toBeNull();
});

it("refuses an edit that removes the running arbiter itself", async () => {
  rig.write(
    "daemons/another.cfg",
    `arbiter_name  another\naddress  127.0.0.1\nport  ${rig.port}\nspare  0\n`,
  );
  rmSync(path.join(rig.config, "daemons/arbiter-master.cfg"));
  const refused = await rig.post("/v1/reload", {});
  expect(refused.status).toBe(422);
  expect(String(refused.body["errors"])).toContain("arbiter-master, is no longer in the files");
});

it("keeps a holder that left the files in the map until it is over", async () => {
  const other = await rig.addDaemon("scheduler-2", "master");
  await other.start();
  await expect.poll(() => rig.held("scheduler-2"), { timeout: 10_000 }).toBe("scheduler-2@1 held");
  rmSync(path.join(rig.config, "daemons/scheduler-2.cfg"));
  expect((await rig.post("/v1/reload", {})).status).toBe(200);
  await expect.poll(names, { timeout: 10_000 }).toEqual(["scheduler-master"]);
  expect(other.held).toBeNull();
  expect(await rig.held(SERVICE)).toBe("scheduler-master@1 held");
});

it("never shows a refused line or a secret's value over HTTP or in its log", async () => {
  rig.write(
    "arbiter.cfg",
    "[cluster]\nname = test\n[alerts]\nsmtp = smtp://user:hunter2-secret@host\nnonsense hunter2-secret\n",
  );
  expect((await rig.post("/v1/reload", {})).status).toBe(422);
  const everything = await Promise.all(
    ["/v1/status", "/v1/events?after=0", "/v1/config", "/", "/metrics"].map((each) => rig.get(each)),
  );
  expect(everything.map(({ text }) => text).join("\n")).not.toContain("hunter2");
  expect(arbiter.errors + arbiter.output).not.toContain("hunter2");
});
