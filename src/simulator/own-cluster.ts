/**
 * A user's own configuration in the simulator: its daemons, arbiters and services as the files say, on
 * machines that are as good as ordinary ones, and the places that they share.
 */
import type { ClusterModel, OnArbiterLoss } from "../core/model.ts";
import { NO_MUTATION } from "./mutations.ts";
import type { SimulationOptions } from "./options.ts";
import { drawOptions } from "./options.ts";
import { Simulation } from "./simulation.ts";
import { DEFAULTS } from "./small.ts";

/** A machine: everything that is lost with it. */
export interface Place {
  /** Its address; where all of them are loopback, the name of the one that runs there. */
  readonly name: string;
  readonly daemons: readonly string[];
  readonly arbiters: readonly string[];
}

/** Until everyone is started, asked and active. */
export const SETTLING_MS = 30_000;
/** How long a program takes to start and to stop where nothing is known of it. */
const PROGRAM_MS = 100;

const LOOPBACK = /^(?:127\.|localhost$|::1$|\[::1\]$)/u;

/**
 * Where every address is loopback, the files stand for machines that are still to come: each daemon and
 * arbiter is taken for one of its own.
 */
export function placesOf({ daemons, arbiters }: ClusterModel): {
  readonly places: readonly Place[];
  readonly isStandIn: boolean;
} {
  const all = [...daemons, ...arbiters];
  const isStandIn = all.every(({ address }) => LOOPBACK.test(address));
  const at = (one: { readonly name: string; readonly address: string }): string =>
    isStandIn ? one.name : one.address;
  const names = [...new Set(all.map(at))];
  const places = names.map((name) => ({
    name,
    daemons: daemons.filter((one) => at(one) === name).map((one) => one.name),
    arbiters: arbiters.filter((one) => at(one) === name).map((one) => one.name),
  }));
  return { places, isStandIn };
}

/** Nothing of it is started. */
export function simulationOf(model: ClusterModel, seed: number): Simulation {
  return new Simulation(seed, optionsFor(model, seed), NO_MUTATION, { fastForward: true, model });
}

export function ownSimulation(model: ClusterModel, seed: number): Simulation {
  const simulation = simulationOf(model, seed);
  for (const host of [...simulation.arbiters, ...simulation.daemons]) host.start();
  return simulation;
}

function most(values: readonly number[], otherwise: number): number {
  return Math.max(otherwise, ...values);
}

/** Of what is given up knowingly, the most: it says which invariants are looked at. */
function weakestOf(daemons: ClusterModel["daemons"]): OnArbiterLoss {
  const has = (wish: OnArbiterLoss): boolean => daemons.some(({ onArbiterLoss }) => onArbiterLoss === wish);
  if (has("hold")) return "hold";
  return has("demote") ? "demote" : "failsafe";
}

/** What is about the cluster as a whole: the longest of each, since bounds are made of them. */
function optionsFor(model: ClusterModel, seed: number): SimulationOptions {
  const { services, daemons } = model;
  return drawOptions(seed, {
    ...DEFAULTS,
    clockDrift: model.clockDrift,
    arbiters: model.arbiters.length,
    capacity: most(
      daemons.map(({ capacity }) => capacity),
      1,
    ),
    leaseMs: most(
      services.map(({ leaseMs }) => leaseMs),
      1,
    ),
    arbiterLeaseMs: model.arbiterLeaseMs,
    activationTimeoutMs: most(
      services.map(({ activationTimeoutMs }) => activationTimeoutMs),
      1,
    ),
    drainTimeoutMs: most(
      services.map(({ drainTimeoutMs }) => drainTimeoutMs),
      1,
    ),
    onArbiterLoss: weakestOf(daemons),
    workload: { ...DEFAULTS.workload, activationMs: PROGRAM_MS, demotionMs: PROGRAM_MS },
    faults: { lastsMs: 5_000 },
  });
}
