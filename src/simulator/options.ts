/**
 * What one seed tries: sizes, settings near their limits, and which faults happen how often. Some
 * faults are off in a run, so that the others have the field to themselves (a "swarm").
 */
import type { Failback, OnArbiterLoss } from "../core/model.ts";
import type { WorkloadOptions } from "./workbench.ts";
import type { NetworkOptions } from "./network.ts";
import { Random } from "./random.ts";
import type { StoreOptions } from "./store.ts";

/** Mean time between two faults of a kind; 0: never. */
export interface FaultOptions {
  readonly crashMeanMs: number;
  readonly powerMeanMs: number;
  readonly wipeMeanMs: number;
  readonly pauseMeanMs: number;
  readonly stopMeanMs: number;
  readonly exitMeanMs: number;
  readonly illMeanMs: number;
  readonly partitionMeanMs: number;
  readonly arbiterCrashMeanMs: number;
  readonly arbiterPauseMeanMs: number;
  readonly storeDownMeanMs: number;
  readonly commandMeanMs: number;
  readonly editMeanMs: number;
  /** A machine is suspended, with everything on it. */
  readonly suspendMeanMs: number;
  /** Another machine takes over a name and its address; the first one goes on for a while. */
  readonly cloneMeanMs: number;
  /** A process dies between two effects of a step. */
  readonly midStepMeanMs: number;
  /** An arbiter stops in good order, or hands over. */
  readonly releaseMeanMs: number;
  /** A daemon moves to another address; the files follow later. */
  readonly moveMeanMs: number;
  /** An edit that doesn't validate. */
  readonly badEditMeanMs: number;
  /** The store is restored from the last copy, and the next copy is made. Only where all daemons answer. */
  readonly restoreEveryMs: number;
  /** How long a fault lasts, on average. */
  readonly lastsMs: number;
  /** An arbiter leaves the configuration or comes back to it, perhaps without its state folder. (Default: never) */
  readonly membersMeanMs?: number;
  /** Somebody looks whether an arbiter has to be told to claim the lead. (Default: never) */
  readonly claimMeanMs?: number;
  /** `failover --force --even-if-alive`; see `mistakes`. (Default: never) */
  readonly evenIfAliveMeanMs?: number;
}

export interface SimulationOptions {
  readonly clockDrift: number;
  readonly arbiters: number;
  readonly masters: number;
  readonly spares: number;
  /** All masters share one service, instead of bringing one each. */
  readonly isShared: boolean;
  readonly capacity: number;
  readonly leaseMs: number;
  readonly arbiterLeaseMs: number;
  readonly maxCheckAttempts: number;
  readonly checkIntervalMs: number;
  readonly timeoutMs: number;
  readonly killGraceMs: number;
  readonly drainMarginMs: number | null;
  readonly drainTimeoutMs: number;
  readonly activationTimeoutMs: number;
  readonly failback: Failback;
  readonly failbackDelayMs: number;
  readonly onArbiterLoss: OnArbiterLoss;
  readonly isLaunched: boolean;
  /** An arbiter with a store of its own joins in by mistake, once all daemons belong to the first one. */
  readonly hasStray?: boolean;
  /** Arbiters come with older files than the committed ones, and with it enforced that they mustn't lead. */
  readonly drifts?: boolean;
  /** Edits neither rename nor remove a service. */
  readonly keepsServices?: boolean;
  /** A refused connection at the holder's last address is proof: only where nothing else may answer there. */
  readonly proofByRefusal?: boolean;
  /** So many causes may move services in so long. */
  readonly failoverBudget?: { readonly causes: number; readonly perMs: number };
  /** `failback_window` of every service: opens about so often, for so long. */
  readonly failbackWindow?: { readonly everyMs: number; readonly forMs: number };
  /** Somebody says `--even-if-alive` without having looked: two may work then, until the old one's lease ends. */
  readonly mistakes?: boolean;
  /** Who goes first on an empty store (`ARBITER_PRIMARY`). */
  readonly primary?: string;
  /** The last of several arbiters may not lead. */
  readonly hasObserver?: boolean;
  /** The store is emptied at the end of the first phase. */
  readonly losesStore?: boolean;
  /** Some daemons are first started this much later, so that the first holder has not heard of them. */
  readonly lateStartMs: number;
  /** First phase: anything may happen. */
  readonly safetyMs: number;
  /** How often an operator looks in meanwhile; null: nobody does. */
  readonly operatorEveryMs: number | null;
  readonly network: NetworkOptions;
  readonly store: StoreOptions;
  readonly workload: WorkloadOptions;
  readonly faults: FaultOptions;
}

/** Sections may be given in part. */
export type Overrides = Partial<Omit<SimulationOptions, "network" | "store" | "workload" | "faults">> & {
  readonly network?: Partial<NetworkOptions>;
  readonly store?: Partial<StoreOptions>;
  readonly workload?: Partial<WorkloadOptions>;
  readonly faults?: Partial<FaultOptions>;
};

export const NO_FAULTS: FaultOptions = {
  crashMeanMs: 0,
  powerMeanMs: 0,
  wipeMeanMs: 0,
  pauseMeanMs: 0,
  stopMeanMs: 0,
  exitMeanMs: 0,
  illMeanMs: 0,
  partitionMeanMs: 0,
  arbiterCrashMeanMs: 0,
  arbiterPauseMeanMs: 0,
  storeDownMeanMs: 0,
  commandMeanMs: 0,
  editMeanMs: 0,
  suspendMeanMs: 0,
  cloneMeanMs: 0,
  midStepMeanMs: 0,
  releaseMeanMs: 0,
  moveMeanMs: 0,
  badEditMeanMs: 0,
  restoreEveryMs: 0,
  lastsMs: 0,
};

/** Drawn from the seed alone, by a generator of its own: an override doesn't change the rest. */
export function drawOptions(seed: number, overrides: Overrides = {}): SimulationOptions {
  const random = new Random(seed + 0x5eed);
  const leaseMs = random.pick([300, 500, 1000, 2000, 2000, 10_000]);
  const maxCheckAttempts = random.pick([1, 2, 3, 3, 5]);
  // Near the limit: `(max_check_attempts + 1)` intervals and a time-out just fit into the lease.
  const longestMs = leaseMs / (maxCheckAttempts + 2);
  const checkIntervalMs = random.between(0.4, 1) * longestMs;
  const drawn: SimulationOptions = {
    clockDrift: random.pick([0, 0.01, 0.01, 0.05]),
    arbiters: random.pick([1, 1, 2, 2, 3]),
    masters: random.whole(1, 3),
    spares: random.whole(1, 3),
    isShared: random.chance(0.25),
    capacity: random.pick([1, 1, 2, 3]),
    leaseMs,
    arbiterLeaseMs: random.pick([500, 1000, 2000, 4000]),
    maxCheckAttempts,
    checkIntervalMs,
    timeoutMs: checkIntervalMs * random.between(0.5, 0.9),
    killGraceMs: random.pick([0, 10, 40, 250, 1000]),
    drainMarginMs: random.chance(0.7) ? null : leaseMs * random.between(0.05, 0.5),
    drainTimeoutMs: leaseMs * random.between(1, 6),
    activationTimeoutMs: leaseMs * random.between(2, 10),
    failback: random.pick(["auto", "auto", "manual", "never"]),
    failbackDelayMs: leaseMs * random.between(0, 4),
    onArbiterLoss: random.pick([
      "failsafe",
      "failsafe",
      "failsafe",
      "failsafe",
      "failsafe",
      "demote",
      "demote",
      "hold",
    ]),
    isLaunched: random.chance(0.4),
    lateStartMs: random.chance(0.5) ? 0 : leaseMs * random.between(1, 50),
    safetyMs: 600 * leaseMs,
    operatorEveryMs: null,
    network: drawNetwork(random, leaseMs, checkIntervalMs),
    store: {
      latencyMs: random.magnitude(0.5, 30),
      unknownProbability: drawProbability(random, 0.05),
      slowProbability: drawProbability(random, 0.1),
      slowMs: leaseMs * 2,
    },
    workload: {
      activationMs: leaseMs * random.magnitude(0.01, 1.3),
      demotionMs: leaseMs * random.magnitude(0.01, 1),
      failProbability: drawProbability(random, 0.3),
      hangProbability: drawProbability(random, 0.2),
      syncMs: random.magnitude(0.5, 30),
      latenessMs: random.magnitude(0.1, 5),
    },
    faults: drawFaults(random, leaseMs),
  };
  // A run that is about other faults has no mistakes, unless it says so.
  const special =
    overrides.faults === undefined
      ? drawOperations(seed, drawLater(seed, drawSpecial(random, drawn)))
      : drawn;
  return {
    ...special,
    ...overrides,
    network: { ...special.network, ...overrides.network },
    store: { ...special.store, ...overrides.store },
    workload: { ...special.workload, ...overrides.workload },
    faults: { ...special.faults, ...overrides.faults },
  };
}

/** Some runs are about one mistake of the operator's, next to everything else. */
function drawSpecial(random: Random, drawn: SimulationOptions): SimulationOptions {
  const special = random.whole(0, 19);
  if (special === 0) {
    // A machine with an empty state folder belongs to nobody, so whoever comes first may have it.
    const faults = { ...drawn.faults, wipeMeanMs: 0, cloneMeanMs: 0 };
    return { ...drawn, hasStray: true, faults };
  }
  return special === 1 ? { ...drawn, losesStore: true } : drawn;
}

/** Drawn from a source of its own: what a seed meant before, it still means. */
function drawLater(seed: number, drawn: SimulationOptions): SimulationOptions {
  const random = new Random(seed, 0x1a7e5);
  const { faults, isLaunched, arbiters, workload } = drawn;
  const isAlone = faults.cloneMeanMs + faults.moveMeanMs === 0;
  const restartProbability = drawProbability(random, 0.8);
  const proofByRefusal = random.chance(0.4) && isAlone && !isLaunched;
  const primary = `a${random.whole(1, arbiters)}`;
  return {
    ...drawn,
    workload: { ...workload, restartProbability },
    ...(proofByRefusal && { proofByRefusal }),
    ...(random.chance(0.3) && { primary }),
    ...(random.chance(0.2) && {
      failoverBudget: { causes: random.whole(1, 3), perMs: drawn.leaseMs * random.between(5, 20) },
    }),
    ...(random.chance(0.2) && arbiters > 1 && { hasObserver: true }),
  };
}

/** What operators do now and then; drawn from a source of its own, too. */
function drawOperations(seed: number, drawn: SimulationOptions): SimulationOptions {
  const random = new Random(seed, 0x0be7a);
  const { leaseMs, faults, hasStray } = drawn;
  const mean = (shortest: number): number => leaseMs * random.magnitude(shortest, shortest * 20);
  const window = { everyMs: mean(5), forMs: mean(2) };
  const members = { membersMeanMs: mean(10), claimMeanMs: mean(3) };
  const evenIfAlive = { evenIfAliveMeanMs: mean(10) };
  const hasWindow = random.chance(0.2);
  const hasMembers = random.chance(0.25) && hasStray !== true;
  const hasEvenIfAlive = random.chance(0.25);
  return {
    ...drawn,
    ...(hasWindow && { failbackWindow: window }),
    ...(hasEvenIfAlive && random.chance(0.5) && { mistakes: true }),
    faults: { ...faults, ...(hasMembers && members), ...(hasEvenIfAlive && evenIfAlive) },
  };
}

/** Half of the runs are without it. */
function drawProbability(random: Random, most: number): number {
  return random.chance(0.5) ? 0 : random.magnitude(most / 100, most);
}

function drawNetwork(random: Random, leaseMs: number, checkIntervalMs: number): NetworkOptions {
  // A quiet network answers within the time-out, which is half an interval at least.
  const quietMs = Math.min(checkIntervalMs / 8, 20);
  return {
    leastDelayMs: quietMs * random.magnitude(0.02, 0.5),
    jitterMs: quietMs * random.magnitude(0.02, 0.5),
    lossProbability: drawProbability(random, 0.3),
    duplicateProbability: drawProbability(random, 0.2),
    longDelayProbability: drawProbability(random, 0.1),
    longDelayMs: leaseMs * random.pick([0.5, 1, 3]),
  };
}

function drawFaults(random: Random, leaseMs: number): FaultOptions {
  const mean = (shortest: number): number =>
    random.chance(0.4) ? 0 : leaseMs * random.magnitude(shortest, shortest * 20);
  return {
    crashMeanMs: mean(10),
    powerMeanMs: mean(30),
    wipeMeanMs: mean(100),
    pauseMeanMs: mean(10),
    stopMeanMs: mean(20),
    exitMeanMs: mean(20),
    illMeanMs: mean(20),
    partitionMeanMs: mean(10),
    arbiterCrashMeanMs: mean(10),
    arbiterPauseMeanMs: mean(10),
    storeDownMeanMs: mean(20),
    commandMeanMs: mean(10),
    editMeanMs: mean(15),
    suspendMeanMs: mean(20),
    cloneMeanMs: mean(100),
    midStepMeanMs: mean(10),
    releaseMeanMs: mean(20),
    moveMeanMs: mean(50),
    badEditMeanMs: mean(50),
    restoreEveryMs: 0,
    lastsMs: leaseMs * random.magnitude(0.3, 10),
  };
}
