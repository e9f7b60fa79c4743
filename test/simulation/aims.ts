/**
 * Runs that are aimed at one rule each: a small quiet cluster, and the few faults under which that
 * rule is what keeps two daemons apart.
 */
import type { FaultOptions, Overrides } from "../../src/simulator/options.ts";
import { NO_FAULTS } from "../../src/simulator/options.ts";

export const LEASE_MS = 2000;

/** One arbiter, a master and a spare, default settings, a good network; nothing ever breaks. */
export const QUIET: Overrides = {
  clockDrift: 0.01,
  arbiters: 1,
  masters: 1,
  spares: 1,
  isShared: false,
  capacity: 1,
  leaseMs: LEASE_MS,
  arbiterLeaseMs: 2000,
  maxCheckAttempts: 3,
  checkIntervalMs: 500,
  timeoutMs: 300,
  killGraceMs: 250,
  drainMarginMs: null,
  drainTimeoutMs: 10_000,
  activationTimeoutMs: 30_000,
  failback: "manual",
  failbackDelayMs: 5000,
  onArbiterLoss: "failsafe",
  isLaunched: true,
  lateStartMs: 0,
  safetyMs: 300 * LEASE_MS,
  network: {
    leastDelayMs: 0.5,
    jitterMs: 1,
    lossProbability: 0,
    duplicateProbability: 0,
    longDelayProbability: 0,
    longDelayMs: 3 * LEASE_MS,
  },
  store: { latencyMs: 2, unknownProbability: 0, slowProbability: 0, slowMs: 2 * LEASE_MS },
  workload: {
    activationMs: 50,
    demotionMs: 50,
    failProbability: 0,
    hangProbability: 0,
    syncMs: 2,
    latenessMs: 1,
  },
  faults: NO_FAULTS,
};

export function aim(over: Overrides, faults: Partial<FaultOptions>): Overrides {
  return {
    ...QUIET,
    ...over,
    network: { ...QUIET.network, ...over.network },
    store: { ...QUIET.store, ...over.store },
    workload: { ...QUIET.workload, ...over.workload },
    faults: { ...NO_FAULTS, lastsMs: 2 * LEASE_MS, ...faults },
  };
}
