/**
 * What a daemon's core remembers, and what it says of itself.
 *
 * One plain object, changed in place by `stepDaemon` and by nothing else. What must survive a
 * restart is `memoryOf`; everything else dies with the boot, and may: a new boot holds nothing, and
 * no epoch that was committed for the old one is taken by it.
 */
import type { DaemonEffect, DaemonEvent, DaemonMemory, DaemonOptions } from "./daemon-io.ts";
import type { HoldPolicy } from "./daemon-policy.ts";
import type { HoldPhase } from "./daemon-table.ts";
import type {
  ArbiterAddress,
  CandidateSet,
  DaemonPhase,
  PromiseReport,
  PromiseRequest,
  Refusal,
  Report,
  ServiceReport,
} from "./messages.ts";
import { PROTOCOL } from "./messages.ts";

/** A service that this daemon holds; there is none for one that it doesn't. */
export interface HeldService {
  readonly service: string;
  readonly epoch: number;
  phase: Exclude<HoldPhase, "idle">;
  leaseMs: number;
  policy: HoldPolicy;
  /** What the policy was read from. */
  config: Readonly<Record<string, string>>;
  clockDrift: number;
  /** A running maximum: nothing that arrives late makes it shorter. */
  leaseEndMs: number;
  /** The part of it that rests on nonces, not on promises. */
  grantedEndMs: number;
  /** The newest set: asked in failsafe from the moment it is taken. */
  candidates: CandidateSet;
  /**
   * The version that is reported. Behind `candidates` while the lease still rests on promises of an
   * older set: a candidate that was added becomes eligible once this shows it, and nobody asked it.
   */
  agreedVersion: number;
  /** False once it is given up for a reason that promises must not put off. */
  wanted: boolean;
  fenced: boolean;
  /** While draining: what is left then is fenced. */
  demoteDeadlineMs: number;
  /** Rises with every round of asking. */
  roundNumber: number;
  round: FailsafeRound | null;
}

export interface FailsafeRound {
  readonly number: number;
  /** When the first was asked: the extension counts from there. */
  readonly askedAtMs: number;
  readonly forMs: number;
  /** State ids of those who have not promised yet. */
  readonly missing: Set<string>;
  readonly nextAtMs: number;
  /** The round before it, where its answers may still come. */
  before: FailsafeRound | null;
}

/** A promise that this daemon gave; at most one a service, the farthest-reaching. */
export interface GivenPromise {
  epoch: number;
  holder: string;
  untilMs: number;
}

export interface DaemonState {
  readonly options: DaemonOptions;
  clusterId: string | null;
  /** Highest term seen, and the order of the last assignment taken within it. */
  term: number;
  assignmentSeq: number;
  /** Of the last report. */
  reportSeq: number;
  arbiters: readonly ArbiterAddress[];
  leader: ArbiterAddress | null;
  health: { readonly healthy: boolean; readonly ready: boolean; readonly reason: string };
  readonly held: Map<string, HeldService>;
  seenEpochs: Readonly<Record<string, number>>;
  readonly promises: Map<string, GivenPromise>;
  /** Promises put off until a longer `longestPromiseMs` is on disk, by token. */
  readonly unsynced: Map<number, { readonly requestId: string; readonly request: PromiseRequest }>;
  nextToken: number;
  /** As it was last written. */
  longestPromiseMs: number;
  /** As it is on disk for sure: no longer promise is given. */
  syncedPromiseMs: number;
  /** A reboot forgets promises: until then nothing is taken that rests on expiry. */
  readonly refusesExpiryUntilMs: number;
  /** Of the last assignment taken. */
  refusals: readonly Refusal[];
  /** Lasts until an assignment no longer lists that epoch: then the arbiter knows. */
  failure: { readonly service: string; readonly epoch: number; readonly reason: string } | null;
  leaving: string | null;
  left: boolean;
  timerAtMs: number | null;
}

/** One step's surroundings: the effects are collected in order. */
export interface Step {
  readonly state: DaemonState;
  readonly nowMs: number;
  readonly tagOf: (text: string) => string;
  readonly effects: DaemonEffect[];
  /** Something that arbiters should hear of at once has changed. */
  changed: boolean;
}

export type EventOf<Kind extends DaemonEvent["kind"]> = Extract<DaemonEvent, { readonly kind: Kind }>;

export function createDaemon(
  options: DaemonOptions,
  memory: DaemonMemory | null,
  nowMs: number,
): DaemonState {
  const longestPromiseMs = memory?.longestPromiseMs ?? 0;
  return {
    options,
    clusterId: memory?.clusterId ?? null,
    term: memory?.term ?? 0,
    assignmentSeq: -1,
    reportSeq: 0,
    arbiters: memory?.arbiters ?? [],
    leader: null,
    health: { healthy: true, ready: true, reason: "" },
    held: new Map(),
    seenEpochs: memory?.seenEpochs ?? {},
    promises: new Map(),
    unsynced: new Map(),
    nextToken: 1,
    longestPromiseMs,
    syncedPromiseMs: longestPromiseMs,
    refusesExpiryUntilMs: nowMs + longestPromiseMs,
    refusals: [],
    failure: null,
    leaving: null,
    left: false,
    timerAtMs: null,
  };
}

export function memoryOf(state: DaemonState): DaemonMemory {
  return {
    clusterId: state.clusterId,
    term: state.term,
    longestPromiseMs: state.longestPromiseMs,
    seenEpochs: state.seenEpochs,
    arbiters: state.arbiters,
  };
}

/** The state of the daemon as a whole. One that leaves says so, also while it still drains. */
export function phaseOf(state: DaemonState): DaemonPhase {
  if (state.leaving !== null) return "leaving";
  let phase: DaemonPhase = state.failure === null ? "waiting" : "failed";
  for (const held of state.held.values()) {
    if (held.phase === "active") return "active";
    if (phase !== "activating") phase = held.phase;
  }
  return phase;
}

/** Without a nonce it grants nothing: for `GET /health`. */
export function reportOf(state: DaemonState, nowMs: number, nonce = ""): Report {
  const { options } = state;
  return {
    protocol: PROTOCOL,
    clusterId: state.clusterId,
    name: options.name,
    stateId: options.stateId,
    type: options.type,
    role: options.role,
    bootId: options.bootId,
    seq: state.reportSeq,
    nonce,
    term: state.term,
    state: phaseOf(state),
    healthy: state.health.healthy,
    ready: state.health.ready,
    reason: state.leaving ?? state.failure?.reason ?? state.health.reason,
    launched: options.launched,
    configVersion: options.configVersion,
    dataVersion: options.dataVersion,
    services: servicesOf(state, nowMs),
    seenEpochs: state.seenEpochs,
    promises: promisesOf(state, nowMs),
    refusesExpiryForMs: Math.max(0, state.refusesExpiryUntilMs - nowMs),
    refusals: state.refusals,
  };
}

function servicesOf(state: DaemonState, nowMs: number): ServiceReport[] {
  const services: ServiceReport[] = [];
  for (const held of state.held.values()) {
    services.push({
      service: held.service,
      epoch: held.epoch,
      state: held.phase,
      leaseRemainingMs: Math.max(0, held.leaseEndMs - nowMs),
      candidatesVersion: held.agreedVersion,
    });
  }
  return services;
}

function promisesOf(state: DaemonState, nowMs: number): PromiseReport[] {
  const promises: PromiseReport[] = [];
  for (const [service, promise] of state.promises) {
    if (promise.untilMs <= nowMs) continue;
    promises.push({
      service,
      epoch: promise.epoch,
      holder: promise.holder,
      forMs: promise.untilMs - nowMs,
    });
  }
  return promises;
}
