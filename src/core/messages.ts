/**
 * The two messages of the protocol, assignment and report, and the promise of failsafe, as they
 * stand on the wire. `protocol` reads them from JSON with guards; both cores use them as they are.
 */
import type { Candidate, CandidateSet } from "./model.ts";

export const PROTOCOL = 1;

export type DaemonPhase = "waiting" | "activating" | "active" | "draining" | "failed" | "leaving";

export interface ArbiterAddress {
  readonly name: string;
  readonly url: string;
}

/** What the arbiter wants of a daemon for one service. */
export interface ServiceAssignment {
  readonly service: string;
  readonly epoch: number;
  /** The assignment rests on proof when this is `epoch - 1`, else on expiry. */
  readonly cleared: number;
  /** The boot that the epoch was committed for: another refuses it. */
  readonly bootId: string;
  readonly leaseMs: number;
  readonly drain: boolean;
  readonly candidates: CandidateSet;
  /** The service's settings, for daemons that have no file of their own. */
  readonly config: Readonly<Record<string, string>>;
}

/** `PUT /v1/assignment`. Level-triggered: a service that isn't listed isn't wanted. */
export interface Assignment {
  readonly protocol: number;
  readonly clusterId: string;
  /** The daemon's name: an answer under another one is a failed check. */
  readonly to: string;
  readonly leader: ArbiterAddress;
  readonly arbiters: readonly ArbiterAddress[];
  readonly term: number;
  /** Rises with every assignment of a term; ordered as (term, seq). */
  readonly seq: number;
  readonly mapVersion: number;
  readonly clockDrift: number;
  /** The newest nonce that the arbiter received from this daemon; null: none yet. */
  readonly nonce: string | null;
  /** null: a probe, which changes nothing. */
  readonly services: readonly ServiceAssignment[] | null;
}

export interface ServiceReport {
  readonly service: string;
  readonly epoch: number;
  readonly state: "activating" | "active" | "draining";
  readonly leaseRemainingMs: number;
  /** Version of the candidate set that the holder has taken. */
  readonly candidatesVersion: number;
}

export interface PromiseReport {
  readonly service: string;
  readonly epoch: number;
  /** Who was promised to; empty: it doesn't say. */
  readonly holder: string;
  /** What is left of it; null: without end. */
  readonly forMs: number | null;
}

/** Why a daemon didn't take one service of an assignment. */
export interface Refusal {
  readonly service: string;
  readonly epoch: number;
  readonly because: RefusalReason;
}
export type RefusalReason =
  /** It was committed for another boot: refused for good. */
  | "other-boot"
  /** This or a higher epoch has been seen: refused for good. */
  | "old-epoch"
  /** A live promise to a holder in failsafe. Not a failure. */
  | "promised"
  /** Its start was too recent to rest on expiry. Not a failure. */
  | "young"
  /** It still winds up an older epoch of the service. Not a failure. */
  | "busy"
  /** The nonce is missing, too old or of another boot: no lease came with it. Not a failure. */
  | "no-lease"
  /** The daemon leaves or has failed. */
  | "leaving";

/** What a daemon says of itself: the answer to an assignment, or unasked. */
export interface Report {
  readonly protocol: number;
  /** null before the first assignment. */
  readonly clusterId: string | null;
  readonly name: string;
  /** The daemon is its name and this. */
  readonly stateId: string;
  readonly type: string;
  readonly role: "master" | "spare";
  /** One start of the daemon. */
  readonly bootId: string;
  /** Rises with every report of a boot. */
  readonly seq: number;
  /** `boot.issuedMs.tag`; empty where none is issued (`GET /health`). */
  readonly nonce: string;
  /** Highest term seen. */
  readonly term: number;
  readonly state: DaemonPhase;
  readonly healthy: boolean;
  readonly ready: boolean;
  readonly reason: string;
  /** Whether a launcher runs a command here. */
  readonly launched: boolean;
  /** Hash of the whole folder that it was started with; empty: it has its own file alone, or none. */
  readonly configVersion: string;
  /** Hash of what its process reads from its own file (`command`, hooks, …). (Default: it doesn't say.) */
  readonly ownConfig?: string;
  /** How fresh its copy of the service's data is; higher is fresher. 0: it doesn't say. */
  readonly dataVersion: number;
  readonly services: readonly ServiceReport[];
  readonly seenEpochs: Readonly<Record<string, number>>;
  readonly promises: readonly PromiseReport[];
  /** For how long it goes on refusing assignments that rest on expiry (a recent start). */
  readonly refusesExpiryForMs: number;
  readonly refusals: readonly Refusal[];
}

/** `POST /v1/promise`: the holder asks another candidate. */
export interface PromiseRequest {
  readonly protocol: number;
  readonly clusterId: string;
  /** Name and state of whom it means to ask. */
  readonly to: string;
  /** null: it doesn't say; the answer tells it who promised. */
  readonly toStateId: string | null;
  readonly round: number;
  readonly service: string;
  readonly holder: string;
  readonly epoch: number;
  readonly forMs: number;
  /** It doesn't go by a promise without end of this candidate (any more): it asks it in each round. */
  readonly released?: boolean;
}

export interface PromiseAnswer {
  readonly protocol: number;
  readonly name: string;
  readonly stateId: string;
  readonly round: number;
  readonly service: string;
  readonly epoch: number;
  readonly promised: boolean;
  readonly because: string;
  /** It leaves: for this epoch the holder need not ask it until it is back. */
  readonly withoutEnd?: boolean;
}

/**
 * `POST /v1/arbiters/promise`: a leader that can't reach the store asks an arbiter that could lead in
 * its place. With `forMs` 0 it only asks who is there.
 */
export interface ArbiterPromiseRequest {
  readonly protocol: number;
  readonly clusterId: string;
  readonly to: string;
  readonly leader: string;
  readonly instance: string;
  readonly term: number;
  readonly round: number;
  readonly forMs: number;
}

export interface ArbiterPromiseAnswer {
  readonly protocol: number;
  readonly name: string;
  /** Of the state folder that whoever answers holds locked. */
  readonly stateId: string;
  readonly round: number;
  readonly term: number;
  readonly promised: boolean;
  readonly because: string;
}

export type { Candidate, CandidateSet };
