/** Orders to fail over: when they are carried out, how often, and of whose epoch. */
import { describe, expect, test } from "vitest";
import { ClusterRig } from "./arbiter-rig.ts";

const CRASH = { kind: "exited", epoch: 1, reason: "exit code 1" } as const;
const order = { service: "svc", to: null, force: false, evenIfAlive: false } as const;
const DEAD = { verb: "failover", service: "svc", to: null, force: true, evenIfAlive: true } as const;

describe("failover", () => {
  // Seen (I4, seed 839423002): the order was carried out before it was on disk, and what ended it didn't know
  // of it. It stood in the settings as still to be done, and the next leader failed over once more.
  test("a failover begins once the order is on disk, and is done once", () => {
    const world = new ClusterRig().start();
    world.store = "silent";
    world.arbiter({ kind: "commanded", id: "one", by: "x", command: { verb: "failover", ...order } });
    world.advance(1000);
    expect(world.service()).toMatchObject({ phase: "held", row: { holder: "m" } });
    world.store = "up";
    world.answerHeld();
    world.advance(1000);
    expect(world.answers.get("one")?.status).toBe(202);
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2 });
    expect(world.settings.moves["svc"]?.doneAtBoots).not.toBeNull();
    world.restartArbiter();
    world.advance(5000);
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2 });
  });

  test("a failover that the store refused isn't carried out", () => {
    const world = new ClusterRig().start();
    world.store = "silent";
    world.arbiter({ kind: "commanded", id: "one", by: "x", command: { verb: "failover", ...order } });
    world.store = "down";
    world.answerHeld();
    world.store = "up";
    world.advance(5000);
    expect(world.answers.get("one")?.status).toBe(503);
    expect(world.service().row).toMatchObject({ holder: "m", epoch: 1 });
  });

  test("a failover of an epoch that is over by then is done already", () => {
    const world = new ClusterRig().start();
    world.store = "silent";
    world.arbiter({ kind: "commanded", id: "one", by: "x", command: { verb: "failover", ...order } });
    world.daemon("m", { ...CRASH, service: "svc" });
    world.store = "up";
    world.answerHeld();
    world.advance(3000);
    const { row } = world.service();
    expect(row).toMatchObject({ holder: "s", epoch: 2 });
    world.restartArbiter();
    world.advance(2000);
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2 });
    // Nor does it stand in the way of the next move.
    expect(world.command({ verb: "switchover", ...order, to: "m" }).status).toBe(202);
    expect(world.service().row.holder).toBe("m");
  });

  // Seen (I1, world operators, seed 1800099395): an order to declare the holder dead waited for a commit of
  // settings. When its turn came the service was somebody else's, who was declared dead in his place.
  test("I1: an order that had to wait is about who held it when it came", () => {
    const world = new ClusterRig().start();
    world.store = "silent";
    const pause = { verb: "pause", service: null, reason: "", forMs: null } as const;
    world.arbiter({ kind: "commanded", id: "one", by: "x", command: pause });
    world.arbiter({ kind: "commanded", id: "other", by: "x", command: DEAD });
    world.daemon("m", { ...CRASH, service: "svc" });
    expect(world.held).toHaveLength(2);
    // The settings are answered last.
    world.held.reverse();
    world.store = "up";
    world.answerHeld();
    expect(world.answers.get("one")?.status).toBe(202);
    const { row } = world.service();
    expect(row).toMatchObject({ holder: "s", epoch: 2, cleared: 1 });
    const answer = world.answers.get("other");
    expect(answer).toMatchObject({ status: 409, eventSeq: null });
    expect(answer?.text).toContain("has moved while the order waited: s has it at epoch 2");
    world.advance(5000);
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2 });
  });

  test("I1: whom a commit under way names isn't declared dead with the one before", () => {
    const world = new ClusterRig().start();
    Object.assign(world.node("m"), { cut: "refused", alone: true });
    world.advance(1000);
    world.advance(world.service().boundMs - world.nowMs - 5);
    world.store = "silent";
    world.advance(100);
    expect(world.service()).toMatchObject({ phase: "activating", row: { holder: "m", epoch: 1 } });
    world.arbiter({ kind: "commanded", id: "dead", by: "x", command: DEAD });
    world.store = "up";
    world.answerHeld();
    world.advance(5000);
    expect(world.answers.get("dead")?.status).toBe(202);
    expect(world.service()).toMatchObject({ phase: "held", row: { holder: "s", epoch: 2 } });
  });
});
