/**
 * One service as the leader sees it: which event moves it from which phase to which, and why.
 *
 * `service.ts` turns what is known (reports, checks, clocks, orders) into one of these events;
 * this table alone says what it means. Every cell is a row, `"ignore"` (it changes nothing) or
 * `"impossible"` (the guards can't produce it: seeing it is a programming error). Row ids are
 * stable, with gaps; they stand in the journal and in `arbiter explain`.
 */
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
/** A missing cell doesn't compile. */
type Table = Readonly<Record<ServicePhase, Readonly<Record<ServiceEvent, Cell>>>>;

const row = (
  id: number,
  to: ServicePhase,
  because: string,
  effects: readonly ServiceEffect[],
  event: string | null,
): ServiceTransition => ({ id, to, because, effects, event });

export const SERVICE_TABLE: Table = {
  vacant: {
    goodReport: row(
      110,
      "held",
      "the holder of the stored epoch reports itself active: it went on without an arbiter",
      [],
      "service.adopted",
    ),
    startingReport: row(
      111,
      "activating",
      "the holder of the stored epoch reports itself activating",
      [],
      "service.adopted",
    ),
    restartedInPlace: "ignore",
    restartDone: "ignore",
    drainingReport: "ignore",
    provenOver: row(
      112,
      "vacant",
      "the former holder's report proves that its epoch is over",
      ["raiseCleared"],
      null,
    ),
    unknownHolder: row(
      113,
      "activating",
      "a daemon holds it at an epoch that the store doesn't know; it is adopted",
      ["commitAdoption"],
      "service.adopted",
    ),
    checkFailed: "ignore",
    silent: "ignore",
    boundPassed: "impossible",
    candidateReady: row(
      100,
      "activating",
      "an eligible candidate exists and every better one has answered or is silent",
      ["commitHolder"],
      "service.activating",
    ),
    moveWanted: "ignore",
    overdue: "impossible",
    commitRefused: "impossible",
    failoverOrdered: "ignore",
    declaredDead: row(
      114,
      "vacant",
      "an operator declared the former holder dead",
      ["clearByOrder"],
      "service.declared-dead",
    ),
  },
  activating: {
    goodReport: row(
      200,
      "held",
      "it reports the service active at its epoch",
      ["measureGap"],
      "service.held",
    ),
    startingReport: "ignore",
    restartedInPlace: "ignore",
    restartDone: "ignore",
    drainingReport: "ignore",
    provenOver: row(
      210,
      "fencing",
      "its report proves that it doesn't hold the epoch: it failed, refused or restarted",
      ["backOff", "unwant"],
      "service.activation-failed",
    ),
    unknownHolder: "ignore",
    checkFailed: "ignore",
    silent: row(
      211,
      "fencing",
      "it fell silent while activating: max_check_attempts checks failed",
      ["countLoss", "awaitSilent"],
      "service.fencing",
    ),
    boundPassed: "impossible",
    candidateReady: "impossible",
    moveWanted: "ignore",
    overdue: row(
      212,
      "fencing",
      "activation_timeout passed",
      ["countLoss", "backOff", "unwant"],
      "service.activation-failed",
    ),
    commitRefused: row(
      220,
      "vacant",
      "the store didn't take the commit; nothing was assigned",
      [],
      "service.commit-refused",
    ),
    failoverOrdered: row(
      230,
      "fencing",
      "an operator ordered a failover",
      ["countLoss", "unwant"],
      "service.fencing",
    ),
    declaredDead: row(
      231,
      "vacant",
      "an operator declared the holder dead",
      ["countLoss", "clearByOrder"],
      "service.declared-dead",
    ),
  },
  held: {
    goodReport: "ignore",
    startingReport: "ignore",
    restartedInPlace: row(
      310,
      "held",
      "the holder restarts it in place, in the same epoch",
      [],
      "service.restarting",
    ),
    restartDone: row(312, "held", "the restart in place has succeeded", [], "service.restarted"),
    drainingReport: row(
      311,
      "handing-over",
      "the holder drains of its own accord",
      ["drain"],
      "service.handing-over",
    ),
    provenOver: row(
      320,
      "vacant",
      "the holder's report proves that it doesn't hold it any more",
      ["raiseCleared", "countLoss"],
      "service.vacant",
    ),
    unknownHolder: "ignore",
    checkFailed: row(330, "suspect", "a check of the holder failed", ["checkNow"], "service.suspect"),
    silent: "impossible",
    boundPassed: "impossible",
    candidateReady: "impossible",
    moveWanted: row(
      340,
      "handing-over",
      "a planned move: the holder is asked to drain",
      ["drain"],
      "service.handing-over",
    ),
    overdue: "impossible",
    commitRefused: "impossible",
    failoverOrdered: row(
      350,
      "fencing",
      "an operator ordered a failover",
      ["countLoss", "unwant"],
      "service.fencing",
    ),
    declaredDead: row(
      351,
      "vacant",
      "an operator declared the holder dead",
      ["countLoss", "clearByOrder"],
      "service.declared-dead",
    ),
  },
  suspect: {
    goodReport: row(400, "held", "the holder answered and holds it", [], "service.held"),
    startingReport: row(401, "activating", "the holder answered and is activating it", [], null),
    restartedInPlace: "ignore",
    restartDone: "ignore",
    drainingReport: row(
      402,
      "handing-over",
      "the holder answered and is draining",
      ["drain"],
      "service.handing-over",
    ),
    provenOver: row(
      410,
      "vacant",
      "the holder's report proves that it doesn't hold it any more",
      ["raiseCleared", "countLoss"],
      "service.vacant",
    ),
    unknownHolder: "ignore",
    checkFailed: "ignore",
    silent: row(
      420,
      "fencing",
      "max_check_attempts checks of the holder failed: renewals end",
      ["awaitSilent", "checkNow"],
      "service.fencing",
    ),
    boundPassed: "impossible",
    candidateReady: "impossible",
    moveWanted: "ignore",
    overdue: "impossible",
    commitRefused: "impossible",
    failoverOrdered: row(
      450,
      "fencing",
      "an operator ordered a failover",
      ["countLoss", "unwant"],
      "service.fencing",
    ),
    declaredDead: row(
      451,
      "vacant",
      "an operator declared the holder dead",
      ["countLoss", "clearByOrder"],
      "service.declared-dead",
    ),
  },
  fencing: {
    goodReport: row(
      500,
      "held",
      "the holder answered, and still holds it with a lease of its own",
      [],
      "service.held",
    ),
    startingReport: row(501, "activating", "the holder answered and is activating it", [], null),
    restartedInPlace: "ignore",
    restartDone: "ignore",
    drainingReport: "ignore",
    provenOver: row(
      510,
      "vacant",
      "a report proves that the holder let go",
      ["raiseCleared", "countLoss"],
      "service.vacant",
    ),
    unknownHolder: "ignore",
    checkFailed: "ignore",
    silent: "ignore",
    boundPassed: row(
      520,
      "vacant",
      "every lease that may be outstanding has ended, and an eligible candidate exists",
      ["countLoss"],
      "service.vacant",
    ),
    candidateReady: "impossible",
    moveWanted: "ignore",
    overdue: "impossible",
    commitRefused: "impossible",
    failoverOrdered: row(
      550,
      "fencing",
      "an operator ordered a failover: the holder isn't wanted any more",
      ["unwant"],
      null,
    ),
    declaredDead: row(
      551,
      "vacant",
      "an operator declared the holder dead",
      ["countLoss", "clearByOrder"],
      "service.declared-dead",
    ),
  },
  "handing-over": {
    goodReport: "ignore",
    startingReport: "ignore",
    restartedInPlace: "ignore",
    restartDone: "ignore",
    drainingReport: "ignore",
    provenOver: row(
      600,
      "vacant",
      "the holder's report proves that it let go",
      ["raiseCleared"],
      "service.vacant",
    ),
    unknownHolder: "ignore",
    checkFailed: "ignore",
    silent: row(620, "fencing", "the holder fell silent while draining", ["awaitSilent"], "service.fencing"),
    boundPassed: "impossible",
    candidateReady: "impossible",
    moveWanted: "ignore",
    overdue: row(610, "fencing", "drain_timeout passed: renewals end", ["unwant"], "service.fencing"),
    commitRefused: "impossible",
    failoverOrdered: row(
      650,
      "fencing",
      "an operator ordered a failover",
      ["countLoss", "unwant"],
      "service.fencing",
    ),
    declaredDead: row(
      651,
      "vacant",
      "an operator declared the holder dead",
      ["countLoss", "clearByOrder"],
      "service.declared-dead",
    ),
  },
};

export function cell(phase: ServicePhase, event: ServiceEvent): Cell {
  return SERVICE_TABLE[phase][event];
}
