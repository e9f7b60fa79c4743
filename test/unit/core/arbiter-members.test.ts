/** Daemons that come and go while the cluster runs, and arbiters whose files have drifted. */
import { expect, test } from "vitest";
import type { ClusterModel } from "../../../src/core/model.ts";
import { mayCampaignAtMs } from "../../../src/core/succession.ts";
import { daemonSpec, MASTER_AND_SPARE, serviceSpec } from "./arbiter-models.ts";
import { ClusterRig } from "./arbiter-rig.ts";

const WITH_LATE: ClusterModel = {
  ...MASTER_AND_SPARE,
  daemons: [...MASTER_AND_SPARE.daemons, daemonSpec("late", { role: "spare", priority: 5 })],
  services: [serviceSpec("svc", { candidates: ["m", "s", "late"] })],
};
const LATE = { late: { keys: { type: "scheduler" }, by: "late itself", atWallMs: 0 } };
const CRASH = { kind: "exited", service: "svc", reason: "crash" } as const;

function joined(): ClusterRig {
  const world = new ClusterRig().start();
  world.addNode(daemonSpec("late", { role: "spare" }));
  const answer = world.command({
    verb: "members",
    daemon: "late",
    joined: LATE,
    model: WITH_LATE,
    type: "member.joined",
    text: "late joins",
  });
  expect(answer.status).toBe(202);
  return world.advance(2000);
}

test("who joins stands in the store, and may take over; the holder notices nothing", () => {
  const world = joined();
  expect(world.settings.joined).toEqual(LATE);
  expect(world.events.map(({ type }) => type)).toContain("member.joined");
  expect(world.service().row).toMatchObject({ holder: "m", epoch: 1 });
  world.daemon("m", { ...CRASH, epoch: 1 });
  expect(world.service().row).toMatchObject({ holder: "late", epoch: 2 });
});

test("while the store is away nobody joins, and the cluster stays as it is", () => {
  const world = new ClusterRig().start();
  world.store = "down";
  world.advance(3000);
  const members = {
    verb: "members",
    joined: LATE,
    model: WITH_LATE,
    type: "member.joined",
    text: "",
  } as const;
  expect(world.command({ ...members, daemon: "late" }).status).toBe(503);
  expect(world.state.daemons.has("late")).toBe(false);
  expect(world.state.settings.joined).toEqual({});
});

test("a new leader, whose files don't name it, adopts the one that joined as the holder", () => {
  const world = joined();
  world.daemon("m", { ...CRASH, epoch: 1 });
  world.inForce = { model: WITH_LATE, configuration: world.state.configuration };
  world.restartArbiter(MASTER_AND_SPARE).advance(1000);
  expect(world.service()).toMatchObject({ phase: "held", removed: false, row: { holder: "late", epoch: 2 } });
  // Without being told, it asks the holder where the store has it, and moves the service to one of its own.
  world.inForce = null;
  world.restartArbiter(MASTER_AND_SPARE).advance(5000);
  expect(world.service()).toMatchObject({ phase: "held", row: { epoch: 3 } });
  expect(world.service().row.holder).not.toBe("late");
  expect(world.state.daemons.has("late")).toBe(false);
});

test("a drifted arbiter waits for every other place in line; with no other arbiter it doesn't wait", () => {
  const [own] = MASTER_AND_SPARE.arbiters;
  if (own === undefined) throw new Error("no arbiter");
  const two = { ...MASTER_AND_SPARE, arbiters: [own, { ...own, name: "b", url: "http://b" }] };
  for (const [model, least] of [
    [MASTER_AND_SPARE, 0],
    [two, 2 * two.arbiterLeaseMs],
  ] as const) {
    const world = new ClusterRig(model).start();
    const before = Math.max(mayCampaignAtMs(world.state), world.state.leadership.beatSeenAtMs);
    world.arbiter({ kind: "driftJudged", yieldsLead: true });
    const after = mayCampaignAtMs(world.state);
    expect(after === 0 ? 0 : after - before).toBeGreaterThanOrEqual(least);
    expect(after).toBeLessThan(Infinity);
  }
});
