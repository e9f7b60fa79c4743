/**
 * Failsafe between two real daemons (I4): with every arbiter dead the holder goes on for as long
 * as its fellow candidate promises, and no longer.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Bench, until } from "./library-processes.ts";
import { get, put, ScriptedArbiter } from "./scripted-arbiter.ts";
import type { Candidate } from "../../src/core/messages.ts";

const LEASE_MS = 2000;

test("the holder outlives its arbiter by its fellow's promises, and stops without them", async () => {
  await using bench = new Bench();
  const arbiter = await ScriptedArbiter.start();
  const master = await bench.start("master", bench.patient("master", "master"));
  const slave = await bench.start("slave", bench.patient("slave", "spare"));
  const candidates: Candidate[] = [];
  for (const { name, url } of [master, slave]) {
    const { stateId } = await arbiter.check(url, name, null);
    candidates.push({ name, stateId, url });
  }
  await arbiter.hold(master.url, "master", [{ service: "s", epoch: 1, leaseMs: LEASE_MS, candidates }]);
  await until("the master is active", async () => (await get(`${master.url}/active`)).status === 200);
  await arbiter.close();

  // Two leases without an arbiter.
  await sleep(2 * LEASE_MS);
  expect(master.did("demote")).toEqual([]);
  expect((await get(`${master.url}/active`)).status).toBe(200);
  const { body } = await get(`${slave.url}/health`);
  expect(body).toMatchObject({ state: "waiting", promises: [{ service: "s", epoch: 1, holder: "master" }] });

  // What was promised is on disk, and an assignment that rests on expiry is refused until then.
  const memory = JSON.parse(readFileSync(path.join(bench.folder, "slave", "memory.json"), "utf8")) as unknown;
  expect(memory).toMatchObject({ longestPromiseMs: LEASE_MS, clusterId: "cluster-1" });
  const offer = { service: "s", epoch: 2, cleared: 0, candidates };
  const refused = await put(`${slave.url}/v1/assignment`, arbiter.assignmentFor("slave", [offer]));
  expect(refused.body).toMatchObject({ services: [], refusals: [{ because: "promised" }] });

  // One that can't be reached has not promised.
  slave.child.kill("SIGKILL");
  await until("the master has stopped", async () => (await get(`${master.url}/waiting`)).status === 200);
  expect(master.did("demoted")).toHaveLength(1);

  // A reboot forgets promises: for that long it refuses what rests on expiry.
  await slave.ended;
  const again = await bench.start("slave", bench.patient("slave", "spare"));
  const young = (await get(`${again.url}/health`)).body["refusesExpiryForMs"];
  expect(young).toBeGreaterThan(0);
  expect(young).toBeLessThanOrEqual(LEASE_MS);
});
