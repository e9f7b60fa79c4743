/**
 * What goes into a daemon's core and what comes out of it. The same for a daemon built on the
 * library and for a launcher: only who carries out `activate`, `demote` and `fence` differs.
 *
 * Every event carries `nowMs`: the daemon's monotonic clock that counts sleep.
 */
import type { Assignment, Candidate, PromiseAnswer, PromiseRequest, Report } from "./messages.ts";

/** What a daemon must still know after a restart; written to its state folder. */
export interface DaemonMemory {
  /** null: it has never been assigned anything. */
  readonly clusterId: string | null;
  readonly term: number;
  /** The longest promise it ever gave: for so long it refuses, after a start, what rests on expiry. */
  readonly longestPromiseMs: number;
  readonly seenEpochs: Readonly<Record<string, number>>;
  readonly arbiters: readonly { readonly name: string; readonly url: string }[];
  /** Left behind when it left in good order; see daemon-farewell. */
  readonly endless?: readonly EndlessPromise[];
}

/** "I shall not activate this service until its holder has asked me again, or its epoch is over." */
export interface EndlessPromise {
  readonly service: string;
  readonly epoch: number;
  readonly holder: string;
  /** Of asking, in which it was given: nothing that was sent before ends it. */
  readonly round: number;
}

export type DaemonEvent = { readonly nowMs: number } & (
  | { readonly kind: "started" }
  | { readonly kind: "assigned"; readonly requestId: string; readonly assignment: Assignment }
  | { readonly kind: "promiseAsked"; readonly requestId: string; readonly request: PromiseRequest }
  /** The answer of a fellow candidate; null: unreachable, which is no promise. */
  | {
      readonly kind: "promiseAnswered";
      readonly service: string;
      readonly epoch: number;
      readonly round: number;
      readonly candidate: Candidate;
      readonly answer: PromiseAnswer | null;
    }
  /** `activate` has finished: the service runs and is healthy. */
  | { readonly kind: "activated"; readonly service: string; readonly epoch: number }
  /** `activate` failed and what it had begun has been cleaned up: nothing of it runs any more. */
  | {
      readonly kind: "activationFailed";
      readonly service: string;
      readonly epoch: number;
      readonly reason: string;
    }
  /** `demote` has finished, or the command's process group is empty. */
  | { readonly kind: "demoted"; readonly service: string; readonly epoch: number }
  /** The program ended by itself and its process group is empty: proof of death. */
  | { readonly kind: "exited"; readonly service: string; readonly epoch: number; readonly reason: string }
  /** A restart in place has begun, in the same epoch and lease. */
  | { readonly kind: "restarting"; readonly service: string; readonly epoch: number; readonly reason: string }
  | {
      readonly kind: "healthChanged";
      readonly healthy: boolean;
      readonly ready: boolean;
      readonly reason: string;
    }
  /** SIGTERM, `arbiter daemon stop`: drain, say so, leave. */
  | { readonly kind: "stopRequested"; readonly reason: string }
  /** The `persist` effect with this token is on disk. */
  | { readonly kind: "persisted"; readonly token: number }
  | { readonly kind: "timerFired" }
);

/** Why an assignment was refused as a whole; the HTTP answer is problem+json around the report. */
export type AssignmentProblem = "outdated" | "other-cluster" | "not-addressed";

export type DaemonEffect =
  | {
      readonly kind: "answer";
      readonly requestId: string;
      readonly problem: { readonly code: AssignmentProblem; readonly text: string } | null;
      readonly report: Report;
    }
  | { readonly kind: "answerPromise"; readonly requestId: string; readonly answer: PromiseAnswer }
  /**
   * The lease's end as it is now: handed to the lease object, the watch and the guard *before* the
   * effects that follow it. `fenceAtMs` is `kill_grace` earlier.
   */
  | {
      readonly kind: "leaseSet";
      readonly service: string;
      readonly epoch: number;
      readonly leaseEndMs: number;
      readonly fenceAtMs: number;
    }
  | {
      readonly kind: "activate";
      readonly service: string;
      readonly epoch: number;
      readonly leaseEndMs: number;
      readonly config: Readonly<Record<string, string>>;
    }
  /** Stop working; what is left at `deadlineMs` is fenced. Answered by `demoted`. */
  | {
      readonly kind: "demote";
      readonly service: string;
      readonly epoch: number;
      readonly reason: string;
      readonly deadlineMs: number;
    }
  /** End it at once: a library daemon's process exits with code 70, a command's group gets SIGKILL. */
  | { readonly kind: "fence"; readonly service: string; readonly epoch: number; readonly reason: string }
  | {
      readonly kind: "askPromise";
      readonly candidate: Candidate;
      readonly request: PromiseRequest;
      readonly timeoutMs: number;
    }
  /**
   * Write to the state folder. With `token` not null: sync to disk, then `persisted`; the promise
   * that waits for it is given only after that.
   */
  | { readonly kind: "persist"; readonly token: number | null; readonly memory: DaemonMemory }
  /** To every known arbiter, unasked. */
  | { readonly kind: "sendReport"; readonly report: Report }
  /** The one timer; null cancels it. */
  | { readonly kind: "timer"; readonly atMs: number | null }
  /** Nothing is held any more: the process may end once its last report has been delivered. */
  | { readonly kind: "left" }
  /** For the daemon's log. */
  | { readonly kind: "log"; readonly level: "info" | "warn"; readonly text: string };

/** Settings of a daemon's own, from its file or from its author. */
export interface DaemonOptions {
  readonly name: string;
  readonly stateId: string;
  readonly bootId: string;
  readonly type: string;
  readonly role: "master" | "spare";
  readonly launched: boolean;
  /** null, here and below: as the assignment says, else derived from the lease. */
  readonly onArbiterLoss: "failsafe" | "demote" | "hold" | null;
  readonly drainMarginMs: number | null;
  readonly killGraceMs: number | null;
  readonly drainTimeoutMs: number | null;
  readonly configVersion: string;
  /** (Default: empty, it doesn't say.) */
  readonly ownConfig?: string;
  readonly dataVersion: number;
}

/** The one thing the core can't do by itself: a tag that only this boot can make. Must be pure. */
export interface DaemonEnvironment {
  readonly tagOf: (text: string) => string;
}
