/**
 * One daemon's core on a table: events by hand, effects by kind. Its clock is the test's.
 */
import { createDaemon, stepDaemon } from "../../../src/core/daemon.ts";
import type { DaemonState } from "../../../src/core/daemon.ts";
import type {
  DaemonEffect,
  DaemonEnvironment,
  DaemonEvent,
  DaemonMemory,
  DaemonOptions,
} from "../../../src/core/daemon-io.ts";
import { issueNonce } from "../../../src/core/lease.ts";
import type {
  Assignment,
  Candidate,
  PromiseAnswer,
  PromiseRequest,
  Report,
  ServiceAssignment,
} from "../../../src/core/messages.ts";

export const LEASE_MS = 2000;
export const BOOT = "boot-m";
export const SELF: Candidate = { name: "m", stateId: "state-m", url: "http://m" };
export const SPARE: Candidate = { name: "s", stateId: "state-s", url: "http://s" };
export const THIRD: Candidate = { name: "t", stateId: "state-t", url: "http://t" };

/** A tag that depends on the boot's secret and on every character. */
export function environment(secret = "secret"): DaemonEnvironment {
  return {
    tagOf(text) {
      let hash = 7;
      for (const char of secret + text) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
      return hash.toString(36);
    },
  };
}

export const OPTIONS: DaemonOptions = {
  name: "m",
  stateId: "state-m",
  bootId: BOOT,
  type: "scheduler",
  role: "master",
  launched: false,
  onArbiterLoss: "failsafe",
  drainMarginMs: null,
  killGraceMs: 250,
  drainTimeoutMs: 10_000,
  configVersion: "c1",
  dataVersion: 0,
};

// An event without its time, kind by kind: `Omit` over a union would lose the kinds.
type Timeless<E> = E extends unknown ? Omit<E, "nowMs"> : never;

export class Rig {
  nowMs = 1000;
  readonly env: DaemonEnvironment = environment();
  readonly state: DaemonState;
  effects: readonly DaemonEffect[] = [];
  term = 1;
  seq = 0;
  onStep: (effects: readonly DaemonEffect[]) => void = () => {};

  constructor(options: Partial<DaemonOptions> = {}, memory: DaemonMemory | null = null) {
    this.state = createDaemon({ ...OPTIONS, ...options }, memory, this.nowMs);
  }

  send(event: Timeless<DaemonEvent>): readonly DaemonEffect[] {
    this.effects = stepDaemon(this.state, { ...event, nowMs: this.nowMs }, this.env);
    this.onStep(this.effects);
    return this.effects;
  }

  nonce(): string {
    return issueNonce(BOOT, this.nowMs, this.env);
  }

  item(over: Partial<ServiceAssignment> = {}): ServiceAssignment {
    return {
      service: "svc",
      epoch: 1,
      cleared: 0,
      bootId: BOOT,
      leaseMs: LEASE_MS,
      drain: false,
      candidates: { version: 1, list: [SELF, SPARE, THIRD] },
      config: {},
      ...over,
    };
  }

  assignment(services: readonly ServiceAssignment[] | null, over: Partial<Assignment> = {}): Assignment {
    this.seq += 1;
    return {
      protocol: 1,
      clusterId: "cluster-1",
      to: "m",
      leader: { name: "a", url: "http://a" },
      arbiters: [{ name: "a", url: "http://a" }],
      term: this.term,
      seq: this.seq,
      mapVersion: 1,
      clockDrift: 0.01,
      nonce: this.nonce(),
      services,
      ...over,
    };
  }

  /** Sends an assignment and returns the report that answers it. */
  assign(services: readonly ServiceAssignment[] | null, over: Partial<Assignment> = {}): Report {
    return this.deliver(this.assignment(services, over));
  }

  deliver(assignment: Assignment): Report {
    this.send({ kind: "assigned", requestId: "r", assignment });
    return this.effect("answer").report;
  }

  /** Active on `svc` at epoch 1, with a full lease from now. */
  hold(over: Partial<ServiceAssignment> = {}): this {
    const item = this.item(over);
    this.assign([item]);
    this.send({ kind: "activated", service: item.service, epoch: item.epoch });
    return this;
  }

  request(over: Partial<PromiseRequest> = {}): PromiseRequest {
    return {
      protocol: 1,
      clusterId: "cluster-1",
      to: "m",
      toStateId: "state-m",
      round: 1,
      service: "svc",
      holder: "s",
      epoch: 1,
      forMs: LEASE_MS,
      ...over,
    };
  }

  /** Asks for a promise; if it first has to be synced to disk, syncs it. */
  ask(over: Partial<PromiseRequest> = {}): PromiseAnswer {
    this.send({ kind: "promiseAsked", requestId: "p", request: this.request(over) });
    const persist = this.all("persist").find(({ token }) => token !== null);
    if (persist !== undefined && persist.token !== null) {
      this.send({ kind: "persisted", token: persist.token });
    }
    return this.effect("answerPromise").answer;
  }

  /** The other candidate answers the newest round. */
  answerRound(candidate: Candidate, over: Partial<PromiseAnswer> = {}): readonly DaemonEffect[] {
    const round = this.state.held.get("svc")?.roundNumber ?? 0;
    const answer: PromiseAnswer = {
      protocol: 1,
      name: candidate.name,
      stateId: candidate.stateId,
      round,
      service: "svc",
      epoch: 1,
      promised: true,
      because: "",
      ...over,
    };
    return this.send({ kind: "promiseAnswered", service: "svc", epoch: 1, round, candidate, answer });
  }

  /** Lets the clock run and fires the timer as often as it comes due. */
  elapse(forMs: number): readonly DaemonEffect[] {
    const untilMs = this.nowMs + forMs;
    const all: DaemonEffect[] = [];
    while (this.state.timerAtMs !== null && this.state.timerAtMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.state.timerAtMs);
      all.push(...this.send({ kind: "timerFired" }));
    }
    this.nowMs = untilMs;
    this.effects = all;
    return all;
  }

  /** The clock runs, but the timer doesn't fire: the process is paused. */
  pause(forMs: number): void {
    this.nowMs += forMs;
  }

  all<Kind extends DaemonEffect["kind"]>(kind: Kind): Extract<DaemonEffect, { readonly kind: Kind }>[] {
    return this.effects.filter(
      (effect): effect is Extract<DaemonEffect, { readonly kind: Kind }> => effect.kind === kind,
    );
  }

  effect<Kind extends DaemonEffect["kind"]>(kind: Kind): Extract<DaemonEffect, { readonly kind: Kind }> {
    const [first] = this.all(kind);
    if (first === undefined) throw new Error(`no ${kind} among ${this.kinds().join(", ")}`);
    return first;
  }

  kinds(): string[] {
    return this.effects.map(({ kind }) => kind);
  }

  get phase(): string {
    return this.state.held.get("svc")?.phase ?? "idle";
  }

  get leaseEndMs(): number {
    return this.state.held.get("svc")?.leaseEndMs ?? Number.NaN;
  }
}
