/** Worlds to hunt in: small and quiet, but for the faults under which a kind of rule is needed. */
import { OPERATORS, OUTAGES, RESTORED, STRAY } from "../../../src/simulator/trouble.ts";
import { aim, LEASE_MS, QUIET } from "../aims.ts";
import type { Hunt } from "./mutant.ts";

export const CUTS: Hunt = { name: "cuts", overrides: aim({}, { partitionMeanMs: 8 * LEASE_MS }) };

export const CUTS_AND_CRASHES: Hunt = {
  name: "cuts and crashes",
  overrides: aim({ spares: 2 }, { partitionMeanMs: 6 * LEASE_MS, crashMeanMs: 4 * LEASE_MS }),
};

export const CUTS_AND_POWER: Hunt = {
  name: "cuts and power failures",
  overrides: aim(
    { workload: { syncMs: 200 } },
    { partitionMeanMs: 6 * LEASE_MS, powerMeanMs: 6 * LEASE_MS, lastsMs: LEASE_MS / 2 },
  ),
};

/** Nobody goes on without an arbiter, so that leases alone are tried. */
export const STRICT_CUTS: Hunt = {
  name: "cuts, no failsafe",
  overrides: aim({ onArbiterLoss: "demote" }, { partitionMeanMs: 8 * LEASE_MS }),
};

export const DRIFT: Hunt = {
  name: "clocks at both ends of the drift",
  overrides: aim(
    {
      clockDrift: 0.2,
      onArbiterLoss: "demote",
      isLaunched: false,
      leaseMs: 10_000,
      killGraceMs: 0,
      drainMarginMs: 1,
      safetyMs: 3_000_000,
      workload: { hangProbability: 1 },
    },
    { pauseMeanMs: 40_000, lastsMs: 30_000 },
  ),
};

export const DRIFT_IN_FAILSAFE: Hunt = {
  name: "clocks at both ends of the drift, in failsafe",
  overrides: aim(
    {
      clockDrift: 0.2,
      isLaunched: false,
      leaseMs: 10_000,
      killGraceMs: 0,
      drainMarginMs: 1,
      safetyMs: 3_000_000,
      workload: { hangProbability: 1 },
    },
    { partitionMeanMs: 30_000, pauseMeanMs: 40_000, lastsMs: 40_000 },
  ),
};

export const SLOW_NETWORK: Hunt = {
  name: "messages that linger",
  overrides: aim(
    { network: { longDelayProbability: 0.15, duplicateProbability: 0.2 } },
    { partitionMeanMs: 8 * LEASE_MS, crashMeanMs: 10 * LEASE_MS, exitMeanMs: 10 * LEASE_MS },
  ),
};

export const SLOW_RESTARTS: Hunt = {
  name: "messages that linger, and crashes",
  overrides: aim(
    { network: { longDelayProbability: 0.2, duplicateProbability: 0.3 } },
    { crashMeanMs: 2 * LEASE_MS },
  ),
};

export const SLOW_EXITS: Hunt = {
  name: "messages that come twice, and programs that end",
  overrides: aim({ network: { duplicateProbability: 0.2 } }, { exitMeanMs: 4 * LEASE_MS }),
};

export const FROZEN_ARBITER: Hunt = {
  name: "cuts and frozen arbiters",
  overrides: aim(
    {},
    { partitionMeanMs: 8 * LEASE_MS, arbiterPauseMeanMs: 4 * LEASE_MS, lastsMs: 3 * LEASE_MS },
  ),
};

export const NEW_LEADERS: Hunt = {
  name: "cuts and leaders that die",
  overrides: aim(
    { arbiters: 2, arbiterLeaseMs: 500, onArbiterLoss: "demote" },
    { partitionMeanMs: 4 * LEASE_MS, arbiterCrashMeanMs: 4 * LEASE_MS },
  ),
};

/** Short leases and long leaderships: what two leaders grant at once shows. */
export const TWO_LEADERS: Hunt = {
  name: "leaders cut off from the store's other users",
  overrides: aim(
    {
      arbiters: 2,
      arbiterLeaseMs: 4000,
      leaseMs: 300,
      checkIntervalMs: 50,
      timeoutMs: 30,
      killGraceMs: 5,
      clockDrift: 0.2,
      onArbiterLoss: "demote",
      isLaunched: false,
      safetyMs: 600_000,
      store: { latencyMs: 2, slowProbability: 0.1, slowMs: 3000 },
    },
    { partitionMeanMs: 4000, lastsMs: 6000, arbiterPauseMeanMs: 8000 },
  ),
};

export const LEASES_CHANGE: Hunt = {
  name: "leases that get longer and shorter, and leaders that die",
  overrides: aim(
    { arbiters: 2, arbiterLeaseMs: 300, leaseMs: 10_000, onArbiterLoss: "demote", safetyMs: 1_200_000 },
    { partitionMeanMs: 15_000, lastsMs: 15_000, arbiterCrashMeanMs: 5000, editMeanMs: 8000 },
  ),
};

export const CANDIDATES_CHANGE: Hunt = {
  name: "candidates that come and go",
  overrides: aim(
    { masters: 1, spares: 3 },
    { partitionMeanMs: 3 * LEASE_MS, lastsMs: 6 * LEASE_MS, editMeanMs: 3 * LEASE_MS },
  ),
};

export const LATE_CANDIDATES: Hunt = {
  name: "candidates that are started late",
  overrides: aim(
    { masters: 1, spares: 2, lateStartMs: 20 * LEASE_MS },
    { partitionMeanMs: 4 * LEASE_MS, lastsMs: 8 * LEASE_MS, crashMeanMs: 10 * LEASE_MS },
  ),
};

export const CLONES: Hunt = {
  name: "machines under one name",
  overrides: aim(
    { spares: 2 },
    {
      cloneMeanMs: 6 * LEASE_MS,
      wipeMeanMs: 12 * LEASE_MS,
      partitionMeanMs: 6 * LEASE_MS,
      lastsMs: 4 * LEASE_MS,
    },
  ),
};

export const MOVING: Hunt = {
  name: "daemons that move",
  overrides: aim(
    { spares: 2 },
    { moveMeanMs: 5 * LEASE_MS, partitionMeanMs: 8 * LEASE_MS, exitMeanMs: 8 * LEASE_MS },
  ),
};

export const BAD_STORE: Hunt = {
  name: "a store that answers late or not at all",
  overrides: aim(
    {
      arbiters: 2,
      arbiterLeaseMs: 500,
      store: { latencyMs: 10, unknownProbability: 0.2, slowProbability: 0.2, slowMs: 4000 },
    },
    { exitMeanMs: 2 * LEASE_MS, arbiterPauseMeanMs: 6 * LEASE_MS, commandMeanMs: 4 * LEASE_MS },
  ),
};

export const STORE_OUTAGES: Hunt = { name: "a store that is mostly away", overrides: OUTAGES };
export const STORE_RESTORED: Hunt = {
  name: "a store restored from old copies",
  // Daemons may be away for a moment: what nobody could know then is beside the point here.
  overrides: { ...RESTORED, workload: {}, faults: { ...RESTORED.faults, stopMeanMs: 10 * LEASE_MS } },
};
export const MANY_OPERATORS: Hunt = { name: "operators who do a lot", overrides: OPERATORS };
export const SECOND_STORE: Hunt = { name: "a second arbiter with a store of its own", overrides: STRAY };

/** Everything that daemons know, and the store has forgotten. */
export const STORE_LOST: Hunt = {
  name: "a store that is emptied",
  overrides: aim(
    { losesStore: true, safetyMs: 100 * LEASE_MS },
    {
      exitMeanMs: 6 * LEASE_MS,
      partitionMeanMs: 8 * LEASE_MS,
      crashMeanMs: 12 * LEASE_MS,
      lastsMs: 6 * LEASE_MS,
    },
  ),
};

export const RENAMES: Hunt = {
  name: "services that are renamed",
  overrides: aim(
    { spares: 2 },
    {
      editMeanMs: LEASE_MS,
      partitionMeanMs: 8 * LEASE_MS,
      crashMeanMs: 12 * LEASE_MS,
      lastsMs: 4 * LEASE_MS,
    },
  ),
};

/** An edit may overtake the commit of an epoch. */
export const RENAMES_SLOW_STORE: Hunt = {
  name: "services that are renamed while the store is slow now and then",
  overrides: aim(
    { spares: 2, store: { latencyMs: 2, unknownProbability: 0, slowProbability: 0.2, slowMs: LEASE_MS } },
    { editMeanMs: LEASE_MS, exitMeanMs: LEASE_MS, lastsMs: 4 * LEASE_MS },
  ),
};

export const RENAMED_UNSEEN: Hunt = {
  name: "a service is renamed, and its holder's file taken away, while no arbiter sees it",
  attack: "renamed unseen",
  once: false,
};

/** Epochs are committed of which their holder never hears. */
export const RENAMES_UNHEARD: Hunt = {
  name: "services that are renamed while messages are lost and the store is slow",
  overrides: aim(
    {
      arbiters: 2,
      spares: 2,
      network: { ...QUIET.network, lossProbability: 0.3 },
      store: { latencyMs: 30, unknownProbability: 0.05, slowProbability: 0.2, slowMs: LEASE_MS },
    },
    { editMeanMs: LEASE_MS, exitMeanMs: 2 * LEASE_MS, crashMeanMs: 4 * LEASE_MS, lastsMs: 2 * LEASE_MS },
  ),
};

export const ORDERS: Hunt = {
  name: "operators who give many orders",
  overrides: aim(
    { masters: 2, spares: 2, store: { latencyMs: 30 } },
    { commandMeanMs: LEASE_MS / 8, partitionMeanMs: 12 * LEASE_MS, exitMeanMs: 8 * LEASE_MS },
  ),
};

export const LONELY: Hunt = {
  name: "a candidate is stopped, the holder cut off",
  attack: "lonely",
  once: false,
};
export const LONELY_POWER: Hunt = {
  name: "the same, and its power goes",
  attack: "lonely, and power",
  once: false,
};
export const BACK_AND_FORTH: Hunt = {
  name: "a candidate goes and comes, questions linger",
  attack: "back and forth",
  once: false,
};
export const MOVED_STATE: Hunt = {
  name: "another machine answers in its place",
  attack: "moved state",
  once: false,
};
export const FROZEN_LEADER: Hunt = {
  name: "a leader frozen with a beat on its way",
  attack: "frozen leader",
  once: false,
};
export const SPLIT: Hunt = {
  name: "leader and holder here, the store there",
  attack: "two leaders",
  once: false,
};
export const SPLIT_SLOWLY: Hunt = {
  name: "leader and holder here, a slow store there",
  attack: "two leaders, slow store",
  once: false,
};
export const SPLIT_RELEASED: Hunt = {
  name: "leader and holder here, the store there, the lead given up",
  attack: "two leaders, released",
  once: false,
};
export const SPLIT_PROMISED: Hunt = {
  name: "leader and holder here, the store there, the arbiters hear each other",
  attack: "two leaders, promised",
  once: false,
};
export const SPLIT_FRIEND: Hunt = {
  name: "leader, holder and a third arbiter here, the store there",
  attack: "two leaders, a friend's promise",
  once: false,
};
export const WITHOUT_STORE: Hunt = {
  name: "the leader alone, or nobody, reaches the store",
  attack: "without the store",
  once: false,
};
export const LOST_PAST_AND_COMMIT: Hunt = {
  name: "a store is restored, and what the leader finds out of it isn't written down",
  attack: "lost past, lost commit",
  once: false,
};
export const LOST_PAST_AND_LEADER: Hunt = {
  name: "a store is restored, and the leader that found it out dies",
  attack: "lost past, lost leader",
  once: false,
};
export const NEWCOMER: Hunt = {
  name: "an arbiter joins while the leader can't reach the store",
  attack: "newcomer",
  once: false,
};
export const STORIES: Hunt = { name: "the golden transcripts", attack: "transcripts", once: true };
export const LATE_RENEWAL: Hunt = {
  name: "a renewal with a new candidate comes late",
  attack: "late renewal",
  once: false,
};
export const LATE_RENEWAL_AND_ANSWER: Hunt = {
  name: "a renewal with a new candidate comes late, an answer later still",
  attack: "late renewal, later answer",
  once: false,
};

/** Everything happens, in a small cluster. */
export const BUSY: Hunt = {
  name: "a busy small cluster",
  overrides: aim(
    {
      arbiters: 2,
      arbiterLeaseMs: 500,
      spares: 2,
      failback: "auto",
      failbackDelayMs: LEASE_MS,
      activationTimeoutMs: 2 * LEASE_MS,
      drainTimeoutMs: LEASE_MS,
      safetyMs: 200 * LEASE_MS,
      workload: { activationMs: 300, failProbability: 0.15, hangProbability: 0.2, restartProbability: 0.4 },
      store: { unknownProbability: 0.03 },
    },
    {
      crashMeanMs: 10 * LEASE_MS,
      exitMeanMs: 8 * LEASE_MS,
      stopMeanMs: 15 * LEASE_MS,
      illMeanMs: 12 * LEASE_MS,
      partitionMeanMs: 8 * LEASE_MS,
      pauseMeanMs: 15 * LEASE_MS,
      arbiterCrashMeanMs: 15 * LEASE_MS,
      arbiterPauseMeanMs: 20 * LEASE_MS,
      storeDownMeanMs: 25 * LEASE_MS,
      commandMeanMs: 3 * LEASE_MS,
    },
  ),
};

/** Nothing is stopped before its lease's end, so that each millisecond shows. */
const LAST_MOMENT = {
  isLaunched: false,
  killGraceMs: 0,
  drainMarginMs: 1,
  workload: { hangProbability: 1 },
} as const;

export const PROMISED_EDGE: Hunt = {
  name: "cuts, and holders that work to the last moment",
  overrides: aim(
    { ...LAST_MOMENT },
    { partitionMeanMs: 5 * LEASE_MS, pauseMeanMs: 10 * LEASE_MS, lastsMs: 2 * LEASE_MS },
  ),
};

export const SLOW_ANSWERS: Hunt = {
  name: "answers that take their time, and holders that work to the last moment",
  overrides: aim(
    { ...LAST_MOMENT, network: { longDelayProbability: 0.4, longDelayMs: 600 } },
    { partitionMeanMs: 4 * LEASE_MS, lastsMs: 2 * LEASE_MS },
  ),
};

export const HANGING: Hunt = {
  name: "cuts, no failsafe, and programs that don't stop",
  overrides: aim(
    { onArbiterLoss: "demote", workload: { hangProbability: 1 } },
    { partitionMeanMs: 8 * LEASE_MS },
  ),
};

export const SLOW_STARTS: Hunt = {
  name: "programs that take longer than a lease to start, sometimes too long",
  overrides: aim(
    { arbiters: 2, spares: 2, activationTimeoutMs: 2 * LEASE_MS, workload: { activationMs: 1.5 * LEASE_MS } },
    {
      partitionMeanMs: 2 * LEASE_MS,
      exitMeanMs: 3 * LEASE_MS,
      arbiterCrashMeanMs: 8 * LEASE_MS,
      commandMeanMs: 2 * LEASE_MS,
    },
  ),
};

export const CROWDED: Hunt = {
  name: "three services, and one spare for all",
  overrides: aim({ masters: 3, spares: 1 }, { crashMeanMs: 4 * LEASE_MS, exitMeanMs: 2 * LEASE_MS }),
};

export const SLOW_AND_ILL: Hunt = {
  name: "messages that linger for a moment, and daemons that come and go in their health",
  overrides: aim(
    { network: { longDelayProbability: 0.4, longDelayMs: 250 } },
    { exitMeanMs: 2 * LEASE_MS, illMeanMs: LEASE_MS / 2, lastsMs: LEASE_MS / 8 },
  ),
};

/** The store takes so long that a leader often dies before it has heard from it. */
export const LONGER_UNWRITTEN: Hunt = {
  name: "leases get longer, and before that is written the holder is cut off",
  attack: "longer, unwritten",
  once: false,
};
