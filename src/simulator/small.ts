/**
 * The small world: a master, a spare and an arbiter at default settings, on a good network, where
 * something happens now and then. It is what most people run, and quiet most of the time, so that
 * it passes a hundred times faster than the crowded worlds that `options.ts` draws.
 */
import type { FaultOptions, Overrides } from "./options.ts";
import { NO_FAULTS } from "./options.ts";
import { Random } from "./random.ts";

const LEASE_MS = 2000;
const HOUR_MS = 3_600_000;

/** The settings that are in force where nobody writes any; nothing ever breaks. */
export const DEFAULTS: Overrides = {
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
  failback: "auto",
  failbackDelayMs: 5000,
  onArbiterLoss: "failsafe",
  isLaunched: true,
  lateStartMs: 0,
  safetyMs: HOUR_MS,
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

/** (Default) Something happens once in so long, on average. */
const FAULT_EVERY_MS = 5 * 60_000;
const OPERATOR_EVERY_MS = 10 * 60_000;
/** Each kind is left out of so many runs, so that the others have the field to themselves. */
const OFF_SHARE = 0.4;

/**
 * Ten hours of it. Which faults there are, and how long they last, is drawn from the seed.
 * An operator looks in now and then: a lost state folder may take one, and so does maintenance.
 */
export function smallWorld(seed: number, faultEveryMs: number = FAULT_EVERY_MS): Overrides {
  const random = new Random(seed, 0x5ca1ed);
  const drawn = Object.keys(NO_FAULTS).filter((name) => name.endsWith("MeanMs") && !random.chance(OFF_SHARE));
  const means: Partial<FaultOptions> = Object.fromEntries(
    drawn.map((name) => [name, faultEveryMs * drawn.length]),
  );
  const lastsMs = LEASE_MS * random.magnitude(0.3, 10);
  return {
    ...DEFAULTS,
    isLaunched: random.chance(0.5),
    safetyMs: 10 * HOUR_MS,
    operatorEveryMs: OPERATOR_EVERY_MS,
    faults: { ...NO_FAULTS, ...means, lastsMs },
  };
}
