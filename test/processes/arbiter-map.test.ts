/** The cluster map reaches every daemon, and its version never goes back, also where the store does (I8). */
import { copyFileSync, rmSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, Rig } from "./arbiter-rig.ts";

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

async function versionEverywhere(): Promise<number> {
  let version = 0;
  await eventually(async () => {
    version = Number((await rig.get("/v1/map")).headers.get("arbiter-version"));
    return [master, spare].map(({ map }) => map.newest?.version === version);
  }, [true, true]);
  return version;
}

it("is sent to each daemon at each move, and again to one that was started anew", async () => {
  await rig.start();
  await eventually(() => rig.held(SERVICE), "scheduler-master@1 held");
  await versionEverywhere();
  expect(master.map.holderOf(SERVICE)).toMatchObject({ holder: "scheduler-master", epoch: 1 });
  await master.crash();
  await eventually(() => rig.held(SERVICE), "scheduler-slave@2 held");
  await eventually(() => spare.map.holderOf(SERVICE)?.holder, "scheduler-slave");
  await master.start();
  await eventually(() => master.map.newest !== null, true);
  await eventually(() => rig.held(SERVICE), "scheduler-master@3 held");
  await versionEverywhere();
  expect((await rig.get("/v1/map")).body).toEqual(spare.map.newest?.map);
});

it("goes on above what a daemon has seen, where the store is restored from an old backup", async () => {
  const first = await rig.start();
  await eventually(() => rig.held(SERVICE), "scheduler-master@1 held");
  const store = path.join(rig.stateDir, "arbiter.db");
  const backup = path.join(rig.folder, "backup.db");
  const database = new DatabaseSync(store, { readOnly: true });
  database.exec(`VACUUM INTO '${backup}'`);
  database.close();
  for (const [index, to] of ["scheduler-slave", "scheduler-master"].entries()) {
    await rig.post(`/v1/services/${SERVICE}/switchover`, { to });
    await eventually(() => rig.held(SERVICE), `${to}@${index + 2} held`);
  }
  const seen = await versionEverywhere();
  await first.stop();
  for (const end of ["-wal", "-shm"]) rmSync(store + end, { force: true });
  copyFileSync(backup, store);
  await rig.start();
  // 3 is the epoch that the master holds, of which the backup knows nothing.
  await eventually(() => rig.held(SERVICE), "scheduler-master@3 held");
  expect(await versionEverywhere()).toBeGreaterThan(seen);
  expect(master.map.holderOf(SERVICE)).toMatchObject({ holder: "scheduler-master", epoch: 3 });
  expect((await rig.events()).map(({ type }) => type)).toContain("map.renumbered");
});
