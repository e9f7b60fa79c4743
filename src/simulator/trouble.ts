/**
 * Worlds that are about one trouble each, with the other faults that go with it. What can be kept
 * there is kept for every seed; what can't is left out, and stands in `docs/safety.md`.
 */
import type { Overrides } from "./options.ts";
import { NO_FAULTS } from "./options.ts";

const LEASE_MS = 2000;

const BASE: Overrides = {
  clockDrift: 0.01,
  arbiters: 2,
  masters: 2,
  spares: 2,
  leaseMs: LEASE_MS,
  arbiterLeaseMs: 2000,
  maxCheckAttempts: 3,
  checkIntervalMs: 500,
  timeoutMs: 300,
  lateStartMs: 0,
  safetyMs: 300 * LEASE_MS,
};

/**
 * The store is restored from a copy every now and then. All daemons can be reached, and none is stopped or
 * has to end itself: of an epoch that the copy doesn't know, only who was given it can tell.
 */
export const RESTORED: Overrides = {
  ...BASE,
  onArbiterLoss: "failsafe",
  network: {
    leastDelayMs: 0.5,
    jitterMs: 1,
    lossProbability: 0,
    duplicateProbability: 0,
    longDelayProbability: 0,
    longDelayMs: 3 * LEASE_MS,
  },
  workload: { hangProbability: 0 },
  faults: {
    ...NO_FAULTS,
    lastsMs: LEASE_MS,
    exitMeanMs: 4 * LEASE_MS,
    arbiterCrashMeanMs: 10 * LEASE_MS,
    arbiterPauseMeanMs: 10 * LEASE_MS,
    commandMeanMs: 5 * LEASE_MS,
    releaseMeanMs: 30 * LEASE_MS,
    restoreEveryMs: 8 * LEASE_MS,
  },
};

/** The store is away most of the time, and three arbiters go by each other's promises. */
export const OUTAGES: Overrides = {
  ...BASE,
  arbiters: 3,
  arbiterLeaseMs: 500,
  faults: {
    ...NO_FAULTS,
    lastsMs: 4 * LEASE_MS,
    storeDownMeanMs: 6 * LEASE_MS,
    arbiterCrashMeanMs: 10 * LEASE_MS,
    arbiterPauseMeanMs: 5 * LEASE_MS,
    partitionMeanMs: 4 * LEASE_MS,
    releaseMeanMs: 20 * LEASE_MS,
    editMeanMs: 20 * LEASE_MS,
  },
};

/** Three arbiters whose files differ, while leaders come and go and the files are edited. */
export const DRIFTED: Overrides = {
  ...BASE,
  arbiters: 3,
  arbiterLeaseMs: 500,
  drifts: true,
  faults: {
    ...NO_FAULTS,
    lastsMs: 3 * LEASE_MS,
    crashMeanMs: 8 * LEASE_MS,
    arbiterCrashMeanMs: 4 * LEASE_MS,
    arbiterPauseMeanMs: 8 * LEASE_MS,
    partitionMeanMs: 10 * LEASE_MS,
    storeDownMeanMs: 15 * LEASE_MS,
    releaseMeanMs: 10 * LEASE_MS,
    editMeanMs: 5 * LEASE_MS,
  },
};

/** An arbiter with a store of its own comes to a cluster that all daemons belong to. */
export const STRAY: Overrides = {
  ...BASE,
  hasStray: true,
  faults: {
    ...NO_FAULTS,
    lastsMs: 3 * LEASE_MS,
    crashMeanMs: 5 * LEASE_MS,
    powerMeanMs: 10 * LEASE_MS,
    pauseMeanMs: 5 * LEASE_MS,
    partitionMeanMs: 4 * LEASE_MS,
    arbiterCrashMeanMs: 10 * LEASE_MS,
    editMeanMs: 20 * LEASE_MS,
  },
};

/**
 * Operators who do a lot: arbiters leave the files and come back, with and without their state folders;
 * `leader claim`; `failover --force --even-if-alive`, also by mistake; failback in its windows alone.
 */
export const OPERATORS: Overrides = {
  ...BASE,
  arbiters: 3,
  arbiterLeaseMs: 500,
  keepsServices: true,
  failback: "auto",
  failbackDelayMs: LEASE_MS,
  failbackWindow: { everyMs: 20 * LEASE_MS, forMs: 6 * LEASE_MS },
  mistakes: true,
  faults: {
    ...NO_FAULTS,
    lastsMs: 3 * LEASE_MS,
    crashMeanMs: 8 * LEASE_MS,
    exitMeanMs: 10 * LEASE_MS,
    arbiterCrashMeanMs: 6 * LEASE_MS,
    arbiterPauseMeanMs: 8 * LEASE_MS,
    partitionMeanMs: 8 * LEASE_MS,
    storeDownMeanMs: 15 * LEASE_MS,
    releaseMeanMs: 10 * LEASE_MS,
    commandMeanMs: 6 * LEASE_MS,
    editMeanMs: 20 * LEASE_MS,
    membersMeanMs: 4 * LEASE_MS,
    claimMeanMs: 2 * LEASE_MS,
    evenIfAliveMeanMs: 10 * LEASE_MS,
  },
};
