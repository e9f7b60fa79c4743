/** What a fault is, and the bounds of the model's table at the fast profile, from which its own is made. */
import type { Cluster, Kind } from "./cluster.ts";

export type FaultClass = "freeze" | "kill" | "stop" | "disk" | "storm";

export interface Fault {
  readonly kind: Kind;
  readonly what: string;
  /** Whether it is done to the arbiter, which both services share. */
  readonly hitsArbiter: boolean;
  /** The longest time without an act if nothing else happens. */
  readonly boundMs: number;
  /** Counted from when it is healed and whoever was ended is back: nobody may have been left. (Default: from its beginning) */
  readonly isFromTheEnd?: boolean;
  /** Carries it out and heals it. */
  run(cluster: Cluster): Promise<void>;
}

/** The fast profile's. */
const LEASE_MS = 300;
const CLOCK_DRIFT = 0.01;
const CLOCK_SLACK_MS = 20;
/** Two messages, one commit, and the start of the program. */
export const A_FEW_ROUND_TRIPS_MS = 60;
export const SILENCE_MS: number = LEASE_MS * (1 + CLOCK_DRIFT) + CLOCK_SLACK_MS + A_FEW_ROUND_TRIPS_MS;
/** After the last fault is healed: a lease, a reboot's refusal of as much, a back-off. */
export const RECOVERY_MS: number = 2 * SILENCE_MS + 1000;
/** A daemon's start on a machine that is busy. */
export const RESTART_MS = 2000;
