/** The words of the service table: what can happen, and what follows. */
import type { ServicePhase } from "./arbiter-state.ts";

export type ServiceEvent =
  /** The committed boot reports the service active at the committed epoch. */
  | "goodReport"
  /** It reports it activating at that epoch. */
  | "startingReport"
  /** It reported active before and says activating now: a restart in place. */
  | "restartedInPlace"
  /** It reports it active again after that. */
  | "restartDone"
  /** It reports it draining at that epoch. */
  | "drainingReport"
  /** A report proves that it doesn't hold the committed epoch. */
  | "provenOver"
  /** A daemon holds it at a higher epoch than the store knows: the store lost its past. */
  | "unknownHolder"
  /** At least one check of the holder has failed. */
  | "checkFailed"
  /** `max_check_attempts` checks of the holder have failed. */
  | "silent"
  /** Every lease has ended for sure, and an eligible candidate, asked after that, is free of promises. */
  | "boundPassed"
  /** The same of a service that left the configuration, which is given to nobody. */
  | "leasesOver"
  /** An eligible candidate exists, and each better one has answered or is silent. */
  | "candidateReady"
  /** A planned move is due: see `moveReason`. */
  | "moveWanted"
  /** `activation_timeout` or `drain_timeout` has passed. */
  | "overdue"
  /** The store didn't take the commit. */
  | "commitRefused"
  /** An operator wants it fenced. */
  | "failoverOrdered"
  /** An operator says that the old holder is dead. */
  | "declaredDead";

export type ServiceEffect =
  /** Choose the holder and commit holder, boot, epoch + 1 and candidates; assigned once committed. */
  | "commitHolder"
  /** Take over the holder that a report shows, at its own epoch. */
  | "commitAdoption"
  /** `cleared` rises as far as the proof goes. */
  | "raiseCleared"
  /** `cleared` rises because an operator said so. */
  | "clearByOrder"
  /** `cleared` rises because time has passed: nobody holds it, and nobody is to be given it. */
  | "clearByTime"
  /** Renewals go on with `drain: true`. */
  | "drain"
  /** Renewals end; the holder keeps it if it answers in good order. */
  | "awaitSilent"
  /** Renewals end and the daemon is told that it isn't wanted. */
  | "unwant"
  /** The daemon's loss counts against it for `failure_timeout`. */
  | "countLoss"
  /** No new activation on this daemon for a while (1 s, doubling). */
  | "backOff"
  /** The move is over: measure and say the gap. */
  | "measureGap"
  /** Ask every candidate afresh. */
  | "checkNow";

export interface ServiceTransition {
  readonly id: number;
  readonly to: ServicePhase;
  readonly because: string;
  readonly effects: readonly ServiceEffect[];
  /** Type of the event in the log; null: none (nothing that an operator would look for). */
  readonly event: string | null;
}

export type Cell = ServiceTransition | "ignore" | "impossible";
