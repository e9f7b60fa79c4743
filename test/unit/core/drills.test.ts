/**
 * Drills: what must be so before one begins, a good one, and each way in which one fails. A failed
 * drill leaves the service where it is healthiest.
 */
import { describe, expect, test } from "vitest";
import { nextDrillAct, type DrillSight } from "../../../src/core/drill.ts";
import { problemsOf } from "../../../src/arbiter/status-problems.ts";
import { ClusterRig } from "./arbiter-rig.ts";
import { daemonSpec, model, serviceSpec } from "./arbiter-models.ts";

const begin = (world: ClusterRig, holdMs = 3000): { status: number; text: string } =>
  world.command({ verb: "drill", service: "svc", to: null, holdMs });
const refuses = (world: ClusterRig, because: string): void => {
  const { status, text } = begin(world);
  expect(status).toBe(409);
  expect(text).toContain(because);
};
const settled = (): ClusterRig => new ClusterRig().start().advance(5000);
const drillEvents = (world: ClusterRig): string[] =>
  world.events.filter(({ type }) => type.startsWith("drill.")).map(({ type }) => type);
const last = (world: ClusterRig): string =>
  world.events.findLast(({ type }) => type.startsWith("drill."))?.text ?? "";
const holder = (world: ClusterRig): string | null =>
  world.service().phase === "held" ? world.service().row.holder : null;
const health = (world: ClusterRig, name: string, healthy: boolean): void =>
  world.daemon(name, { kind: "healthChanged", healthy, ready: healthy, reason: healthy ? "" : "sick" });
const codes = (world: ClusterRig, drillMaxAgesMs: Record<string, number> = {}): string[] =>
  problemsOf(world.state, {
    nowMs: world.nowMs,
    wallMs: world.nowMs + 1e12,
    undelivered: 0,
    alerts: [],
    drift: [],
    drillMaxAgesMs,
  }).map(({ code }) => code);

describe("a drill", () => {
  test("goes to the spare, stays there for a while, comes back, and reports both gaps without overlap", () => {
    const world = settled();
    expect(begin(world).status).toBe(202);
    world.advance(1000);
    expect(holder(world)).toBe("s");
    world.advance(1000);
    expect(holder(world)).toBe("s");
    world.advance(3000);
    expect(holder(world)).toBe("m");
    expect(world.service().row.epoch).toBe(3);
    expect(drillEvents(world)).toEqual(["drill.started", "drill.holding", "drill.passed"]);
    const evidence = world.events.findLast(({ type }) => type === "drill.passed")?.evidence;
    expect(evidence).toMatchObject({
      home: "m",
      spare: "s",
      outOverlapMs: 0,
      backOverlapMs: 0,
      holdMs: 3000,
    });
    expect(evidence?.["outGapMs"]).toBeTypeOf("number");
    expect(evidence?.["backGapMs"]).toBeTypeOf("number");
    expect(world.settings.drills?.["svc"]).toMatchObject({ failed: null, run: null });
    expect(world.settings.drills?.["svc"]?.lastGoodWallMs).toBeTypeOf("number");
    // Nothing of its orders is left behind.
    expect(world.settings.moves).toEqual({});
  });

  test("begins only with a healthy holder, a spare that waits and is in sync, and nobody paused", () => {
    const paused = settled();
    paused.command({ verb: "pause", service: null, reason: "holiday", forMs: null });
    refuses(paused, "paused by");

    const alone = settled();
    alone.node("s").cut = "refused";
    alone.advance(3000);
    refuses(alone, "s: it is silent");

    const sick = settled();
    health(sick, "s", false);
    sick.advance(1000);
    refuses(sick, "unhealthy");

    const twice = settled();
    expect(begin(twice).status).toBe(202);
    expect(begin(twice)).toMatchObject({ status: 409 });
    expect(twice.command({ verb: "drill", service: "nope", to: null, holdMs: null }).status).toBe(404);
    expect(drillEvents(alone)).toEqual([]);
  });

  test("of a spare that becomes unhealthy goes home at once, and failed", () => {
    const world = settled();
    begin(world, 60_000);
    world.advance(1000);
    expect(holder(world)).toBe("s");
    health(world, "s", false);
    world.advance(2000);
    expect(holder(world)).toBe("m");
    expect(drillEvents(world).at(-1)).toBe("drill.failed");
    expect(last(world)).toContain("s said that it is unhealthy (sick); m has it again");
    expect(codes(world)).toContain("drill-failed");
    health(world, "s", true);
    world.advance(1000);
    expect(begin(world).status).toBe(202);
    world.advance(6000);
    expect(codes(world)).not.toContain("drill-failed");
  });

  test("stays on the spare where home can't take it back, and failback brings it home later", () => {
    const world = settled();
    begin(world);
    world.advance(1000);
    health(world, "m", false);
    world.advance(4000);
    expect(holder(world)).toBe("s");
    expect(last(world)).toContain(
      "m can't take it back (it is unhealthy (sick)); it stays with s, which is well",
    );
    health(world, "m", true);
    world.advance(15_000);
    expect(holder(world)).toBe("m");
  });

  test("whose spare can't take it has it back home", () => {
    const world = settled();
    world.node("s").activation = "fails";
    begin(world);
    world.advance(20_000);
    expect(holder(world)).toBe("m");
    expect(drillEvents(world).at(-1)).toBe("drill.failed");
    expect(last(world)).toContain(
      "s could not take it (its activation failed: no such program); m has it again",
    );
  });

  test("ends where an operator interferes: the order counts, not the drill", () => {
    const world = settled();
    begin(world, 60_000);
    world.advance(1000);
    world.command({ verb: "pause", service: "svc", reason: "", forMs: null });
    world.advance(1000);
    expect(last(world)).toMatch(/paused it meanwhile/u);
    expect(holder(world)).toBe("s");
  });

  test("is gone on with by the next leader", () => {
    const world = settled();
    begin(world, 5000);
    world.advance(1000);
    expect(holder(world)).toBe("s");
    world.restartArbiter();
    world.advance(20_000);
    expect(holder(world)).toBe("m");
    expect(drillEvents(world).at(-1)).toBe("drill.passed");
  });

  test("that nobody held for longer than drill_max_age is a problem, also where none was ever held", () => {
    const world = settled();
    world.command({ verb: "remember-drills", services: ["svc"] });
    expect(codes(world, { svc: 60_000 })).not.toContain("drill-overdue");
    world.advance(61_000);
    expect(codes(world, { svc: 60_000 })).toContain("drill-overdue");
    begin(world);
    world.advance(6000);
    expect(codes(world, { svc: 60_000 })).not.toContain("drill-overdue");
    expect(codes(world)).not.toContain("drill-overdue");
  });

  test("takes the spare that was named, or says why not", () => {
    const two = model(
      [daemonSpec("m"), daemonSpec("s", { role: "spare" }), daemonSpec("t", { role: "spare" })],
      [serviceSpec("svc", { masters: ["m"], candidates: ["m", "s", "t"] })],
    );
    const world = new ClusterRig(two).start().advance(5000);
    expect(world.command({ verb: "drill", service: "svc", to: "x", holdMs: null }).text).toContain(
      "x is no candidate",
    );
    expect(world.command({ verb: "drill", service: "svc", to: "m", holdMs: null }).text).toContain(
      "holds it already",
    );
    expect(world.command({ verb: "drill", service: "svc", to: "t", holdMs: 1000 }).status).toBe(202);
    world.advance(500);
    expect(holder(world)).toBe("t");
  });
});

describe("what comes next in a drill", () => {
  const sight: DrillSight = {
    stageMs: 0,
    moveTimeoutMs: 100,
    holdMs: 50,
    holder: "m",
    epoch: 1,
    gapMs: 7,
    home: "m",
    spare: "s",
    fromEpoch: 1,
    spareLost: "",
    spareTrouble: null,
    homeTrouble: null,
    interruption: null,
    failure: null,
  };
  test.each([
    ["out", {}, "wait"],
    ["out", { stageMs: 100 }, "fail"],
    ["out", { holder: "s", epoch: 2 }, "hold"],
    ["out", { holder: "t", epoch: 2 }, "fail"],
    ["out", { holder: null, epoch: 2 }, "wait"],
    ["holding", { holder: "s", stageMs: 49 }, "wait"],
    ["holding", { holder: "s", stageMs: 50 }, "goHome"],
    ["holding", { holder: "s", stageMs: 50, homeTrouble: "it is silent" }, "fail"],
    ["holding", { holder: "s", spareTrouble: "sick" }, "goHome"],
    ["holding", { holder: "s", spareTrouble: "sick", homeTrouble: "it is silent" }, "fail"],
    ["holding", { holder: "s", epoch: 2 }, "fail"],
    ["holding", { holder: "m", epoch: 2 }, "fail"],
    ["holding", { holder: null }, "wait"],
    ["holding", { holder: null, stageMs: 150 }, "fail"],
    ["back", { holder: "s" }, "wait"],
    ["back", { holder: "s", stageMs: 100 }, "fail"],
    ["back", { epoch: 2 }, "pass"],
    ["back", { epoch: 2, failure: "sick" }, "fail"],
    ["back", { holder: "s", epoch: 2 }, "fail"],
    ["back", { epoch: 2, interruption: "somebody paused it" }, "fail"],
  ] as const)("%s, %j: %s", (stage, seen, kind) => {
    expect(nextDrillAct(stage, { ...sight, ...seen }).kind).toBe(kind);
  });
});
