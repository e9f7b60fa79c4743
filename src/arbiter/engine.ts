/**
 * The arbiter's core, running: one queue of events, one timer wheel, and what carries each effect
 * out. Everything else in the process only pushes events and looks at the state.
 *
 * An operator's command is a promise here and an id in the core; it is always answered, if not by
 * the core then by a bound on the waiting, which says honestly that the outcome isn't known.
 */
import { createArbiter, stepArbiter } from "../core/arbiter.ts";
import type { ArbiterEffect, ArbiterEvent, CommandAnswer, OperatorCommand } from "../core/arbiter-io.ts";
import type { ArbiterOptions, ArbiterState } from "../core/arbiter-state.ts";
import type { ArbiterPromiseAnswer, ArbiterPromiseRequest } from "../core/messages.ts";
import type { ClusterModel } from "../core/model.ts";
import { nowMs, wallMs } from "../shell/clock.ts";
import { StepQueue } from "../shell/queue.ts";
import { TimerWheel } from "../shell/timer-wheel.ts";
import type { Store } from "../store/contract.ts";
import { isLeading } from "./cluster-map.ts";
import type { UndeliveredAlerts } from "./alerts/alerts.ts";
import { EventFeed } from "./event-feed.ts";
import { FailbackWindows } from "./failback-windows.ts";
import type { Journal } from "./journal.ts";
import { LatencyHistory } from "./latency-history.ts";
import type { ProcessLog } from "./log.ts";
import { MapBoard } from "./map-board.ts";
import { ArbiterMetrics } from "./metrics.ts";
import type { Opinion } from "./other-arbiters.ts";
import type { Surroundings } from "./status-facts.ts";
import { missingOf } from "./readiness.ts";
import { problemsOf } from "./status-problems.ts";
import { Publisher } from "./publisher.ts";
import { standbyState } from "./standby-view.ts";
import { StoreLane } from "./store-lane.ts";
import type { PushedEvent, StoreLaneOptions } from "./store-lane.ts";
import type { Drift } from "./sync/drift.ts";

/** Sends assignments and brings back `reported`, `checkFailed`, `connectionClosed`. */
export interface AssignmentSender {
  assign(effect: Extract<ArbiterEffect, { kind: "assign" }>): void;
  forget(daemon: string): void;
  close(): Promise<void> | void;
}

/** Asks the other arbiters for their promise, and for what they see; tries a daemon itself for another one. */
export interface PromiseAsker {
  ask(effect: Extract<ArbiterEffect, { kind: "askArbiterPromise" }>): Promise<ArbiterPromiseAnswer | null>;
  askOpinion(effect: Extract<ArbiterEffect, { kind: "askOpinion" }>): Promise<Opinion | null>;
  reaches(url: string, timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
}

/** Sends the cluster map to whoever has an older one. */
export interface MapSender {
  look(): void;
  close(): Promise<void>;
}

export interface EngineOptions {
  readonly options: ArbiterOptions;
  readonly store: Store;
  /** Number of the newest event in the store. */
  readonly lastEvent: number;
  readonly journal: Journal;
  readonly log: ProcessLog;
  /** Off: a failed check counts also if this process was stalled. For measuring what the doubt is worth. */
  readonly doubtsItself: boolean;
  readonly others: PromiseAsker;
  /** What to lead with; see the lane. */
  readonly leadWith?: StoreLaneOptions["leadWith"];
  makeChecker(push: (event: PushedEvent) => void): AssignmentSender;
  makeMapPush(board: MapBoard, push: (event: PushedEvent) => void): MapSender;
  /** The record says `released`, or the core found that it must not go on. */
  onEnd(error: unknown): void;
}

/** Below the ten seconds after which clients give up by themselves. */
const COMMAND_TIMEOUT_MS = 8_000;

/** Below the second that the one who asks waits. */
const OPINION_TRY_MS = 600;

const UNANSWERED: CommandAnswer = {
  status: 504,
  text: "The arbiter took the command, but the store has not confirmed it in time. `arbiter status` shows whether it happened.",
  eventSeq: null,
};
const STOPPING: CommandAnswer = {
  status: 503,
  text: "This arbiter is stopping. Ask another one.",
  eventSeq: null,
};

export class Engine {
  readonly state: ArbiterState;
  readonly feed: EventFeed;
  readonly board: MapBoard;
  readonly metrics: ArbiterMetrics;
  /** Of the last minute, for the dashboard. */
  readonly latencies: LatencyHistory = new LatencyHistory();
  readonly publisher: Publisher;
  /** What the alerts have to say for the status; they are made after the engine. */
  undeliveredAlerts: () => readonly UndeliveredAlerts[] = () => [];
  readonly #options: EngineOptions;
  readonly #queue: StepQueue<ArbiterEvent, ArbiterEffect>;
  readonly #wheel: TimerWheel;
  readonly #lane: StoreLane;
  readonly #checker: AssignmentSender;
  readonly #answers = new Map<string, (answer: CommandAnswer) => void>();
  readonly #promises = new Map<string, (answer: ArbiterPromiseAnswer) => void>();
  readonly #looks = new Set<() => void>();
  readonly #unwatch: () => void;
  readonly #maps: MapSender;
  readonly #windows: FailbackWindows;
  #followed: ClusterModel | null = null;
  #nextCommand = 1;
  /** Arbiters whose files aren't those in force; the comparing is the configuration sync's. */
  drift: readonly Drift[] = [];
  /** Other arbiters that don't answer, by name; found out by the same comparing. */
  silent: readonly string[] = [];
  /** By service, as the configuration has it. */
  drillMaxAgesMs: Readonly<Record<string, number>> = {};
  /** By daemon, of the files in force; see `readiness.ts`. */
  ownConfigs: () => Readonly<Record<string, string>> = () => ({});

  constructor(options: EngineOptions) {
    this.#options = options;
    this.state = createArbiter(options.options);
    this.metrics = new ArbiterMetrics(this.state, {
      nowMs,
      problems: () => problemsOf(this.state, this.around),
      missing: (views) => {
        const { around } = this;
        return views.map((view) => missingOf(this.state, view, around));
      },
      drifted: () => this.drift.map(({ arbiter }) => arbiter),
      unwritten: () => this.#lane.undelivered,
      lastEvent: () => this.feed.tail,
      streams: () => this.feed.listeners,
    });
    this.feed = new EventFeed(options.store, options.lastEvent, {
      began: (text) => options.log.warn(`The event log can't be read, and is tried again: ${text}`),
      ended: (afterMs) =>
        options.log.info(`The event log can be read again, after ${Math.round(afterMs / 1_000)} s.`),
    });
    this.metrics.watchAlerts(() => this.undeliveredAlerts());
    this.#queue = new StepQueue<ArbiterEvent, ArbiterEffect>({
      step: (event) => this.#step(event),
      perform: (effect) => this.#perform(effect),
      onFatal: (error) => options.onEnd(error),
    });
    this.#wheel = new TimerWheel({
      onFire: (key, lateMs) => {
        if (key.startsWith("check:")) this.metrics.checkDue(lateMs);
        this.push({ kind: "timerFired", key });
      },
      onLate: (lateMs) => {
        this.metrics.late(lateMs);
        this.push({ kind: "stalled", lateMs });
      },
    });
    this.#lane = new StoreLane({
      store: options.store,
      log: options.log,
      now: nowMs,
      push: (event) => this.push(event),
      onLogged: (events) => this.feed.offer(events),
      onLatency: (operation, ms) => this.metrics.storeAnswered(operation, ms),
      ...(options.leadWith === undefined ? {} : { leadWith: options.leadWith }),
    });
    this.publisher = new Publisher({
      store: options.store,
      term: () => (this.state.leadership.mode === "leading" ? this.state.term : null),
      now: nowMs,
      onLogged: (events) => this.feed.offer(events),
      onAnswer: (answer) => this.metrics.published(answer),
    });
    this.#checker = options.makeChecker((event) => this.push(event));
    this.board = new MapBoard(this.state, options.store);
    this.#maps = options.makeMapPush(this.board, (event) => this.push(event));
    this.#unwatch = options.store.watch(() => this.push({ kind: "storeChanged" }));
    this.#windows = new FailbackWindows((window, forMs) =>
      this.push({ kind: "windowOpened", window, forMs }),
    );
  }

  start(): void {
    this.push({ kind: "started" });
  }

  /** The one way in. */
  push(event: PushedEvent): void {
    if (event.kind === "stalled" && !this.#options.doubtsItself) return;
    const now = nowMs();
    if (event.kind === "reported" && event.sentAtMs !== null) {
      this.metrics.checked(now - event.sentAtMs);
      this.latencies.note(event.report.name, now - event.sentAtMs, now);
    } else if (event.kind === "checkFailed") this.metrics.checkFailed(event.cause);
    this.#queue.push({ ...event, nowMs: now, wallMs: wallMs() });
  }

  #step(event: ArbiterEvent): readonly ArbiterEffect[] {
    const { recorder } = this.#options.journal;
    recorder.before(this.state, event.nowMs);
    const effects = this.#decide(event);
    recorder.after(event, effects);
    if (this.#followed !== this.state.model) {
      this.#followed = this.state.model;
      this.#windows.follow(this.state.model, event.wallMs);
    }
    for (const look of this.#looks) look();
    this.board.look();
    return effects;
  }

  #decide(event: ArbiterEvent): readonly ArbiterEffect[] {
    try {
      return stepArbiter(this.state, event);
    } catch (error) {
      this.#options.journal.recorder.failed(event, error);
      throw error;
    }
  }

  /** What reads are answered from: the state, or, while it stands by, what it knows of the leader's. */
  async shown(): Promise<ArbiterState> {
    if (isLeading(this.state)) return this.state;
    await this.board.refresh();
    if (isLeading(this.state)) return this.state;
    return standbyState(this.state, this.board.newest, this.board.settings, this.around);
  }

  get around(): Surroundings {
    const { undelivered } = this.#lane;
    const alerts = this.undeliveredAlerts();
    const { drift, drillMaxAgesMs, silent } = this;
    const ownConfigs = this.ownConfigs();
    return {
      nowMs: nowMs(),
      wallMs: wallMs(),
      undelivered,
      alerts,
      drift,
      drillMaxAgesMs,
      ownConfigs,
      silent,
    };
  }

  command(
    by: string,
    command: OperatorCommand,
    origin: Readonly<Record<string, string>> = {},
  ): Promise<CommandAnswer> {
    if (this.#queue.stopped) return Promise.resolve(STOPPING);
    const id = `command-${this.#nextCommand}`;
    this.#nextCommand += 1;
    const { promise, resolve } = Promise.withResolvers<CommandAnswer>();
    const timer = setTimeout(() => this.#answer(id, UNANSWERED), COMMAND_TIMEOUT_MS);
    timer.unref();
    this.#answers.set(id, (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    this.push({ kind: "commanded", id, by, origin, command });
    return promise;
  }

  /** Another arbiter doubts itself: how many of these daemons this one reaches. Unknown ones don't count. */
  async opinion(daemons: readonly string[]): Promise<Opinion> {
    const known = daemons.flatMap((name) => this.state.daemons.get(name)?.spec.url ?? []);
    const tries = known.map((url) => this.#options.others.reaches(url, OPINION_TRY_MS));
    const answers = await Promise.all(tries);
    return { reached: answers.filter(Boolean).length, of: known.length };
  }

  /** Another arbiter leads, can't reach the store, and asks this one not to lead. */
  promise(request: ArbiterPromiseRequest): Promise<ArbiterPromiseAnswer> {
    if (this.#queue.stopped) {
      const { name, stateId } = this.state.options;
      const { protocol, round, term } = request;
      const because = "it is stopping";
      return Promise.resolve({ protocol, name, stateId, round, term, promised: false, because });
    }
    const id = `promise-${this.#nextCommand}`;
    this.#nextCommand += 1;
    const { promise, resolve } = Promise.withResolvers<ArbiterPromiseAnswer>();
    this.#promises.set(id, resolve);
    this.push({ kind: "arbiterPromiseAsked", id, request });
    return promise;
  }

  /** Waits until the state is as asked; false: the time was over first. */
  until(isSo: (state: ArbiterState) => boolean, timeoutMs: number): Promise<boolean> {
    if (isSo(this.state)) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const end = (result: boolean): void => {
      this.#looks.delete(look);
      clearTimeout(timer);
      resolve(result);
    };
    const look = (): void => {
      if (isSo(this.state)) end(true);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    this.#looks.add(look);
    return promise;
  }

  /** Ends what runs, the last events first. Nothing is sent after it. */
  async close(): Promise<void> {
    this.publisher.close();
    await this.#lane.flush(1_000);
    this.#unwatch();
    this.#queue.stop();
    this.#wheel.close();
    this.#windows.close();
    for (const id of this.#answers.keys()) this.#answer(id, STOPPING);
    await this.#checker.close();
    await this.#maps.close();
    await this.#options.others.close();
    this.#lane.close();
    this.feed.close();
    this.metrics.close();
  }

  #answer(id: string, answer: CommandAnswer): void {
    const waiting = this.#answers.get(id);
    this.#answers.delete(id);
    waiting?.(answer);
  }

  #perform(effect: ArbiterEffect): void {
    switch (effect.kind) {
      case "assign":
        this.#checker.assign(effect);
        return;
      case "commit":
        this.#lane.commit(effect.commit);
        return;
      case "record":
        this.#lane.record(effect.term, effect.events);
        return;
      case "timer":
        this.#wheel.set(effect.key, effect.atMs);
        return;
      case "readLeadership":
        this.#lane.readLeadership();
        return;
      case "campaign":
        this.#lane.campaign(effect.expected, effect.next);
        return;
      case "touchStore":
        this.#lane.touch(effect.record);
        return;
      case "load":
        this.#lane.load(effect.term);
        return;
      case "answer":
        this.#answer(effect.id, effect.answer);
        return;
      case "askArbiterPromise":
        void this.#options.others
          .ask(effect)
          .then((answer) => this.push({ kind: "arbiterPromiseAnswered", arbiter: effect.arbiter, answer }));
        return;
      case "askOpinion":
        void this.#options.others
          .askOpinion(effect)
          .then((opinion) => this.push({ kind: "opinionGiven", arbiter: effect.arbiter, opinion }));
        return;
      case "answerArbiterPromise":
        this.#promises.get(effect.id)?.(effect.answer);
        this.#promises.delete(effect.id);
        return;
      case "journal":
        this.#options.journal.write(effect.entry);
        this.metrics.moved(effect.entry);
        return;
      case "changed":
        // Whoever waits for it has looked right after the step. What was shown while it stood by counts.
        if (this.board.version > effect.mapVersion && isLeading(this.state))
          this.push({ kind: "mapSeen", version: this.board.version });
        this.#maps.look();
        return;
      case "forget":
        this.#checker.forget(effect.daemon);
        this.latencies.forget(effect.daemon);
        return;
      case "released":
        this.#options.onEnd(null);
        return;
    }
  }
}
