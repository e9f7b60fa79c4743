/**
 * The leader sees every daemon fall silent in one moment. It suspects itself first and asks the other arbiter,
 * a process of its own on the same store: what that one reaches decides.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, membersOf, Rig } from "./arbiter-rig.ts";

const SERVICES = ["scheduler-a", "scheduler-b"];

let rig: Rig;
let other: string;
let daemons: readonly ScriptedDaemon[];

beforeEach(async () => {
  rig = await Rig.create();
  rig.writeCluster("check_interval = 150ms\ntimeout = 100ms\nlease = 2s");
  const port = await rig.addArbiter("arbiter-2");
  other = `http://127.0.0.1:${port}`;
  daemons = [
    await rig.addDaemon("scheduler-a", "master"),
    await rig.addDaemon("scheduler-b", "master"),
    await rig.addDaemon("scheduler-c", "spare"),
  ];
  for (const [at, daemon] of daemons.entries()) {
    daemon.address = `127.0.0.${at + 2}`;
    rig.writeDaemon(daemon);
    await daemon.start();
  }
  await rig.spawn("arbiter-master").ready();
  for (const service of SERVICES) await eventually(() => rig.held(service), `${service}@1 held`);
  await rig.spawn("arbiter-2").ready();
  await eventually(async () => (await read("/leader"))["leader"], "arbiter-master");
}, 40_000);
afterEach(() => rig.close());

async function read(target: string): Promise<Record<string, unknown>> {
  return membersOf(await (await fetch(other + target)).text());
}

async function told(type: string): Promise<string> {
  const find = async (): Promise<string> =>
    (await rig.events()).find((event) => event.type === type)?.text ?? "";
  await eventually(async () => (await find()) !== "", true, 30_000);
  return find();
}

it("the other reaches them: the fault is its own, the other leads, and no service moves", async () => {
  for (const daemon of daemons) daemon.deafTo = "arbiter-master";
  expect(await told("arbiter.doubts-itself")).toContain("It asks arbiter-2 before it acts.");
  expect(await told("arbiter.trusts-another")).toMatch(
    /arbiter-2 reaches 3 of 3.*hands the lead over to arbiter-2/u,
  );
  await eventually(async () => (await fetch(`${other}/leader`)).status, 200);
  for (const service of SERVICES) {
    await eventually(async () => {
      const { holder, epoch, phase } = await read(`/v1/services/${service}`);
      return [holder, epoch, phase];
    }, [service, 1, "held"]);
  }
  const moved = (await rig.events()).filter(
    ({ type, epoch = 0 }) => type === "service.activating" && epoch > 1,
  );
  expect(moved).toEqual([]);
}, 60_000);

it("the other doesn't reach them either: it believes what it sees, and acts", async () => {
  for (const daemon of daemons) await daemon.crash();
  expect(await told("arbiter.doubts-itself")).toContain("It asks arbiter-2");
  expect(await told("arbiter.trusts-itself")).toMatch(/arbiter-2 reaches 0 of 3/u);
  await daemons[2]?.start();
  await eventually(
    async () => (await rig.status()).services.some(({ holder }) => holder === "scheduler-c"),
    true,
    30_000,
  );
  expect((await rig.get("/leader")).status).toBe(200);
}, 60_000);
