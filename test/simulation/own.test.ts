/**
 * Users' own configurations in the simulator: single points of failure, what another setting changes,
 * and a run that is the same for the same seed.
 */
import { describe, expect, test } from "vitest";
import type { ClusterModel } from "../../src/core/model.ts";
import { placesOf } from "../../src/simulator/own-cluster.ts";
import { runOwn, type RunResult } from "../../src/simulator/own-run.ts";
import { singleFailure } from "../../src/simulator/single-failures.ts";
import { whatIf } from "../../src/simulator/what-if.ts";
import { loadConfiguration } from "../../src/config/index.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HOUR_MS = 3_600_000;

async function read(content: string): Promise<ClusterModel> {
  const folder = mkdtempSync(join(tmpdir(), "arbiter-own-"));
  try {
    writeFileSync(join(folder, "arbiter.cfg"), content);
    const { model } = await loadConfiguration(folder);
    if (model === null) throw new Error("the test's own files are wrong");
    return model;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const arbiter = (address: string): string =>
  `[security]\ninsecure = 1\n[arbiter]\nname = a\naddress = ${address}\n`;
const daemon = (name: string, address: string, spare: 0 | 1): string =>
  `[scheduler ${name}]\naddress = ${address}\nport = ${7700 + name.length}\nspare = ${spare}\n`;
const run = (model: ClusterModel, seed = 1): Promise<RunResult> =>
  runOwn({ model, seed, lengthMs: 5 * HOUR_MS });
const failures = (
  model: ClusterModel,
): Record<string, { loses: readonly string[]; leaves: readonly string[] }> =>
  Object.fromEntries(
    placesOf(model).places.map((place) => {
      const { loses, leavesWithoutFailover } = singleFailure(model, place, 1);
      return [place.name, { loses, leaves: leavesWithoutFailover }];
    }),
  );

describe("a user's own configuration", () => {
  test("with a master, a spare and an arbiter on three machines loses nothing with any one of them", async () => {
    const model = await read(
      arbiter("10.0.0.3") + daemon("master", "10.0.0.1", 0) + daemon("spare", "10.0.0.2", 1),
    );
    expect(failures(model)).toEqual({
      "10.0.0.1": { loses: [], leaves: [] },
      "10.0.0.2": { loses: [], leaves: [] },
      "10.0.0.3": { loses: [], leaves: ["master"] },
    });
    const result = await run(model);
    const [service] = result.services;
    expect(result.violation).toBeNull();
    expect(service?.notKept).toEqual([]);
    expect(service?.availability).toBeGreaterThan(0.97);
    expect(service?.availability).toBeLessThan(1);
    expect(service?.worstGap?.moves.length).toBeGreaterThan(0);
    expect(await run(model)).toEqual(result);
    expect(await run(model, 2)).not.toEqual(result);
  });

  test("whose spare is on the master's machine loses both; so does one without a spare, or the sole arbiter with its master", async () => {
    const both = await read(
      arbiter("10.0.0.3") + daemon("master", "10.0.0.1", 0) + daemon("spare", "10.0.0.1", 1),
    );
    expect(failures(both)["10.0.0.1"]).toEqual({ loses: ["master"], leaves: [] });
    const more = whatIf(both, "spares", "+1", () => null);
    expect(more.ok && failures(more.model)["10.0.0.1"]).toEqual({ loses: [], leaves: [] });

    const none = await read(arbiter("10.0.0.3") + daemon("master", "10.0.0.1", 0));
    expect(failures(none)["10.0.0.1"]?.loses).toEqual(["master"]);
    expect((await run(none)).services[0]?.notKept.length).toBeGreaterThan(0);

    const together = await read(
      arbiter("10.0.0.1") + daemon("master", "10.0.0.1", 0) + daemon("spare", "10.0.0.2", 1),
    );
    expect(failures(together)["10.0.0.1"]?.loses).toEqual(["master"]);
  });

  test("on this machine alone stands for one of several machines", async () => {
    const model = await read(
      arbiter("127.0.0.1") + daemon("master", "127.0.0.1", 0) + daemon("spare", "127.0.0.1", 1),
    );
    expect(placesOf(model)).toMatchObject({
      isStandIn: true,
      places: [{ name: "master" }, { name: "spare" }, { name: "a" }],
    });
  });

  test("another lease changes the gap of a silent host, and nothing about which faults come when", async () => {
    const model = await read(
      arbiter("10.0.0.3") + daemon("master", "10.0.0.1", 0) + daemon("spare", "10.0.0.2", 1),
    );
    const slow = whatIf(model, "lease", "20s", () => 20_000);
    if (!slow.ok) throw new Error(slow.error);
    const [before, after] = [await run(model), await run(slow.model)];
    expect(after.faults).toBe(before.faults);
    expect(after.services[0]?.availability).toBeLessThan(before.services[0]?.availability ?? 0);
    expect(whatIf(model, "lease", "100ms", () => 100)).toMatchObject({ ok: false });
    expect(whatIf(model, "nonsense", "1s", () => 1000)).toMatchObject({ ok: false });
  });
});
