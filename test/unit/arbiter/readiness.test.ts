/** A spare is ready only if nothing is missing: what only the arbiter knows of it, each reason with its end. */
import { describe, expect, it } from "vitest";
import { statusOf } from "../../../src/arbiter/status.ts";
import type { DaemonStatus } from "../../../src/arbiter/status.ts";
import type { Surroundings } from "../../../src/arbiter/status-facts.ts";
import { readSettings } from "../../../src/store/stored.ts";
import { ClusterRig } from "../core/arbiter-rig.ts";

function look(world: ClusterRig, ownConfigs: Surroundings["ownConfigs"] = {}): ReturnType<typeof statusOf> {
  const wallMs = 1e12 + world.nowMs;
  return statusOf(world.state, { nowMs: world.nowMs, wallMs, undelivered: 0, drift: [], ownConfigs });
}
function spare(world: ClusterRig, ownConfigs: Surroundings["ownConfigs"] = {}): DaemonStatus | undefined {
  return look(world, ownConfigs).daemons.find(({ name }) => name === "s");
}
const settled = (): ClusterRig => new ClusterRig().start().advance(5_000);
const drill = (world: ClusterRig): void =>
  void world.command({ verb: "drill", service: "svc", to: null, holdMs: 3_000 });
const health = (world: ClusterRig, name: string, healthy: boolean): void =>
  world.daemon(name, { kind: "healthChanged", healthy, ready: healthy, reason: healthy ? "" : "sick" });

function reportOwn(world: ClusterRig, ownConfig: string): void {
  const view = world.state.daemons.get("s");
  if (view?.report === null || view?.report === undefined) throw new Error("the spare has not reported");
  view.report = { ...view.report, ownConfig };
}

describe("a spare", () => {
  it("that was never drilled is ready, and that it never was is said", () => {
    expect(spare(settled())).toMatchObject({ ready: true, missing: [], lastDrill: null });
  });

  it("that runs with another file than the arbiter's isn't ready until it runs with the same", () => {
    const world = settled();
    reportOwn(world, "old");
    expect(spare(world)).toMatchObject({ ready: true, missing: [] });
    const stale = spare(world, { s: "new" });
    expect(stale).toMatchObject({ ready: false, hasDrifted: true });
    expect(stale?.missing[0]).toContain("another file than the arbiter's");
    expect(look(world, { s: "new" }).problems).toMatchObject([{ code: "degraded", subject: "svc" }]);
    reportOwn(world, "new");
    expect(spare(world, { s: "new" })).toMatchObject({ ready: true, missing: [], hasDrifted: false });
  });

  it("that the holder has not acknowledged isn't ready until it has", () => {
    const world = new ClusterRig().start().advance(3_000);
    const view = world.service();
    const known = view.acknowledgedSet;
    // One that has just come isn't alarmed about.
    view.acknowledgedSet = known - 1;
    expect(spare(world)?.missing).toEqual([]);
    view.acknowledgedSet = known;
    world.advance(4_000);
    view.acknowledgedSet = known - 1;
    expect(spare(world)?.missing).toEqual(["m hasn't acknowledged it as a candidate of svc yet"]);
    view.acknowledgedSet = known;
    expect(spare(world)?.missing).toEqual([]);
  });

  it("whose last drill failed isn't ready until one is good", () => {
    const world = settled();
    drill(world);
    world.advance(1_000);
    health(world, "s", false);
    world.advance(2_000);
    health(world, "s", true);
    world.advance(1_000);
    expect(spare(world)).toMatchObject({ ready: false, lastDrill: { service: "svc", passed: false } });
    expect(spare(world)?.missing[0]).toMatch(
      /^its last drill, of svc at \S+, failed: s said that it is unhealthy/u,
    );
    // As a new leader reads it from the store.
    expect(readSettings(JSON.stringify(world.settings))).toEqual({ ok: true, value: world.settings });
    drill(world);
    world.advance(8_000);
    expect(spare(world)).toMatchObject({
      ready: true,
      missing: [],
      lastDrill: { passed: true, because: null },
    });
  });

  it("isn't blamed for a home that couldn't take the service back", () => {
    const world = settled();
    drill(world);
    world.advance(1_000);
    health(world, "m", false);
    world.advance(4_000);
    expect(world.service().row.holder).toBe("s");
    expect(spare(world)?.lastDrill).toMatchObject({ passed: true });
  });
});

it("a pause keeps since when it is, from one leader to the next", () => {
  const world = settled();
  world.command({ verb: "pause", service: "svc", reason: "", forMs: 60_000 });
  expect(world.settings.pauses["svc"]?.sinceWallMs).toBeTypeOf("number");
  expect(readSettings(JSON.stringify(world.settings))).toEqual({ ok: true, value: world.settings });
});
