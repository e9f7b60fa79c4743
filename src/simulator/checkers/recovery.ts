/**
 * I7: once everything works again, each service has a holder within a bound, and keeps one.
 *
 * The bound adds up what may have to pass one after another: a new leader, a whole lease, promises
 * and the silence after a reboot, an activation that was going to fail, a back-off. It is generous:
 * what it is there to find is what would never have ended.
 */
import { recovers } from "../../core/invariants.ts";
import { reunite } from "../faults-rare.ts";
import { allowEverything, claimIfGone, declareDead, removedServices } from "../operator.ts";
import type { Simulation } from "../simulation.ts";
import { mustHold } from "../violation.ts";

/** `BACK_OFF_MAX_MS` of the arbiter: leases that ran out while activating make it back off, too. */
const LONGEST_BACK_OFF_MS = 60_000;
const LOOK_EVERY_MS = 50;
/** People are slower than that. */
const OPERATOR_EVERY_MS = 1000;

export function recoveryBoundMs({ options }: Simulation): number {
  const { leaseMs, arbiterLeaseMs, activationTimeoutMs, drainTimeoutMs, workload } = options;
  return (
    6 * arbiterLeaseMs +
    10 * leaseMs +
    3 * (activationTimeoutMs + drainTimeoutMs + workload.activationMs + workload.demotionMs) +
    LONGEST_BACK_OFF_MS +
    (options.failoverBudget?.perMs ?? 0)
  );
}

/** Runs the second phase to its end. */
export function watchRecovery(simulation: Simulation): void {
  const { world, whole, oneHolder } = simulation;
  const boundMs = recoveryBoundMs(simulation);
  const beganAtMs = world.nowMs;
  const vacantSince = new Map(whole.services.map(({ name }) => [name, beganAtMs]));
  let operatorAtMs = 0;
  const random = world.stream("claims");
  let claimAtMs = beganAtMs + 3 * simulation.options.arbiterLeaseMs;
  while (!world.isOver && world.nowMs < beganAtMs + 2 * boundMs) {
    world.runUntil(world.nowMs + LOOK_EVERY_MS);
    allowEverything(simulation);
    reunite(simulation);
    if (simulation.leader === null && world.nowMs >= claimAtMs) {
      claimAtMs = world.nowMs + OPERATOR_EVERY_MS;
      claimIfGone(simulation, random);
    }
    for (const { name } of whole.services) {
      const since = vacantSince.get(name) ?? beganAtMs;
      if (isHeld(simulation, name)) vacantSince.set(name, world.nowMs);
      else if (simulation.wasWiped && world.nowMs > since + boundMs / 2 && world.nowMs >= operatorAtMs) {
        operatorAtMs = world.nowMs + OPERATOR_EVERY_MS;
        // A renamed service waits for the one that left the files.
        for (const old of [name, ...removedServices(simulation)]) declareDead(simulation, old);
      }
      mustHold(recovers(name, world.nowMs - since, boundMs));
    }
    // Once each is held, one more lease shows whether it stays so.
    const isSettled = [...vacantSince.values()].every((since) => since === world.nowMs);
    if (isSettled && world.nowMs > beganAtMs + boundMs / 4) break;
  }
  for (const { name } of whole.services) oneHolder.check(name, world.nowMs);
}

/** Held in the sense of the arbiter and of the daemon: one that reports it active, and does it. */
function isHeld(simulation: Simulation, service: string): boolean {
  const view = simulation.leader?.state?.services.get(service);
  if (view === undefined || view.phase !== "held") return false;
  const [belief] = simulation.oneHolder.beliefs(service, simulation.world.nowMs);
  return belief !== undefined && belief.daemon === view.row.holder && belief.epoch === view.row.epoch;
}
