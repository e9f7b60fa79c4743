/**
 * I4: every arbiter and the store are gone. Whoever is active and reaches its fellow candidates goes on,
 * nobody else becomes active, and the arbiter that comes back adopts everyone without a move.
 */
import { staysActive } from "../../core/invariants.ts";
import type { Simulation } from "../simulation.ts";
import { mustHold, Violation } from "../violation.ts";
import type { Work } from "./one-holder.ts";
import { recoveryBoundMs } from "./recovery.ts";

const LEASES = 6;

/** Called once all is well. A network that is slower than a round of asking promises nothing. */
export function watchBlackout(simulation: Simulation): void {
  const { world, options, store, oneHolder, whole } = simulation;
  if (options.onArbiterLoss === "demote" || !isSwift(simulation) || !isSettled(simulation)) return;
  const now = (): Work[] => whole.services.flatMap(({ name }) => oneHolder.beliefs(name, world.nowMs));
  const before = now();
  const { activations } = oneHolder;
  world.note("blackout");
  store.isDown = true;
  for (const arbiter of simulation.arbiters) arbiter.crash("blackout");
  world.runUntil(world.nowMs + LEASES * options.leaseMs);
  mustHold(staysActive(before, now()));
  world.note("blackout ends");
  store.isDown = false;
  for (const arbiter of simulation.arbiters) arbiter.start();
  const endMs = world.nowMs + recoveryBoundMs(simulation);
  while (!world.isOver && world.nowMs < endMs && !isHeldByAll(simulation)) world.runUntil(world.nowMs + 10);
  if (world.isOver) return;
  mustHold(staysActive(before, now()));
  if (oneHolder.activations !== activations)
    throw new Violation(`I4: ${oneHolder.activations - activations} activations in a blackout`);
}

/** Both ways, and a sync to disk, well within one round of asking (an eighth of the lease). */
function isSwift({ options }: Simulation): boolean {
  const { network, workload, leaseMs } = options;
  const roundTripMs = 2 * (network.leastDelayMs + network.jitterMs) + 2 * workload.latenessMs;
  return roundTripMs + 2 * workload.syncMs < leaseMs / 16 && options.drainMarginMs === null;
}

/** The new leader has adopted everyone. */
function isHeldByAll({ leader, whole }: Simulation): boolean {
  const services = leader?.state?.services;
  return services !== undefined && whole.services.every(({ name }) => services.get(name)?.phase === "held");
}

/** Held by whom the arbiter thinks, with candidates that are all there. */
function isSettled(simulation: Simulation): boolean {
  const { leader, oneHolder, world, whole } = simulation;
  if (leader?.state === null || leader?.state === undefined) return false;
  const { services } = leader.state;
  return whole.services.every(({ name }) => {
    const view = services.get(name);
    if (view === undefined || view.phase !== "held" || view.pendingSideCommit !== null) return false;
    const isAgreed = view.acknowledgedSet === view.row.candidates.version;
    const isThere = view.row.candidates.list.every(({ name: daemon, stateId, url }) => {
      const host = simulation.daemon(daemon);
      return host.url === url && host.state?.options.stateId === stateId && host.state.leaving === null;
    });
    const [belief] = oneHolder.beliefs(name, world.nowMs);
    return isAgreed && isThere && belief?.daemon === view.row.holder;
  });
}
