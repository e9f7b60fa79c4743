/**
 * What a daemon's core remembers, and what it says of itself.
 *
 * One plain object, changed in place by `stepDaemon` and by nothing else. What must survive a
 * restart is `memoryOf`; everything else dies with the boot, and may: a new boot holds nothing, and
 * no epoch that was committed for the old one is taken by it.
 */
import type { DaemonEffect, DaemonEvent, DaemonMemory, DaemonOptions, EndlessPromise } from "./daemon-io.ts";
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
  /** Why it is being restarted in place; empty: it isn't. Shown by the report meanwhile. */
  restartReason: string;
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
  /** Candidates that have left behind a promise without end, by state id. */
  readonly away: Map<string, Away>;
  /** When those who are away are asked next, while nobody else needs to be. */
  askAwayAtMs: number;
  /** Rises with every round of asking. */
  roundNumber: number;
  round: FailsafeRound | null;
}

export interface Away {
  /** The round in which it said so. */
  readonly saidIn: number;
  /**
   * null: it is away, and not waited for. Else the round in which it was found to be back: it is waited
   * for again, and told so in each round after that, until it has answered one of them.
   */
  backIn: number | null;
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

export interface Farewell {
  /** Then it says once more that it leaves, to hear whether an arbiter is still there. */
  readonly askAgainAtMs: number;
  hasAskedAgain: boolean;
  /** One has spoken since. */
  isHeard: boolean;
  /** No arbiter has spoken for a lease by then: a holder that has none would have asked. */
  readonly quietAtMs: number;
  /** Then it leaves, come what may. */
  stayUntilMs: number;
  /** Services whose holder was promised without end, and may not know it yet. */
  readonly given: Set<string>;
  /** Services whose holder is known to go by a promise without end. */
  readonly confirmed: Set<string>;
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
  /** When an arbiter last spoke to this boot, and how often one does; null: none has. */
  heardAtMs: number | null;
  heardEveryMs: number;
  health: { readonly healthy: boolean; readonly ready: boolean; readonly reason: string };
  readonly held: Map<string, HeldService>;
  seenEpochs: Readonly<Record<string, number>>;
  readonly promises: Map<string, GivenPromise>;
  /** Promises without end, by service: from an earlier boot, or given because it leaves. */
  readonly endless: Map<string, EndlessPromise>;
  /** Promises put off until a longer `longestPromiseMs` is on disk, or that it leaves, by token. */
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
  /** It leaves, holds nothing any more, and stays for as long as a holder may need its word. */
  farewell: Farewell | null;
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
    heardAtMs: null,
    heardEveryMs: 0,
    health: { healthy: true, ready: true, reason: "" },
    held: new Map(),
    seenEpochs: memory?.seenEpochs ?? {},
    promises: new Map(),
    endless: new Map(memory?.endless?.map((promise) => [promise.service, promise])),
    unsynced: new Map(),
    nextToken: 1,
    longestPromiseMs,
    syncedPromiseMs: longestPromiseMs,
    refusesExpiryUntilMs: nowMs + longestPromiseMs,
    refusals: [],
    failure: null,
    leaving: null,
    farewell: null,
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
    ...(state.endless.size > 0 && { endless: [...state.endless.values()] }),
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
    reason: state.leaving ?? state.failure?.reason ?? (restartReasonOf(state) || state.health.reason),
    launched: options.launched,
    configVersion: options.configVersion,
    ...(options.ownConfig === undefined || options.ownConfig === ""
      ? undefined
      : { ownConfig: options.ownConfig }),
    dataVersion: options.dataVersion,
    services: servicesOf(state, nowMs),
    seenEpochs: state.seenEpochs,
    promises: promisesOf(state, nowMs),
    refusesExpiryForMs: Math.max(0, state.refusesExpiryUntilMs - nowMs),
    refusals: state.refusals,
  };
}

function restartReasonOf(state: DaemonState): string {
  for (const held of state.held.values())
    if (held.phase === "activating" && held.restartReason !== "") return held.restartReason;
  return "";
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
  // A live one says more: that the holder is alive. It is renewed for as long as that lasts.
  for (const { service, epoch, holder } of state.endless.values()) {
    if (promises.some((one) => one.service === service)) continue;
    promises.push({ service, epoch, holder, forMs: null });
  }
  return promises;
}
