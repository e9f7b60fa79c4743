/**
 * The smallest world in which everything can go wrong: one arbiter, a master and a spare, with the
 * real cores, one service, three links, a store that answers at once. Between two moves all of it is
 * plain data, so that a world can be copied, and every sequence of moves be tried from each.
 *
 * One clock for all: rates are the simulator's business.
 */
import { stepArbiter } from "../../../src/core/arbiter.ts";
import type { ArbiterEffect, ArbiterEvent, Commit } from "../../../src/core/arbiter-io.ts";
import type { ArbiterState } from "../../../src/core/arbiter-state.ts";
import { stepDaemon, type DaemonState } from "../../../src/core/daemon.ts";
import type { DaemonEffect, DaemonEvent } from "../../../src/core/daemon-io.ts";
import type { Belief } from "../../../src/core/invariants.ts";
import { clearedIsPast, committedFirst, epochRises, oneHolder } from "../../../src/core/invariants.ts";
import type { Assignment, Report } from "../../../src/core/messages.ts";
import type { LeadershipRecord } from "../../../src/core/model.ts";
import { mayCampaign, whyFenced } from "../../../src/store/rules.ts";
import { environment } from "./daemon-rig.ts";
import { boot, copyOf, newArbiter, newState, SERVICE } from "./exhaustive-state.ts";
import type { DaemonName, Place, WorldState } from "./exhaustive-state.ts";
import { SAID } from "./said.ts";

type Timeless<E> = E extends unknown ? Omit<E, "nowMs" | "wallMs"> : never;
type EffectOf<Kind extends DaemonEffect["kind"]> = Extract<DaemonEffect, { readonly kind: Kind }>;

const WALL_MS = 1e12;

/** Changes what a daemon remembers before each of its steps: shows that what follows would be noticed. */
type Tamper = (state: DaemonState) => void;

interface Rows {
  readonly arbiter: Set<number>;
  readonly daemon: Set<number>;
}

/** To its holder a service is listed, drained or left out as its phase has it; see `said.ts`. */
function saidInPhase(
  { services }: ArbiterState,
  phases: ReadonlySet<string>,
  { to, services: list }: Assignment,
): string | null {
  const view = services.get(SERVICE);
  if (list === null || view === undefined || view.row.holder !== to || view.pendingCommit !== null)
    return null;
  if (view.row.epoch <= view.knownCleared) return null;
  const item = list.find(({ service }) => service === SERVICE);
  const said = item === undefined ? "unlisted" : item.drain ? "drain" : "listed";
  const isRight = Object.entries(SAID).some(([phase, right]) => right === said && phases.has(phase));
  return isRight
    ? null
    : `${to} is told "${said}" of a service that is ${view.phase} (${[...phases].join()}; ${view.fencing})`;
}

function must(problem: string | null): void {
  if (problem !== null) throw new Error(problem);
}

export class SmallWorld {
  readonly at: WorldState;
  /** Rows of the arbiter's and of the daemon's table that were taken, in this world and in its copies. */
  readonly rowsTaken: Rows;
  readonly #tamper: Tamper | null;
  #queue: (() => void)[] = [];
  /** That the service was in during the step: an assignment may leave before or after a row is taken. */
  #phases: Set<string> = new Set();

  private constructor(at: WorldState, rowsTaken: Rows, tamper: Tamper | null) {
    this.at = at;
    this.rowsTaken = rowsTaken;
    this.#tamper = tamper;
  }

  /** The master holds the service, the spare waits, and all has been quiet for a while. */
  static settled(tamper: Tamper | null = null): SmallWorld {
    const world = new SmallWorld(newState(), { arbiter: new Set(), daemon: new Set() }, tamper);
    for (const name of ["m", "s"] as const) world.daemon(name, { kind: "started" });
    world.arbiter({ kind: "started" });
    world.advance(3000);
    return world;
  }

  /** What both do from now on is nothing to each other. */
  copy(): SmallWorld {
    return new SmallWorld(copyOf(this.at), this.rowsTaken, this.#tamper);
  }

  get holder(): DaemonName | null {
    for (const name of ["m", "s"] as const) {
      if (this.at.daemons[name].state?.held.has(SERVICE) === true) return name;
    }
    return null;
  }

  arbiter(event: Timeless<ArbiterEvent>): void {
    const { arbiter } = this.at;
    this.#enqueue(() => {
      if (this.at.arbiter !== arbiter) return;
      const { nowMs } = this.at;
      const before = arbiter.services.get(SERVICE)?.phase ?? "vacant";
      const effects = stepArbiter(arbiter, { ...event, nowMs, wallMs: WALL_MS + nowMs });
      this.#phases = new Set([before, arbiter.services.get(SERVICE)?.phase ?? "vacant"]);
      for (const effect of effects) {
        if (effect.kind === "journal") this.#phases.add(effect.entry.from).add(effect.entry.to);
      }
      for (const effect of effects) this.#perform(effect);
    });
  }

  daemon(name: DaemonName, event: Timeless<DaemonEvent>): void {
    const place = this.at.daemons[name];
    const { state } = place;
    if (state === null) return;
    if (place.isFrozen) {
      place.inbox.push(event);
      return;
    }
    this.#enqueue(() => {
      if (place.state !== state) return;
      this.#tamper?.(state);
      const effects = stepDaemon(
        state,
        { ...event, nowMs: this.at.nowMs },
        environment(state.options.bootId),
      );
      for (const effect of effects) this.#performDaemon(name, place, effect);
      this.#checkBeliefs();
    });
  }

  /** I1, by each daemon's own clock. A frozen one believes what it believed. */
  #checkBeliefs(): void {
    must(oneHolder(this.beliefs));
  }

  get beliefs(): Belief[] {
    return (["m", "s"] as const).flatMap((daemon) => {
      const held = this.at.daemons[daemon].state?.held.get(SERVICE);
      const isHeld = held !== undefined && held.leaseEndMs > this.at.nowMs;
      return isHeld ? [{ service: SERVICE, daemon, epoch: held.epoch }] : [];
    });
  }

  #enqueue(task: () => void): void {
    this.#queue.push(task);
    if (this.#queue.length > 1) return;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      next();
      this.#queue.shift();
    }
  }

  restart(name: DaemonName): void {
    const place = this.at.daemons[name];
    place.boots += 1;
    place.state = boot(name, place.boots, place.memory, this.at.nowMs);
    place.timerAtMs = null;
    place.isFrozen = false;
    place.inbox = [];
    place.pending = null;
    this.daemon(name, { kind: "started" });
  }

  thaw(name: DaemonName): void {
    const place = this.at.daemons[name];
    place.isFrozen = false;
    const { inbox } = place;
    place.inbox = [];
    if (place.timerAtMs !== null && place.timerAtMs <= this.at.nowMs) {
      place.timerAtMs = null;
      this.daemon(name, { kind: "timerFired" });
    }
    for (const event of inbox) this.daemon(name, event);
  }

  restartArbiter(): void {
    this.at.instances += 1;
    this.at.timers.clear();
    this.at.timeouts.clear();
    this.at.arbiter = newArbiter(this.at.instances);
    this.arbiter({ kind: "started" });
  }

  /** Nothing is broken any more, and whoever left is started. */
  heal(): void {
    const { at } = this;
    at.cut.clear();
    at.isStoreDown = false;
    at.isNextUnknown = false;
    at.hooksAreSlow = false;
    at.lingering = null;
    at.lingeringReport = null;
    for (const name of ["m", "s"] as const) {
      if (at.daemons[name].isFrozen) this.thaw(name);
      if (at.daemons[name].state === null) this.restart(name);
      this.finish(name, true);
      // One that only stays to say farewell is started again, too.
      if (at.daemons[name].state?.leaving != null) this.restart(name);
      this.daemon(name, { kind: "healthChanged", healthy: true, ready: true, reason: "" });
    }
  }

  finish(name: DaemonName, isGood: boolean): void {
    const place = this.at.daemons[name];
    const { pending } = place;
    if (pending === null) return;
    place.pending = null;
    const { kind, epoch } = pending;
    if (kind === "demote") this.daemon(name, { kind: "demoted", service: SERVICE, epoch });
    else if (isGood) this.daemon(name, { kind: "activated", service: SERVICE, epoch });
    else this.daemon(name, { kind: "activationFailed", service: SERVICE, epoch, reason: "it didn't start" });
  }

  /** Lets time pass; what is due happens at its own instant. */
  advance(ms: number): void {
    const { at } = this;
    const endMs = at.nowMs + ms;
    for (;;) {
      const dueMs = this.#nextMs();
      if (dueMs > endMs) break;
      at.nowMs = Math.max(at.nowMs, dueMs);
      for (const [key, atMs] of at.timers) {
        if (atMs > at.nowMs) continue;
        at.timers.delete(key);
        const timeout = at.timeouts.get(key);
        at.timeouts.delete(key);
        if (timeout === undefined) this.arbiter({ kind: "timerFired", key });
        else this.arbiter({ kind: "checkFailed", ...timeout, cause: "timeout", detail: "no answer" });
      }
      for (const name of ["m", "s"] as const) {
        const place = at.daemons[name];
        if (place.isFrozen || place.timerAtMs === null || place.timerAtMs > at.nowMs) continue;
        place.timerAtMs = null;
        this.daemon(name, { kind: "timerFired" });
      }
    }
    at.nowMs = endMs;
  }

  #nextMs(): number {
    let dueMs = Infinity;
    for (const atMs of this.at.timers.values()) dueMs = Math.min(dueMs, atMs);
    for (const { timerAtMs, isFrozen } of Object.values(this.at.daemons))
      if (!isFrozen && timerAtMs !== null) dueMs = Math.min(dueMs, timerAtMs);
    return dueMs;
  }

  /** An assignment arrives, perhaps for the second time, perhaps much too late. */
  deliver(name: DaemonName, assignment: Assignment, sentAtMs: number): void {
    this.daemon(name, { kind: "assigned", requestId: `check:${sentAtMs}`, assignment });
  }

  #perform(effect: ArbiterEffect): void {
    const { at } = this;
    switch (effect.kind) {
      case "assign":
        return this.#assign(effect);
      case "commit":
        return this.#commit(effect.commit);
      case "timer":
        if (effect.atMs === null) at.timers.delete(effect.key);
        else at.timers.set(effect.key, effect.atMs);
        return;
      case "readLeadership":
        if (at.isStoreDown) this.arbiter({ kind: "storeFailed", what: "leadership", detail: "down" });
        else this.arbiter({ kind: "leadershipRead", record: at.record });
        return;
      case "campaign":
        return this.#campaign(effect.expected, effect.next);
      case "load":
        if (at.isStoreDown) return this.arbiter({ kind: "storeFailed", what: "load", detail: "down" });
        return this.arbiter({
          kind: "loaded",
          term: effect.term,
          revision: at.revision,
          rows: [...at.rows.values()],
          settings: at.settings,
          configuration: at.configuration,
        });
      case "journal":
        this.rowsTaken.arbiter.add(effect.entry.row);
        return;
      case "record":
      case "answer":
      case "touchStore":
      case "askArbiterPromise":
      case "askOpinion":
      case "answerArbiterPromise":
      case "changed":
      case "forget":
      case "released":
    }
  }

  #assign({ daemon, assignment, timeoutMs }: Extract<ArbiterEffect, { kind: "assign" }>): void {
    const { at } = this;
    must(committedFirst(assignment, (service, epoch) => at.committed.get(`${service}@${epoch}`) ?? null));
    must(saidInPhase(at.arbiter, this.#phases, assignment));
    const name = daemon === "m" ? "m" : "s";
    const sentAtMs = at.nowMs;
    const place = at.daemons[name];
    at.sent.set(name, { assignment, sentAtMs });
    const isReached = !at.cut.has(name === "m" ? "am" : "as");
    if (isReached && place.state === null) {
      this.arbiter({ kind: "checkFailed", daemon, sentAtMs, cause: "refused", detail: "" });
      return;
    }
    if (!isReached || place.isFrozen) {
      const key = `timeout:${name}:${assignment.term}:${assignment.seq}`;
      at.timeouts.set(key, { daemon, sentAtMs });
      at.timers.set(key, sentAtMs + timeoutMs);
    }
    if (isReached) this.deliver(name, assignment, sentAtMs);
  }

  #campaign(expected: LeadershipRecord | null, next: LeadershipRecord): void {
    const { at } = this;
    if (at.isStoreDown) return this.arbiter({ kind: "storeFailed", what: "campaign", detail: "down" });
    const won = mayCampaign(at.record, expected);
    if (won) at.record = next;
    this.arbiter({ kind: "campaigned", won, record: at.record, beganAtMs: at.nowMs });
  }

  #commit(commit: Commit): void {
    const { at } = this;
    const { commitId } = commit;
    const failed = (outcome: "refused" | "unknown" | "fenced"): void =>
      this.arbiter({ kind: "commitFailed", commitId, outcome, detail: "" });
    if (at.isStoreDown) return failed("refused");
    if (whyFenced(commit, at.record, (service) => at.rows.get(service)?.epoch ?? null) !== null)
      return failed("fenced");
    for (const { row } of commit.changes) {
      must(epochRises(at.rows.get(row.service) ?? null, row));
      must(clearedIsPast(row));
      at.rows.set(row.service, row);
      if (row.holder !== null && row.bootId !== null)
        at.committed.set(`${row.service}@${row.epoch}`, { holder: row.holder, bootId: row.bootId });
    }
    at.settings = commit.settings ?? at.settings;
    at.configuration = commit.configuration ?? at.configuration;
    at.revision += 1;
    if (at.isNextUnknown) {
      at.isNextUnknown = false;
      return failed("unknown");
    }
    const events = commit.events.map((event, index) => Object.assign({ seq: index + 1 }, event));
    this.arbiter({ kind: "committed", commitId, revision: at.revision, events });
  }

  #performDaemon(name: DaemonName, place: Place, effect: DaemonEffect): void {
    const { at } = this;
    switch (effect.kind) {
      case "answer":
        return this.#report(name, effect.report, Number(effect.requestId.slice("check:".length)));
      case "sendReport":
        return this.#report(name, effect.report, null);
      case "activate":
      case "demote":
        place.pending = { kind: effect.kind, epoch: effect.epoch };
        if (!at.hooksAreSlow) this.finish(name, true);
        return;
      case "fence": {
        const { service, epoch } = effect;
        const isStarting = place.pending?.kind === "activate";
        place.pending = null;
        if (isStarting)
          return this.daemon(name, { kind: "activationFailed", service, epoch, reason: "its lease ended" });
        return this.daemon(name, { kind: "demoted", service, epoch });
      }
      case "askPromise":
        return this.#askPromise(name, effect);
      case "answerPromise":
        return this.#promised(name, effect);
      case "persist":
        place.memory = effect.memory;
        if (effect.token !== null) this.daemon(name, { kind: "persisted", token: effect.token });
        return;
      case "timer":
        place.timerAtMs = effect.atMs;
        return;
      case "left":
        place.state = null;
        place.timerAtMs = null;
        return;
      case "log": {
        const row = /\(row (\d+)\)$/.exec(effect.text)?.[1];
        if (row !== undefined) this.rowsTaken.daemon.add(Number(row));
        return;
      }
      case "leaseSet":
    }
  }

  #report(name: DaemonName, report: Report, sentAtMs: number | null): void {
    this.at.reports.set(name, report);
    if (this.at.cut.has(name === "m" ? "am" : "as")) return;
    this.arbiter({ kind: "reported", report, via: sentAtMs === null ? "unasked" : "check", sentAtMs });
  }

  #askPromise(from: DaemonName, { candidate, request }: EffectOf<"askPromise">): void {
    const to = candidate.name === "m" ? "m" : "s";
    if (!this.at.cut.has("ms")) this.daemon(to, { kind: "promiseAsked", requestId: from, request });
  }

  #promised(from: DaemonName, { requestId, answer }: EffectOf<"answerPromise">): void {
    if (this.at.cut.has("ms")) return;
    const { service, epoch, round } = answer;
    const candidate = { name: from, stateId: answer.stateId, url: `http://${from}` };
    const to = requestId === "m" ? "m" : "s";
    this.daemon(to, { kind: "promiseAnswered", service, epoch, round, candidate, answer });
  }
}
