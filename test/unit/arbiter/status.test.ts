/** What the status says of a cluster whose cores are real: each problem appears with its cause, and goes with it. */
import { describe, expect, it } from "vitest";
import { clusterMap, mapTag, peers, serviceAnswer } from "../../../src/arbiter/cluster-map.ts";
import { statusOf } from "../../../src/arbiter/status.ts";
import type { Status } from "../../../src/arbiter/status.ts";
import { MASTER_AND_SPARE } from "../core/arbiter-models.ts";
import { ClusterRig } from "../core/arbiter-rig.ts";

/** The rig's wall clock runs this far ahead of its monotonic one. */
const WALL = 1e12;

function statusIn(world: ClusterRig, undelivered = 0): Status {
  return statusOf(world.state, { nowMs: world.nowMs, wallMs: WALL + world.nowMs, undelivered, drift: [] });
}
function codes(world: ClusterRig): string[] {
  return statusIn(world).problems.map(({ code, subject }) => `${code} ${subject}`);
}
function running(): ClusterRig {
  return new ClusterRig(MASTER_AND_SPARE).start().advance(600);
}

describe("status", () => {
  it("of a cluster where all is well has no problem, and says who holds what", () => {
    const world = running();
    const status = statusIn(world);
    expect(status).toMatchObject({ leader: "a", name: "a", term: 1, problems: [] });
    expect(status.services).toMatchObject([
      { name: "svc", holder: "m", role: "master", phase: "held", epoch: 1, seenThrough: [], pause: null },
    ]);
    expect(status.services[0]?.leaseRemainingMs).toBeGreaterThan(1_000);
    expect(
      status.daemons.map(({ name, state, healthy, services }) => [name, state, healthy, services]),
    ).toEqual([
      ["m", "active", true, ["svc"]],
      ["s", "waiting", true, []],
    ]);
  });

  it("says that a spare is down, and that it is back", () => {
    const world = running();
    world.node("s").cut = "timeout";
    world.advance(3_000);
    expect(codes(world)).toEqual(["degraded svc"]);
    expect(statusIn(world).daemons[1]).toMatchObject({ state: "unreachable", healthy: false });
    world.node("s").cut = null;
    world.advance(1_000);
    expect(codes(world)).toEqual([]);
  });

  it("says that the holder is in doubt while it is, and still shows it as the holder", () => {
    const world = running();
    world.node("m").cut = "timeout";
    world.node("m").alone = true;
    while (world.service().phase !== "fencing") world.advance(10);
    expect(codes(world)).toContain("suspect svc");
    expect(statusIn(world).services[0]).toMatchObject({ holder: "m", phase: "fencing" });
    world.advance(4_000);
    expect(statusIn(world).services[0]).toMatchObject({ holder: "s", phase: "held", epoch: 2 });
    expect(codes(world)).toEqual(["degraded svc"]);
  });

  it("shows through whom a holder in failsafe is seen", () => {
    const world = running();
    world.node("m").cut = "timeout";
    world.advance(3_000);
    expect(statusIn(world).services[0]).toMatchObject({ holder: "m", seenThrough: ["s"] });
    expect(statusIn(world).problems.find(({ code }) => code === "suspect")?.text).toContain("seen through s");
    world.advance(20_000);
    expect(statusIn(world).services[0]).toMatchObject({ holder: "m", epoch: 1 });
  });

  it("says that nobody holds a service, and which candidates there are", () => {
    const world = new ClusterRig(MASTER_AND_SPARE);
    for (const node of world.nodes.values()) node.cut = "refused";
    world.start().advance(2_000);
    expect(codes(world)).toEqual(["vacant svc"]);
    expect(statusIn(world).problems[0]?.text).toContain("m (down), s (down)");
    expect(clusterMap(world.state).services["svc"]).toEqual({
      holder: null,
      epoch: 0,
      url: null,
      address: null,
      port: null,
      sinceWallMs: 0,
    });
  });

  it("shows a pause of one service and of all, with who, why and until when", () => {
    const world = running();
    world.command({ verb: "pause", service: null, reason: "work", forMs: null });
    expect(statusIn(world).services[0]?.pause).toMatchObject({ reason: "work", until: null, all: true });
    expect(codes(world)).toEqual(["paused cluster"]);
    world.command({ verb: "resume", service: null });
    world.command({ verb: "pause", service: "svc", reason: "", forMs: 60_000 });
    expect(statusIn(world).services[0]?.pause).toMatchObject({ all: false });
    expect(codes(world)).toEqual(["paused svc"]);
  });

  it("says that the store is away, that events wait, and that an edit was refused", () => {
    const world = running();
    world.arbiter({ kind: "configRefused", errors: ["a.cfg:1:1: no", "a.cfg:2:1: no"] });
    world.store = "down";
    world.advance(2_000);
    expect(codes(world)).toEqual(["store-down cluster", "config-refused a"]);
    expect(statusIn(world, 2).problems.map(({ code }) => code)).toContain("undelivered");
    expect(statusIn(world).config.refusedEdit?.errors).toHaveLength(2);
    world.store = "up";
    world.advance(2_000);
    expect(codes(world)).toEqual(["config-refused a"]);
  });

  it("of an arbiter that only starts raises no alarm", () => {
    const world = new ClusterRig(MASTER_AND_SPARE);
    expect(codes(world)).toEqual([]);
    expect(statusIn(world)).toMatchObject({ leader: null, services: [] });
  });

  it("carries no custom key of a file, whatever it is called", () => {
    const [first, second] = MASTER_AND_SPARE.daemons;
    if (first === undefined || second === undefined) throw new Error("the model has no daemons");
    const secret = { ...first, passed: { _db_password: "hunter2" } };
    const services = MASTER_AND_SPARE.services.map((spec) => ({
      ...spec,
      config: { _db_password: "hunter2" },
    }));
    const world = new ClusterRig({ ...MASTER_AND_SPARE, daemons: [secret, second], services })
      .start()
      .advance(600);
    const everything = JSON.stringify([statusIn(world), clusterMap(world.state), peers(world.state)]);
    expect(everything).not.toContain("hunter2");
  });
});

describe("the cluster map", () => {
  it("has one rising version, and another tag with every change", () => {
    const world = running();
    const before = { version: world.state.mapVersion, tag: mapTag(clusterMap(world.state)) };
    world.command({ verb: "switchover", service: "svc", to: "s", force: false, evenIfAlive: false });
    world.advance(1_000);
    expect(clusterMap(world.state).services["svc"]).toMatchObject({ holder: "s", epoch: 2 });
    expect(world.state.mapVersion).toBeGreaterThan(before.version);
    expect(mapTag(clusterMap(world.state))).not.toBe(before.tag);
    expect(serviceAnswer(world.state, world.service())).toMatchObject({
      service: "svc",
      holder: "s",
      version: world.state.mapVersion,
    });
  });

  it("lists arbiters and daemons as peers", () => {
    expect(peers(running().state).map(({ name, type, state }) => [name, type, state])).toEqual([
      ["a", "arbiter", "leading"],
      ["m", "scheduler", "active"],
      ["s", "scheduler", "waiting"],
    ]);
  });
});
