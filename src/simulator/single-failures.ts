/**
 * Single points of failure, found by experiment: each machine is switched off for good in a cluster
 * that is well, and whoever has no holder after that was lost with it. Then each holder that is left
 * is killed, to see whether anybody still moves what it had.
 */
import type { ClusterModel } from "../core/model.ts";
import { recoveryBoundMs } from "./checkers/recovery.ts";
import { ownSimulation, SETTLING_MS, type Place } from "./own-cluster.ts";
import { losePlace } from "./place-faults.ts";
import type { Simulation } from "./simulation.ts";

export interface SingleFailure {
  readonly place: string;
  readonly daemons: readonly string[];
  readonly arbiters: readonly string[];
  /** Services that nobody holds without it. */
  readonly loses: readonly string[];
  /** Held still, but the next failure would not be answered. */
  readonly leavesWithoutFailover: readonly string[];
}

const LOOK_EVERY_MS = 250;

export function singleFailure(model: ClusterModel, place: Place, seed: number): SingleFailure {
  const simulation = ownSimulation(model, seed);
  const { world } = simulation;
  world.runUntil(SETTLING_MS);
  losePlace(simulation, place);
  const services = model.services.map(({ name }) => name);
  const loses = waitFor(simulation, services);
  const held = services.filter((name) => !loses.includes(name));
  const leavesWithoutFailover = held.filter((name) => !survivesNext(simulation, name));
  if (simulation.failure !== null) throw new Error(`losing ${place.name}`, { cause: simulation.failure });
  const { name, daemons, arbiters } = place;
  return { place: name, daemons, arbiters, loses, leavesWithoutFailover };
}

/** Until each has a holder, or the bound is over; those without one. */
function waitFor(simulation: Simulation, services: readonly string[]): string[] {
  const { world } = simulation;
  // The leases of the lost ones have to end first.
  world.runUntil(world.nowMs + 2 * simulation.options.leaseMs);
  const untilMs = world.nowMs + recoveryBoundMs(simulation);
  let left = services.filter((name) => holderOf(simulation, name) === null);
  while (left.length > 0 && world.nowMs < untilMs && !world.isOver) {
    world.runUntil(world.nowMs + LOOK_EVERY_MS);
    left = services.filter((name) => holderOf(simulation, name) === null);
  }
  return left;
}

function holderOf(simulation: Simulation, service: string): string | null {
  const [work] = simulation.oneHolder.beliefs(service, simulation.world.nowMs);
  return work?.daemon ?? null;
}

/** The holder's process is killed; somebody else, or it itself once started again, should have it. */
function survivesNext(simulation: Simulation, service: string): boolean {
  const holder = holderOf(simulation, service);
  if (holder === null) return false;
  const host = simulation.daemon(holder);
  host.crash("kill -9");
  simulation.world.after(1_000, () => host.start());
  return waitFor(simulation, [service]).length === 0;
}
