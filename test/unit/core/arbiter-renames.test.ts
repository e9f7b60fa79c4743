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

const renamed = (world: ClusterRig, next: ClusterModel = sameMaster): ClusterRig => {
  world.arbiter({ kind: "configured", model: next, configuration: VERSION, plan: ["a rename"] });
  return world;
};

function silenced(world: ClusterRig, name: string): ClusterRig {
  world.node(name).cut = "timeout";
  world.node(name).alone = true;
  return world.advance(1000);
}

describe("a rename while the holder is dead", () => {
  test("I7: the new name has it once every lease of the old one has ended; the old one is no more", () => {
    const world = renamed(silenced(new ClusterRig(BEFORE).start(), "m")).advance(20_000);
    expect(believers(world)).toEqual(["s"]);
    expect(world.state.services.has("old")).toBe(false);
    expect(world.rows.get("old")).toMatchObject({ epoch: 1, cleared: 1 });
  });

  test("I7: at once, if an operator says that it is dead", () => {
    const world = renamed(silenced(new ClusterRig(BEFORE).start(), "m")).advance(100);
    const order = { verb: "failover", service: "old", to: null, force: true, evenIfAlive: false } as const;
    expect(world.command(order).status).toBe(202);
    world.advance(100);
    expect(world.believers("new")).toEqual(["s"]);
  });

  // The next leader would renew the old holder, which has never heard of its epoch, beside the new one.
  test("I1: nothing is given to the new name before it is committed that the old one is over", () => {
    const world = silenced(new ClusterRig(BEFORE).start(), "m");
    renamed(world);
    while (world.service("old").phase !== "fencing") world.advance(10);
    while (world.nowMs < world.service("old").boundMs - 1) world.advance(1);
    world.store = "silent";
    world.advance(300);
    expect(world.service("old")).toMatchObject({ phase: "vacant", knownCleared: 1 });
    expect(world.rows.get("old")).toMatchObject({ epoch: 1, cleared: 0 });
    expect(world.service("new").row.holder).toBeNull();
    expect(world.service("new").pendingCommit).toBeNull();
  });
});

describe("a new leader, whose files have another name for it and don't name its holder", () => {
  const [m, t, s] = DAEMONS;
  if (m === undefined || t === undefined || s === undefined) throw new Error("no daemons");
  const shared = { masters: ["m", "t"], candidates: ["m", "t", "s"] };
  const before = model([m, t, s], [serviceSpec("old", shared)]);
  const withoutHolder = model([m, s], [serviceSpec("new")]);

  // Seen (I1, seed 1535529060).
  test("I1: knows it by a master in common, tells the holder, and waits for it", () => {
    const world = new ClusterRig(before).start();
    expect(world.believers("old")).toEqual(["t"]);
    world.node("t").demotion = "never";
    world.restartArbiter(withoutHolder).advance(1000);
    expect(believers(world)).toEqual(["t"]);
    world.daemon("t", { kind: "demoted", service: "old", epoch: 1 });
    world.advance(3000);
    expect(believers(world)).toEqual(["m"]);
    expect(world.state.services.has("old")).toBe(false);
    expect(world.state.daemons.has("t")).toBe(false);
  });

  test("I7: fails over from it where it is silent", () => {
    const world = silenced(new ClusterRig(before).start(), "t");
    world.restartArbiter(withoutHolder).advance(30_000);
    expect(believers(world)).toEqual(["m"]);
  });

  // Its row would name the masters of before, and a leader that comes new to a further edit none in common.
  test("I1: no epoch is given while an edit of the masters is being written", () => {
    const world = new ClusterRig(model([m, t, s], [serviceSpec("old")])).start();
    world.node("s").cut = "refused";
    world.advance(3000);
    world.daemon("m", { kind: "exited", service: "old", epoch: 1, reason: "exit code 1" });
    world.node("m").cut = "refused";
    world.advance(3000);
    expect(world.service("old")).toMatchObject({ phase: "vacant", row: { cleared: 1 } });
    world.store = "silent";
    renamed(world, before);
    world.node("s").cut = null;
    world.advance(1500);
    expect(world.view("s").failedChecks).toBe(0);
    expect(world.held).toHaveLength(1);
    world.store = "up";
    world.answerHeld();
    world.advance(3000);
    expect(world.rows.get("old")).toMatchObject({ epoch: 2, masters: ["m", "t"] });
  });

  test("I1: an edit of the masters stands in the row in the same commit", () => {
    const world = new ClusterRig(model([m, t, s], [serviceSpec("old")])).start();
    renamed(world, before).advance(10);
    expect(world.rows.get("old")?.masters).toEqual(["m", "t"]);
    expect(world.configuration?.hash).toBe("h1");
  });
});

// Its files were taken away while no arbiter ran: nobody would have asked it, and it was waited for for ever.
test("I7: a new leader fails over from a holder that left the files and is silent", () => {
  const world = silenced(new ClusterRig(BEFORE).start(), "m");
  const others = model(DAEMONS.slice(1), [serviceSpec("old", { masters: ["t"], candidates: ["t", "s"] })]);
  world.restartArbiter(others).advance(30_000);
  expect(world.believers("old")).toHaveLength(1);
  expect(world.service("old").row.epoch).toBeGreaterThan(1);
});

describe("two edits within a slow commit", () => {
  const edit = (world: ClusterRig, hash: string, leaseMs: number): void =>
    world.arbiter({
      kind: "configured",
      model: model(DAEMONS, [serviceSpec("old", { leaseMs })]),
      configuration: { ...VERSION, hash },
      plan: [hash],
    });

  test.each(["up", "unknown"] as const)("the newer one is in force in the end (the first: %s)", (outcome) => {
    const world = new ClusterRig(BEFORE).start();
    world.store = outcome === "up" ? "silent" : "unknown";
    edit(world, "first", 4000);
    edit(world, "second", 5000);
    world.store = "up";
    world.answerHeld();
    world.advance(5000);
    expect(world.configuration?.hash).toBe("second");
    expect(world.state.configuration.hash).toBe("second");
    expect(world.service("old").spec.leaseMs).toBe(5000);
  });
});
