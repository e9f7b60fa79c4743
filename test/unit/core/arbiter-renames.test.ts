/** A rename is a removal and an addition: whoever is the same work is waited for (I1). */
import { describe, expect, test } from "vitest";
import type { ClusterModel } from "../../../src/core/model.ts";
import { daemonSpec, model, serviceSpec } from "./arbiter-models.ts";
import { ClusterRig } from "./arbiter-rig.ts";

const VERSION = { version: 0, hash: "h1", atWallMs: 0, by: "test", files: {} };
const DAEMONS = [daemonSpec("m"), daemonSpec("t"), daemonSpec("s", { role: "spare", capacity: 2 })];
const BEFORE = model(DAEMONS, [serviceSpec("old")]);
const sameMaster = model(DAEMONS, [serviceSpec("new")]);
/** Nothing but the spare in common, to which the old one is on its way. */
const otherMaster = model(DAEMONS, [serviceSpec("new", { masters: ["t"], candidates: ["t", "s"] })]);

const RENAMES: readonly (readonly [string, ClusterModel])[] = [
  ["of the same master", sameMaster],
  ["that goes to another master", otherMaster],
];

/** The old service's program ends, the store takes its time over the next epoch, and an edit renames it. */
function renamedWhileGiven(next: ClusterModel): ClusterRig {
  const world = new ClusterRig(BEFORE).start();
  world.store = "silent";
  world.daemon("m", { kind: "exited", service: "old", epoch: 1, reason: "exit code 1" });
  expect(world.held).toHaveLength(1);
  world.store = "up";
  world.arbiter({ kind: "configured", model: next, configuration: VERSION, plan: ["a rename"] });
  world.advance(1000);
  expect(world.service("old")).toMatchObject({ removed: true, phase: "activating" });
  return world;
}

const believers = (world: ClusterRig): string[] => [...world.believers("old"), ...world.believers("new")];

describe.each(RENAMES)("a rename %s, while a commit gives the old service away", (_name, next) => {
  // Seen (I1, seed 63204482): that commit was answered after the new name had been given to another daemon.
  test("I1: the new name waits for it, and for whoever it names", () => {
    const world = renamedWhileGiven(next);
    expect(world.service("new").phase).toBe("vacant");
    expect(believers(world)).toEqual([]);
    world.node("s").demotion = "never";
    world.answerHeld();
    world.advance(1000);
    expect(world.believers("old")).toEqual(["s"]);
    expect(world.believers("new")).toEqual([]);
    world.daemon("s", { kind: "demoted", service: "old", epoch: 2 });
    world.advance(3000);
    expect(world.believers("new")).toHaveLength(1);
    expect(world.state.services.has("old")).toBe(false);
  });

  test("I7: where the store refuses it, the new name waits no longer", () => {
    const world = renamedWhileGiven(next);
    world.refuseCommits = 1;
    world.answerHeld();
    world.advance(3000);
    expect(world.believers("old")).toEqual([]);
    expect(world.believers("new")).toHaveLength(1);
    expect(world.state.services.has("old")).toBe(false);
  });
});

// Nothing in the store would tell the next leader that its bound has passed, and it would renew the old one.
test("I1: a rename while the holder is dead waits for it, or for an operator who says that it is dead", () => {
  const world = new ClusterRig(BEFORE).start();
  world.node("m").cut = "timeout";
  world.node("m").alone = true;
  world.advance(1000);
  world.arbiter({ kind: "configured", model: sameMaster, configuration: VERSION, plan: ["a rename"] });
  world.advance(20_000);
  expect(believers(world)).toEqual([]);
  const order = { verb: "failover", service: "old", to: null, force: true, evenIfAlive: false } as const;
  expect(world.command(order).status).toBe(202);
  world.advance(1000);
  expect(believers(world)).toEqual(["s"]);
  expect(world.state.services.has("old")).toBe(false);
});
