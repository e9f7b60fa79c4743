/**
 * What happens when, and within which bound: the table of the model, played in virtual time with the
 * cores as they are. Times are exact here; they depend on no machine.
 */
import { describe, expect, test } from "vitest";
import { LEASE_MS } from "./aims.ts";
import { Stage } from "./stage.ts";

/** A few round trips (1 ms each way), a store commit (3 ms) and the activation of the simulated work. */
const FEW_ROUND_TRIPS_MS = 20;
const ACTIVATION_MS = 75;
const AT_ONCE_MS = FEW_ROUND_TRIPS_MS + ACTIVATION_MS;
/** The clocks' rates differ by up to 1 %; one check of the candidate comes after the lease's end. */
const LEASE_BOUND_MS = LEASE_MS * 1.01 ** 1.5 + 20 + AT_ONCE_MS;
const ARBITER_LEASE_MS = 2000;
const SEEDS = [1, 2, 3, 4, 5];

/** The master holds it, and everything is quiet. */
function settled(seed: number, over: ConstructorParameters<typeof Stage>[1] = {}): Stage {
  const stage = new Stage(seed, over).pass(20_000);
  expect(stage.active()).toBe("m1");
  return stage;
}

describe.each(SEEDS)("seed %i", (seed) => {
  test("the master gets its service first, without waiting for a lease", () => {
    expect(new Stage(seed).until("m1", 1000)).toBeLessThan(1000);
  });

  test("the program ends under its launcher: the spare is active at once, by proof", () => {
    const stage = settled(seed);
    stage.simulation.daemon("m1").exitWork();
    expect(stage.until("s1", 10_000)).toBeLessThan(AT_ONCE_MS);
  });

  test("it stops on request: its own drain, and the spare", () => {
    const stage = settled(seed);
    stage.simulation.daemon("m1").stop();
    expect(stage.until("s1", 10_000)).toBeLessThan(75 + AT_ONCE_MS);
  });

  test("its host dies: the spare is active after the lease, and not before it", () => {
    const stage = settled(seed);
    const leaseEndMs = stage.worker()?.leaseEndMs ?? 0;
    const restMs = leaseEndMs - (stage.simulation.daemon("m1").process?.nowMs() ?? 0);
    stage.simulation.daemon("m1").powerOff();
    const gapMs = stage.until("s1", 10_000);
    expect(gapMs).toBeGreaterThan(restMs / 1.01);
    expect(gapMs).toBeLessThan(LEASE_BOUND_MS);
  });

  test("it is cut off from everyone: it stops by itself, then the spare is active", () => {
    const stage = settled(seed);
    stage.cut("m1", ["a1", "s1"]);
    expect(stage.until("s1", 10_000)).toBeLessThan(LEASE_BOUND_MS);
  });

  test("another state answers under the holder's name: the spare is active after the lease", () => {
    const stage = settled(seed);
    stage.simulation.daemon("m1").wipe();
    stage.pass(100);
    stage.simulation.daemon("m1").start();
    expect(stage.until("s1", 10_000)).toBeLessThan(LEASE_BOUND_MS);
  });

  test("it is stopped by SIGSTOP, and goes on later: it does no other piece of work", () => {
    const stage = settled(seed, { isLaunched: false });
    const { process } = stage.simulation.daemon("m1");
    process?.pause();
    expect(stage.until("s1", 10_000)).toBeLessThan(LEASE_BOUND_MS);
    process?.resume();
    expect(stage.pass(10).worker()?.daemon).toBe("s1");
    stage.pass(20_000);
  });

  test("the master comes back: it waits for `failback_delay` of good health, then takes over", () => {
    const stage = settled(seed, { failback: "auto" });
    stage.simulation.daemon("m1").powerOff();
    stage.until("s1", 10_000);
    stage.pass(30_000);
    stage.simulation.daemon("m1").powerOn();
    stage.simulation.daemon("m1").start();
    // An unplanned loss doubles its delay.
    expect(stage.until("m1", 60_000)).toBeGreaterThan(5000);
  });

  test("every arbiter and the store die: nothing moves for an hour, and the next one adopts (I4)", () => {
    const stage = settled(seed);
    const { activations } = stage.simulation.oneHolder;
    stage.simulation.arbiters[0]?.crash("gone");
    stage.simulation.store.isDown = true;
    for (let minute = 0; minute < 60; minute++) {
      stage.pass(60_000);
      expect(stage.active()).toBe("m1");
    }
    stage.simulation.store.isDown = false;
    stage.simulation.arbiters[0]?.start();
    stage.pass(60_000);
    expect(stage.active()).toBe("m1");
    expect(stage.simulation.oneHolder.activations).toBe(activations);
    expect(stage.simulation.leader?.state?.services.get("m1")?.phase).toBe("held");
  });

  test("the holder is cut off from the arbiters alone: failsafe, nothing moves", () => {
    const stage = settled(seed);
    const { activations } = stage.simulation.oneHolder;
    stage.cut("m1", ["a1"]);
    stage.pass(600_000);
    expect(stage.active()).toBe("m1");
    stage.simulation.network.healAll();
    stage.pass(10_000);
    expect(stage.simulation.oneHolder.activations).toBe(activations);
  });

  test("failsafe ends with the host: the spare is active once its own promise is over", () => {
    const stage = settled(seed);
    stage.cut("m1", ["a1"]);
    stage.pass(600_000);
    stage.simulation.daemon("m1").powerOff();
    expect(stage.until("s1", 10_000)).toBeLessThan(2 * LEASE_BOUND_MS);
  });

  test("the leading arbiter dies: the other leads within its lease, and restarts nothing", () => {
    const stage = settled(seed, { arbiters: 2 });
    const { activations } = stage.simulation.oneHolder;
    const first = stage.simulation.leader;
    first?.crash("gone");
    const beganAtMs = stage.simulation.world.nowMs;
    while (stage.simulation.leader === null) stage.pass(1);
    // Its place in the succession adds a quarter of the lease; a look at the record an eighth.
    expect(stage.simulation.world.nowMs - beganAtMs).toBeLessThan(ARBITER_LEASE_MS * 1.5);
    expect(stage.simulation.leader).not.toBe(first);
    stage.pass(60_000);
    expect(stage.active()).toBe("m1");
    expect(stage.simulation.oneHolder.activations).toBe(activations);
  });

  test("holder and leader die in one moment: arbiter lease, whole lease, then the spare", () => {
    const stage = settled(seed, { arbiters: 2 });
    stage.simulation.daemon("m1").powerOff();
    stage.simulation.leader?.crash("gone");
    expect(stage.until("s1", 60_000)).toBeLessThan(ARBITER_LEASE_MS * 1.5 + LEASE_BOUND_MS);
  });

  test("every candidate is dead: the first to return gets it", () => {
    const stage = settled(seed);
    stage.simulation.daemon("m1").powerOff();
    stage.simulation.daemon("s1").powerOff();
    stage.pass(60_000);
    expect(stage.worker()).toBeNull();
    stage.simulation.daemon("s1").powerOn();
    stage.simulation.daemon("s1").start();
    expect(stage.until("s1", 60_000)).toBeLessThan(LEASE_MS);
  });
});
