/**
 * One arbiter's core and real daemon cores on a table: messages arrive at once, in order, unless a
 * test says otherwise; the clock is the test's. The store answers at once and can be told not to.
 */
import { createArbiter, stepArbiter } from "../../../src/core/arbiter.ts";
import type {
  ArbiterEffect,
  ArbiterEvent,
  Commit,
  CommandAnswer,
  ConfigurationVersion,
  JournalEntry,
  OperatorCommand,
} from "../../../src/core/arbiter-io.ts";
import type { ArbiterState, DaemonView, ServiceView } from "../../../src/core/arbiter-state.ts";
import { createDaemon, stepDaemon, type DaemonState } from "../../../src/core/daemon.ts";
import type { DaemonEffect, DaemonEvent, DaemonMemory } from "../../../src/core/daemon-io.ts";
import type { Assignment, PromiseAnswer, Report } from "../../../src/core/messages.ts";
import type {
  ClusterModel,
  DaemonSpec,
  EventDraft,
  LeadershipRecord,
  ServiceRow,
  Settings,
} from "../../../src/core/model.ts";
import { MASTER_AND_SPARE } from "./arbiter-models.ts";
import { environment, OPTIONS } from "./daemon-rig.ts";

type Timeless<E> = E extends unknown ? Omit<E, "nowMs" | "wallMs"> : never;

const VERSION: ConfigurationVersion = { version: 0, hash: "h0", atWallMs: 0, by: "test", files: {} };

interface Node {
  state: DaemonState;
  memory: DaemonMemory | null;
  boots: number;
  /** Requests to it fail like this; null: it answers. */
  cut: "timeout" | "refused" | null;
  /** It may not reach the others (promises) either. */
  alone: boolean;
  /** `activate` stays unanswered, fails, or succeeds at once. */
  activation: "at-once" | "never" | "fails";
  demotion: "at-once" | "never";
  timerAtMs: number | null;
}

export class ClusterRig {
  nowMs = 10_000;
  readonly nodes: Map<string, Node> = new Map();
  state: ArbiterState;
  readonly events: EventDraft[] = [];
  readonly journal: JournalEntry[] = [];
  readonly answers: Map<string, CommandAnswer> = new Map();
  readonly assignments: Assignment[] = [];
  readonly timers: Map<string, number> = new Map();
  record: LeadershipRecord | null = null;
  rows: Map<string, ServiceRow> = new Map();
  settings: Settings = { pauses: {}, maintenance: {}, moves: {}, joined: {} };
  configuration: ConfigurationVersion | null = null;
  /** What a new leader is told to lead with, whatever its own files say. */
  inForce: { model: ClusterModel; configuration: ConfigurationVersion } | null = null;
  revision = 0;
  seq = 0;
  store: "up" | "down" | "unknown" | "silent" = "up";
  readonly held: Commit[] = [];
  /** Arbiters that were asked for their opinion; a test answers for them. */
  readonly asked: string[] = [];
  /** Nothing reaches the arbiter, and nothing comes from it. */
  arbiterDead = false;
  /** So many commits that change a row are refused, whatever `store` says. */
  refuseCommits = 0;
  #instances = 0;
  #queue: (() => void)[] = [];
  #busy = false;

  constructor(cluster: ClusterModel = MASTER_AND_SPARE) {
    for (const spec of cluster.daemons) this.addNode(spec);
    this.state = this.#newArbiter(cluster);
  }

  addNode(spec: DaemonSpec): void {
    this.nodes.set(spec.name, {
      state: this.#boot(spec.name, spec.role, 1, null),
      memory: null,
      boots: 1,
      cut: null,
      alone: false,
      activation: "at-once",
      demotion: "at-once",
      timerAtMs: null,
    });
  }

  #boot(name: string, role: "master" | "spare", boot: number, memory: DaemonMemory | null): DaemonState {
    const options = { ...OPTIONS, name, role, stateId: `state-${name}`, bootId: `boot-${name}-${boot}` };
    return createDaemon(options, memory, this.nowMs);
  }

  #newArbiter(cluster: ClusterModel): ArbiterState {
    this.#instances += 1;
    return createArbiter({
      name: "a",
      url: "http://a",
      instance: `instance-${this.#instances}`,
      stateId: "state-a",
      freshClusterId: "cluster-1",
      model: cluster,
      configuration: VERSION,
      primary: null,
    });
  }

  start(): this {
    this.arbiter({ kind: "started" });
    return this;
  }

  restartArbiter(cluster: ClusterModel = this.state.model): this {
    this.timers.clear();
    this.state = this.#newArbiter(cluster);
    return this.start();
  }

  /** A new boot of the same state folder. */
  restart(name: string): void {
    const node = this.node(name);
    node.boots += 1;
    node.state = this.#boot(name, node.state.options.role, node.boots, node.memory);
    node.cut = null;
    node.timerAtMs = null;
    this.daemon(name, { kind: "started" });
  }

  node(name: string): Node {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  service(name = "svc"): ServiceView {
    const view = this.state.services.get(name);
    if (view === undefined) throw new Error(`no service ${name}`);
    return view;
  }

  view(name: string): DaemonView {
    const view = this.state.daemons.get(name);
    if (view === undefined) throw new Error(`no daemon ${name}`);
    return view;
  }

  /** Daemons that believe they hold it, by their own clock. */
  believers(service = "svc"): string[] {
    return [...this.nodes]
      .filter(([, { state }]) => (state.held.get(service)?.leaseEndMs ?? 0) > this.nowMs)
      .map(([name]) => name);
  }

  rowsTaken(service = "svc"): number[] {
    return this.journal.filter((entry) => entry.service === service).map(({ row }) => row);
  }

  command(command: OperatorCommand): CommandAnswer {
    const id = `c${this.answers.size}`;
    this.arbiter({ kind: "commanded", id, by: "tester", command });
    const answer = this.answers.get(id);
    if (answer === undefined) throw new Error("not answered");
    return answer;
  }

  arbiter(event: Timeless<ArbiterEvent>): void {
    this.#enqueue(() => {
      if (this.arbiterDead) return;
      const effects = stepArbiter(this.state, { ...event, nowMs: this.nowMs, wallMs: this.nowMs + 1e12 });
      for (const effect of effects) this.#performArbiter(effect);
    });
  }

  daemon(name: string, event: Timeless<DaemonEvent>): void {
    const node = this.node(name);
    const { state } = node;
    this.#enqueue(() => {
      if (node.state !== state) return;
      const effects = stepDaemon(state, { ...event, nowMs: this.nowMs }, environment(state.options.bootId));
      for (const effect of effects) this.#performDaemon(name, node, effect);
    });
  }

  #enqueue(task: () => void): void {
    this.#queue.push(task);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
    } finally {
      this.#busy = false;
    }
  }

  /** Lets time pass; what is due happens at its own instant. */
  advance(ms: number): this {
    const endMs = this.nowMs + ms;
    for (;;) {
      let dueMs = Infinity;
      for (const atMs of this.timers.values()) dueMs = Math.min(dueMs, atMs);
      for (const { timerAtMs } of this.nodes.values()) dueMs = Math.min(dueMs, timerAtMs ?? Infinity);
      if (dueMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      for (const [key, atMs] of this.timers) {
        if (atMs > this.nowMs) continue;
        this.timers.delete(key);
        if (key.startsWith("timeout:")) this.#timedOut(key);
        else this.arbiter({ kind: "timerFired", key });
      }
      for (const [name, node] of this.nodes) {
        if (node.timerAtMs === null || node.timerAtMs > this.nowMs) continue;
        node.timerAtMs = null;
        if (node.cut !== "refused") this.daemon(name, { kind: "timerFired" });
      }
    }
    this.nowMs = endMs;
    return this;
  }

  readonly #pendingTimeouts: Map<string, { daemon: string; sentAtMs: number }> = new Map();

  #timedOut(key: string): void {
    const pending = this.#pendingTimeouts.get(key);
    this.#pendingTimeouts.delete(key);
    if (pending === undefined) return;
    this.arbiter({ kind: "checkFailed", ...pending, cause: "timeout", detail: "no answer" });
  }

  #performArbiter(effect: ArbiterEffect): void {
    switch (effect.kind) {
      case "assign":
        this.assignments.push(effect.assignment);
        this.#assign(effect.daemon, effect.assignment, effect.timeoutMs);
        return;
      case "commit":
        this.#commit(effect.commit);
        return;
      case "record":
        if (this.store === "up") this.#log(effect.events);
        return;
      case "timer":
        if (effect.atMs === null) this.timers.delete(effect.key);
        else this.timers.set(effect.key, effect.atMs);
        return;
      case "readLeadership":
        if (this.store === "up") this.arbiter({ kind: "leadershipRead", record: this.record });
        else this.arbiter({ kind: "storeFailed", what: "leadership", detail: "down" });
        return;
      case "campaign":
        this.#campaign(effect.expected, effect.next);
        return;
      case "touchStore":
        this.arbiter({ kind: "storeTouched", isWritten: this.store === "up", beganAtMs: this.nowMs });
        return;
      case "load":
        this.arbiter({
          kind: "loaded",
          term: effect.term,
          revision: this.revision,
          rows: [...this.rows.values()],
          settings: this.settings,
          configuration: this.configuration,
          inForce: this.inForce,
        });
        return;
      case "answer":
        this.answers.set(effect.id, effect.answer);
        return;
      case "journal":
        this.journal.push(effect.entry);
        return;
      case "askArbiterPromise":
        this.arbiter({ kind: "arbiterPromiseAnswered", arbiter: effect.arbiter, answer: null });
        return;
      case "askOpinion":
        this.asked.push(effect.arbiter);
        return;
      case "answerArbiterPromise":
      case "changed":
      case "forget":
      case "released":
        return;
    }
  }

  #assign(name: string, assignment: Assignment, timeoutMs: number): void {
    const node = this.node(name);
    const sentAtMs = this.nowMs;
    if (node.cut === "refused") {
      this.arbiter({ kind: "checkFailed", daemon: name, sentAtMs, cause: "refused", detail: "" });
      return;
    }
    if (node.cut === "timeout") {
      const key = `timeout:${name}:${assignment.term}:${assignment.seq}`;
      this.#pendingTimeouts.set(key, { daemon: name, sentAtMs });
      this.timers.set(key, sentAtMs + timeoutMs);
      return;
    }
    this.daemon(name, { kind: "assigned", requestId: `check:${sentAtMs}`, assignment });
  }

  #campaign(expected: LeadershipRecord | null, next: LeadershipRecord): void {
    if (this.store !== "up") {
      this.arbiter({ kind: "storeFailed", what: "campaign", detail: "down" });
      return;
    }
    const won =
      this.record?.term === expected?.term &&
      this.record?.instance === expected?.instance &&
      this.record?.beat === expected?.beat;
    if (won) this.record = next;
    this.arbiter({ kind: "campaigned", won, record: this.record, beganAtMs: this.nowMs });
  }

  #commit(commit: Commit): void {
    if (this.refuseCommits > 0 && commit.changes.length > 0) {
      this.refuseCommits -= 1;
      this.arbiter({
        kind: "commitFailed",
        commitId: commit.commitId,
        outcome: "refused",
        detail: "disk full",
      });
      return;
    }
    if (this.store === "silent") {
      this.held.push(commit);
      return;
    }
    if (this.store !== "up") {
      const outcome = this.store === "unknown" ? "unknown" : "refused";
      if (outcome === "unknown") this.applyCommit(commit);
      this.arbiter({ kind: "commitFailed", commitId: commit.commitId, outcome, detail: "the store is down" });
      return;
    }
    const events = this.applyCommit(commit);
    if (events === null)
      this.arbiter({ kind: "commitFailed", commitId: commit.commitId, outcome: "fenced", detail: "" });
    else this.arbiter({ kind: "committed", commitId: commit.commitId, revision: this.revision, events });
  }

  /** Commits that were left unanswered are answered as the store is now. */
  answerHeld(): void {
    for (const commit of this.held.splice(0)) this.#commit(commit);
  }

  applyCommit(commit: Commit): ({ seq: number } & EventDraft)[] | null {
    const isFenced =
      this.record?.term !== commit.term ||
      commit.changes.some(
        ({ row, expectedEpoch }) => (this.rows.get(row.service)?.epoch ?? 0) !== expectedEpoch,
      );
    if (isFenced) return null;
    for (const { row } of commit.changes) this.rows.set(row.service, row);
    if (commit.settings !== null) this.settings = commit.settings;
    if (commit.configuration !== null) this.configuration = commit.configuration;
    this.revision += 1;
    return this.#log(commit.events);
  }

  #log(events: readonly EventDraft[]): ({ seq: number } & EventDraft)[] {
    this.events.push(...events);
    return events.map((event) => {
      this.seq += 1;
      return { ...event, seq: this.seq };
    });
  }

  #performDaemon(name: string, node: Node, effect: DaemonEffect): void {
    switch (effect.kind) {
      case "answer":
        this.#report(effect.report, Number(effect.requestId.slice("check:".length)));
        return;
      case "sendReport":
        if (node.cut === null) this.#report(effect.report, null);
        return;
      case "activate":
        if (node.activation === "at-once")
          this.daemon(name, { kind: "activated", service: effect.service, epoch: effect.epoch });
        if (node.activation === "fails")
          this.daemon(name, {
            kind: "activationFailed",
            service: effect.service,
            epoch: effect.epoch,
            reason: "no such program",
          });
        return;
      case "demote":
        if (node.demotion === "at-once")
          this.daemon(name, { kind: "demoted", service: effect.service, epoch: effect.epoch });
        return;
      case "fence":
        this.daemon(name, { kind: "demoted", service: effect.service, epoch: effect.epoch });
        return;
      case "askPromise":
        this.#askPromise(name, effect);
        return;
      case "answerPromise":
        this.#promised(effect.requestId, effect.answer);
        return;
      case "persist":
        node.memory = effect.memory;
        if (effect.token !== null) this.daemon(name, { kind: "persisted", token: effect.token });
        return;
      case "timer":
        node.timerAtMs = effect.atMs;
        return;
      case "leaseSet":
      case "left":
      case "log":
        return;
    }
  }

  #report(report: Report, sentAtMs: number | null): void {
    this.arbiter({ kind: "reported", report, via: sentAtMs === null ? "unasked" : "check", sentAtMs });
  }

  #askPromise(from: string, effect: Extract<DaemonEffect, { kind: "askPromise" }>): void {
    const { candidate, request } = effect;
    const target = this.nodes.get(candidate.name);
    if (target === undefined || target.cut === "refused" || this.node(from).alone || target.alone) {
      this.daemon(from, {
        kind: "promiseAnswered",
        service: request.service,
        epoch: request.epoch,
        round: request.round,
        candidate,
        answer: null,
      });
      return;
    }
    this.daemon(candidate.name, { kind: "promiseAsked", requestId: from, request });
  }

  #promised(holder: string, answer: PromiseAnswer): void {
    const candidate = { name: answer.name, stateId: answer.stateId, url: `http://${answer.name}` };
    const { service, epoch, round } = answer;
    this.daemon(holder, { kind: "promiseAnswered", service, epoch, round, candidate, answer });
  }
}
