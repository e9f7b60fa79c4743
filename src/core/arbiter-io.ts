/**
 * What goes into an arbiter's core and what comes out of it.
 *
 * Every event carries `nowMs` (the process's monotonic clock that counts sleep) and `wallMs` (for
 * people's eyes). Effects are data; the shell runs them in the order given. An effect that has a
 * result brings it back as an event. Order that matters is written on the effect's type.
 */
import type { ArbiterPromiseAnswer, ArbiterPromiseRequest, Assignment, Report } from "./messages.ts";
import type {
  ClusterModel,
  EventDraft,
  LeadershipRecord,
  LoggedEvent,
  ServiceRow,
  Settings,
} from "./model.ts";

/** Why a check brought no report. */
export type CheckFailure =
  /** No answer within `timeout`. */
  | "timeout"
  /** Nobody listens at the port: a hint that the process is gone, never proof. */
  | "refused"
  /** A *reused* connection was reset before the first byte of an answer: repeated, not counted. */
  | "stale-connection"
  /** The connection broke. */
  | "reset"
  /** No route, no such host, TLS failure and the like. */
  | "unreachable"
  /** Something answered that is no report of this protocol. */
  | "invalid"
  /** A report under another name, or of another cluster. */
  | "wrong-daemon"
  /** The daemon wants another token. */
  | "unauthorized"
  /** This machine's own limits (files, ports, memory): says nothing of the daemon; not counted. */
  | "exhausted";

export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

export type OperatorCommand =
  | {
      readonly verb: "switchover" | "failover" | "failback";
      readonly service: string;
      readonly to: string | null;
      readonly force: boolean;
      readonly evenIfAlive: boolean;
    }
  | {
      readonly verb: "pause";
      readonly service: string | null;
      readonly reason: string;
      readonly forMs: number | null;
    }
  | { readonly verb: "resume"; readonly service: string | null }
  | { readonly verb: "maintenance"; readonly daemon: string; readonly on: boolean; readonly reason: string }
  /** Daemons joined or left: all that have joined, and the model with them. */
  | {
      readonly verb: "members";
      readonly daemon: string;
      readonly joined: Settings["joined"];
      readonly model: ClusterModel;
      /** Of the event. */
      readonly type: string;
      readonly text: string;
    }
  /** Switch over to a spare and back; `to` null: the first that is ready. `holdMs` null: the default. */
  | {
      readonly verb: "drill";
      readonly service: string;
      readonly to: string | null;
      readonly holdMs: number | null;
    }
  /** These have a schedule for drills: from when on they may be overdue is remembered. */
  | { readonly verb: "remember-drills"; readonly services: readonly string[] }
  /** Stop in good order: nothing more is assigned, then the record says `released`. */
  | { readonly verb: "release" }
  /** The former leader is gone for good: this arbiter leads, although the record keeps it from it. */
  | { readonly verb: "claim" }
  /** Hand the lead over and stand by; null: whoever is next in line. */
  | { readonly verb: "transfer"; readonly to: string | null };

/** A configuration version, committed before it is applied. */
export interface ConfigurationVersion {
  readonly version: number;
  readonly hash: string;
  readonly atWallMs: number;
  readonly by: string;
  /** Path to content, so that a version can be rolled back. */
  readonly files: Readonly<Record<string, string>>;
}

/** All or nothing; refused as fenced unless `term` leads and each row has the epoch expected. */
export interface Commit {
  readonly commitId: number;
  readonly term: number;
  readonly changes: readonly { readonly row: ServiceRow; readonly expectedEpoch: number }[];
  readonly settings: Settings | null;
  readonly configuration: ConfigurationVersion | null;
  readonly events: readonly EventDraft[];
  /** The revision that it makes, if it makes one, is above this: versions never go back (I8). */
  readonly revisionAbove?: number;
  /** Small documents of the leader's own, by name; each replaces the one before it. (Default: none) */
  readonly notes?: Readonly<Record<string, string>>;
}

export type ArbiterEvent = Moment &
  (
    | { readonly kind: "started" }
    /** The timer of this key came due (it may be late, never early). */
    | { readonly kind: "timerFired"; readonly key: string }
    /** The process itself was late by this much: what timed out meanwhile is repeated, not counted. */
    | { readonly kind: "stalled"; readonly lateMs: number }
    | {
        readonly kind: "reported";
        readonly report: Report;
        /** An answer to a check of ours, or unasked. */
        readonly via: "check" | "unasked";
        /** When the request was sent that this answers; null when unasked. */
        readonly sentAtMs: number | null;
        /** The daemon took nothing of the assignment that this answers: a later one was there first. */
        readonly isOutdated?: boolean;
      }
    | {
        readonly kind: "checkFailed";
        readonly daemon: string;
        readonly sentAtMs: number;
        readonly cause: CheckFailure;
        readonly detail: string;
      }
    /** A kept-alive connection closed: a hint to check at once. */
    | { readonly kind: "connectionClosed"; readonly daemon: string }
    /** Answer to `readLeadership`; null: the store is empty. */
    | { readonly kind: "leadershipRead"; readonly record: LeadershipRecord | null }
    /** Answer to `campaign`. `record` is what the store holds now. */
    | {
        readonly kind: "campaigned";
        readonly won: boolean;
        readonly record: LeadershipRecord | null;
        /** When the call began: a beat's validity counts from there. */
        readonly beganAtMs: number;
      }
    | {
        readonly kind: "storeFailed";
        readonly what: "leadership" | "campaign" | "load";
        readonly detail: string;
      }
    | {
        readonly kind: "loaded";
        readonly term: number;
        readonly revision: number;
        readonly rows: readonly ServiceRow[];
        readonly settings: Settings;
        /** The newest configuration version in the store; null: none yet. */
        readonly configuration: ConfigurationVersion | null;
        /**
         * What to lead with, where that isn't what was read from the files: they are older than the
         * committed version, or daemons have joined. Null: what was read.
         */
        readonly inForce?: {
          readonly model: ClusterModel;
          readonly configuration: ConfigurationVersion;
        } | null;
      }
    | {
        readonly kind: "committed";
        readonly commitId: number;
        readonly revision: number;
        readonly events: readonly LoggedEvent[];
      }
    | {
        readonly kind: "commitFailed";
        readonly commitId: number;
        /** fenced: refused, another leads. refused: certainly not applied. unknown: maybe applied. */
        readonly outcome: "fenced" | "refused" | "unknown";
        readonly detail: string;
      }
    /** A valid configuration was read. */
    | {
        readonly kind: "configured";
        readonly model: ClusterModel;
        readonly configuration: ConfigurationVersion;
        /** The plan's lines, for the event. */
        readonly plan: readonly string[];
      }
    /** An edit was refused as a whole (I6). */
    | { readonly kind: "configRefused"; readonly errors: readonly string[] }
    /** `config_sync = enforce`: whether this arbiter's files differ from the committed version. */
    | { readonly kind: "driftJudged"; readonly yieldsLead: boolean }
    | {
        readonly kind: "commanded";
        readonly id: string;
        readonly by: string;
        /** Where it came from, for the event alone. */
        readonly origin?: Readonly<Record<string, string>>;
        readonly command: OperatorCommand;
        /** Of a failover that had to wait: the epoch that it was about when it came. (Default: the present one) */
        readonly aboutEpoch?: number;
      }
    /** A leader asks this arbiter not to lead for a while; answered by `answerArbiterPromise`. */
    | {
        readonly kind: "arbiterPromiseAsked";
        readonly id: string;
        readonly request: ArbiterPromiseRequest;
      }
    /** What came of `askArbiterPromise`; null: no answer, which is no promise. */
    | {
        readonly kind: "arbiterPromiseAnswered";
        readonly arbiter: string;
        readonly answer: ArbiterPromiseAnswer | null;
      }
    /** Answer to `touchStore`. */
    | { readonly kind: "storeTouched"; readonly isWritten: boolean; readonly beganAtMs: number }
    /** A daemon or a standby has a cluster map of this version. */
    | { readonly kind: "mapSeen"; readonly version: number }
    /** Another process wrote into the store: a hint to look. */
    | { readonly kind: "storeChanged" }
    /** The shell's calendar: a `failback_window` has opened. Every arbiter hears it, leading or not. */
    | { readonly kind: "windowOpened"; readonly window: string; readonly forMs: number }
    /** What came of `askOpinion`; null: no answer. */
    | {
        readonly kind: "opinionGiven";
        readonly arbiter: string;
        readonly opinion: { readonly reached: number; readonly of: number } | null;
      }
    /** Another part of the process has something for the log (retention, alerts, security). */
    | { readonly kind: "noted"; readonly event: EventDraft }
  );

export type ArbiterEffect =
  /**
   * Send it now. The epochs in it are committed already (I2): the core emits this only from the
   * `committed` event on.
   */
  | {
      readonly kind: "assign";
      readonly daemon: string;
      readonly url: string;
      readonly assignment: Assignment;
      readonly timeoutMs: number;
      /** Open a new connection for it (after a hint, a reset, a refusal). */
      readonly fresh: boolean;
    }
  | { readonly kind: "commit"; readonly commit: Commit }
  /** Events without a change of state: appended under the term, retried in order while the store is away. */
  | { readonly kind: "record"; readonly term: number; readonly events: readonly EventDraft[] }
  /** Replaces the timer of this key; null cancels it. */
  | { readonly kind: "timer"; readonly key: string; readonly atMs: number | null }
  | { readonly kind: "readLeadership" }
  | { readonly kind: "campaign"; readonly expected: LeadershipRecord | null; readonly next: LeadershipRecord }
  /** Writes the record as it is, to see whether the store takes writes; answered by `storeTouched`. */
  | { readonly kind: "touchStore"; readonly record: LeadershipRecord }
  | { readonly kind: "load"; readonly term: number }
  | { readonly kind: "answer"; readonly id: string; readonly answer: CommandAnswer }
  | {
      readonly kind: "askArbiterPromise";
      readonly arbiter: string;
      readonly url: string;
      readonly request: ArbiterPromiseRequest;
      readonly timeoutMs: number;
    }
  /** Whether that arbiter reaches these daemons: this one has begun to doubt itself. */
  | {
      readonly kind: "askOpinion";
      readonly arbiter: string;
      readonly url: string;
      readonly daemons: readonly string[];
      readonly timeoutMs: number;
    }
  | { readonly kind: "answerArbiterPromise"; readonly id: string; readonly answer: ArbiterPromiseAnswer }
  /** A transition: one line of the journal. */
  | { readonly kind: "journal"; readonly entry: JournalEntry }
  /** The cluster map or the status changed: whoever follows it may look. */
  | { readonly kind: "changed"; readonly mapVersion: number }
  /** A daemon left the configuration and holds nothing: close its connections. */
  | { readonly kind: "forget"; readonly daemon: string }
  /** The record says `released`: the process may end. */
  | { readonly kind: "released" };

export interface CommandAnswer {
  /** HTTP status: 202, 404, 409, 503. */
  readonly status: number;
  /** What happened and what to do. */
  readonly text: string;
  /** The event that records the command; null when it was refused. */
  readonly eventSeq: number | null;
}

export interface JournalEntry {
  readonly atMs: number;
  readonly atWallMs: number;
  readonly service: string;
  readonly row: number;
  readonly from: string;
  readonly to: string;
  readonly because: string;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly cleared: number;
  readonly term: number;
  readonly epoch: number;
  readonly event: string;
}
