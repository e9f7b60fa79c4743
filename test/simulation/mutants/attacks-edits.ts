/** Attacks on what must be on disk before an edit of the files counts. */
import type { ClusterModel } from "../../../src/core/model.ts";
import { RENAMED } from "../../../src/simulator/checkers/one-holder.ts";
import { SHARED } from "../../../src/simulator/cluster.ts";
import type { Overrides } from "../../../src/simulator/options.ts";
import { Random } from "../../../src/simulator/random.ts";
import { LEASE_MS } from "../aims.ts";
import { Stage } from "../stage.ts";

/** Null: nothing was found. */
function found(stage: Stage, play: () => void): string | null {
  try {
    play();
    return null;
  } catch (error) {
    const { failure } = stage.simulation;
    return failure instanceof Error ? failure.message : String(error);
  }
}

/** The arbiter is killed, and comes back to files that say something else. */
function restarted(stage: Stage, files: ClusterModel): void {
  const [arbiter] = stage.simulation.arbiters;
  arbiter?.crash("kill -9");
  stage.simulation.configure(files);
  arbiter?.start();
}

function renamedWithout(whole: ClusterModel, gone: string): ClusterModel {
  const isLeft = (name: string): boolean => name !== gone;
  return {
    ...whole,
    daemons: whole.daemons.filter(({ name }) => isLeft(name)),
    services: whole.services.map((service) => ({
      ...service,
      name: service.name + RENAMED,
      masters: service.masters.filter(isLeft),
      candidates: service.candidates.filter(isLeft),
    })),
  };
}

/**
 * The holder is cut off from the arbiter and goes on by the promise of its spare. Its service is renamed, its
 * own file taken away, and the arbiter that comes new to this knows the old name by the store alone. The
 * other master was never met before, and so isn't among those whom the holder asks.
 */
export function renamedUnseen(seed: number): string | null {
  const stage = new Stage(seed, { masters: 2, spares: 1, isShared: true });
  const random = new Random(seed, 0x4e3a);
  return found(stage, () => {
    stage.simulation.daemon("m2").crash("kill -9");
    stage.pass(10_000);
    const holder = stage.active(SHARED);
    if (holder !== "m1") return;
    stage.cut(holder, ["a1", "m2"]);
    stage.pass(random.between(0, 2 * LEASE_MS));
    const { whole } = stage.simulation;
    restarted(stage, renamedWithout(whole, holder));
    stage.simulation.daemon("m2").start();
    stage.pass(15 * LEASE_MS);
  });
}

const SLOW_STORE: Overrides = { onArbiterLoss: "demote", store: { latencyMs: 300 } };

/**
 * Leases get longer, and the store is gone before it can be told. Then the holder is cut off, the files say
 * what they said before, and a new leader comes.
 */
export function longerUnwritten(seed: number): string | null {
  const stage = new Stage(seed, SLOW_STORE);
  const random = new Random(seed, 0x10e5);
  return found(stage, () => {
    stage.pass(10_000);
    const holder = stage.active();
    if (holder === null) return;
    const { whole } = stage.simulation;
    stage.simulation.configure({
      ...whole,
      daemons: whole.daemons.map((daemon) => ({ ...daemon, leaseMs: 4 * LEASE_MS })),
      services: whole.services.map((service) => ({ ...service, leaseMs: 4 * LEASE_MS })),
    });
    const [arbiter] = stage.simulation.arbiters;
    const isInForce = (): boolean => arbiter?.state?.model.daemons[0]?.leaseMs === 4 * LEASE_MS;
    for (let ms = 0; ms < 2000 && !isInForce(); ms++) stage.pass(1);
    stage.simulation.store.isDown = true;
    stage.pass(random.between(0, LEASE_MS));
    stage.simulation.store.isDown = false;
    stage.cut(holder, ["a1", "m1", "s1"]);
    restarted(stage, whole);
    stage.pass(8 * LEASE_MS);
  });
}
