/**
 * Runs that are aimed at one rule each: a small quiet cluster, and the few faults under which that
 * rule is what keeps two daemons apart.
 */
import type { MutationName } from "../../src/simulator/mutations.ts";
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

export const AIMS: Readonly<Record<MutationName, Overrides>> = {
  promise: aim({}, { partitionMeanMs: 8 * LEASE_MS }),
  "reboot rule": aim({}, { partitionMeanMs: 8 * LEASE_MS, crashMeanMs: 4 * LEASE_MS }),
  nonce: aim({ network: { longDelayProbability: 0.1 } }, { partitionMeanMs: 8 * LEASE_MS }),
  bound: aim({ onArbiterLoss: "demote" }, { partitionMeanMs: 8 * LEASE_MS }),
  seen: aim({ network: { duplicateProbability: 0.2 } }, { exitMeanMs: 4 * LEASE_MS }),
  "sent after the commit": aim(
    { network: { duplicateProbability: 0.3, longDelayProbability: 0.2 } },
    { crashMeanMs: 2 * LEASE_MS },
  ),
  // A frozen arbiter goes by promises that it heard of long ago, and is refused.
  cleared: aim(
    {},
    { partitionMeanMs: 8 * LEASE_MS, arbiterPauseMeanMs: 4 * LEASE_MS, lastsMs: 3 * LEASE_MS },
  ),
  "new leader's wait": aim(
    { arbiters: 2, arbiterLeaseMs: 500, onArbiterLoss: "demote" },
    { partitionMeanMs: 4 * LEASE_MS, arbiterCrashMeanMs: 4 * LEASE_MS },
  ),
  leaseMax: aim(
    { arbiters: 2, arbiterLeaseMs: 300, leaseMs: 10_000, onArbiterLoss: "demote", safetyMs: 1_200_000 },
    { partitionMeanMs: 15_000, lastsMs: 15_000, arbiterCrashMeanMs: 5000, editMeanMs: 8000 },
  ),
  "every set since": aim(
    { masters: 1, spares: 3 },
    { partitionMeanMs: 3 * LEASE_MS, lastsMs: 6 * LEASE_MS, editMeanMs: 3 * LEASE_MS },
  ),
  candidates: aim(
    { masters: 1, spares: 2, lateStartMs: 20 * LEASE_MS },
    { partitionMeanMs: 4 * LEASE_MS, lastsMs: 8 * LEASE_MS, crashMeanMs: 10 * LEASE_MS },
  ),
};
