/**
 * A machine with an arbiter on it: the arbiter's core as it is, and around it what the process would
 * do with its effects: checks over the network, calls to the shared store, timers.
 */
import { createArbiter, stepArbiter } from "../core/arbiter.ts";
import type {
  ArbiterEffect,
  ArbiterEvent,
  CommandAnswer,
  Commit,
  Moment,
  OperatorCommand,
} from "../core/arbiter-io.ts";
import type { ArbiterState } from "../core/arbiter-state.ts";
import { committedFirst } from "../core/invariants.ts";
import type { ArbiterPromiseAnswer, ArbiterPromiseRequest, Report } from "../core/messages.ts";
import type { ArbiterSpec, ClusterModel } from "../core/model.ts";
import { StepQueue } from "../shell/queue.ts";
import { acknowledged, refusedEdit } from "./checkers/promises-kept.ts";
import type { AssignmentAnswer } from "./daemon-host.ts";
import { WINDOW } from "./checkers/windows-kept.ts";
import { DaemonHost } from "./daemon-host.ts";
import type { Clock } from "./machine.ts";
import { drawClock, Process } from "./machine.ts";
import type { Host } from "./network.ts";
import { askOpinion } from "./opinions.ts";
import type { Simulation } from "./simulation.ts";
import type { SimulatedStore } from "./store.ts";
import { mustHold } from "./violation.ts";

type Timeless<E> = E extends unknown ? Omit<E, keyof Moment> : never;
type EffectOf<Kind extends ArbiterEffect["kind"]> = Extract<ArbiterEffect, { readonly kind: Kind }>;

/** Wall clocks differ; nothing is decided by them. */
const WALL_EPOCH_MS = 1_800_000_000_000;

export class ArbiterHost implements Host {
  readonly name: string;
  readonly #simulation: Simulation;
  readonly #spec: ArbiterSpec;
  #stateId: string;
  isUp = true;
  process: Process | null = null;
  state: ArbiterState | null = null;
  readonly #clock: Clock;
  #queue: StepQueue<ArbiterEvent, ArbiterEffect> | null = null;
  readonly #answers = new Map<
    string,
    { readonly command: OperatorCommand; readonly done: (answer: CommandAnswer) => void }
  >();
  readonly #promiseAnswers = new Map<string, (answer: ArbiterPromiseAnswer) => void>();
  #commands = 0;

  readonly #store: SimulatedStore;
  /** Crashes once so many more effects have been carried out; null: not planned. */
  crashAfterEffects: number | null = null;

  /** `store`: of another cluster for an arbiter that was given the wrong one by mistake. */
  constructor(simulation: Simulation, spec: ArbiterSpec, store: SimulatedStore) {
    this.name = spec.name;
    this.#store = store;
    this.#simulation = simulation;
    this.#spec = spec;
    this.#clock = drawClock(simulation.world, simulation.options.clockDrift);
    this.#stateId = simulation.freshId("arbiter-state");
  }

  get isLeading(): boolean {
    return this.state?.leadership.mode === "leading";
  }

  start(): void {
    const { world, configuration, options, mutation } = this.#simulation;
    // Without a file of its own it ends with an error.
    if (this.process !== null || !this.#isInFiles()) return;
    const model = this.#filesAtStart();
    const instance = this.#simulation.freshId("instance");
    const process = new Process(world, this.#clock, options.workload.latenessMs, instance);
    const state = createArbiter({
      name: this.name,
      url: `http://${this.name}`,
      instance,
      stateId: this.#stateId,
      freshClusterId: this.#simulation.freshId("cluster"),
      model,
      configuration,
      primary: options.primary ?? null,
    });
    this.process = process;
    this.state = state;
    const recorder = this.#simulation.recorderFor?.(this.name) ?? null;
    this.#queue = new StepQueue<ArbiterEvent, ArbiterEffect>({
      step: (event) => {
        const taken = mutation.onArbiterEvent(event);
        recorder?.before(state, event.nowMs);
        const effects = stepArbiter(state, taken);
        recorder?.after(taken, effects);
        mutation.afterArbiterStep(state, event);
        return effects;
      },
      perform: (effect) => {
        if (this.process !== process) return;
        if (this.crashAfterEffects === 0) {
          this.crashAfterEffects = null;
          this.crash("between two effects");
          this.#simulation.restartLater(this);
          return;
        }
        if (this.crashAfterEffects !== null) this.crashAfterEffects -= 1;
        this.#perform(process, effect);
      },
      onFatal: (error) => this.#simulation.fail(error),
      defer: (run) => world.after(0, run),
    });
    world.note("start", this.name, instance);
    this.#push({ kind: "started" });
    const leftMs = this.#simulation.windows.openUntilMs - world.nowMs;
    if (leftMs > 0) this.windowOpened();
    if (options.drifts === true) this.#push({ kind: "driftJudged", yieldsLead: world.random.chance(0.5) });
  }

  /** What its own folder says; with drift, what it said before an edit that has not reached it. */
  #filesAtStart(): ClusterModel {
    const { options, world } = this.#simulation;
    const older =
      options.drifts === true && world.random.chance(0.5) ? this.#simulation.olderVersion() : null;
    return older ?? this.#model();
  }

  crash(why: string): void {
    const { process } = this;
    if (process === null) return;
    this.#simulation.world.note("crash", this.name, why);
    process.kill();
    this.#queue?.stop();
    this.process = null;
    this.state = null;
    this.#answers.clear();
    this.#promiseAnswers.clear();
  }

  resume(): void {
    const { process } = this;
    if (process === null || !process.isPaused) return;
    const { world } = this.#simulation;
    const lateMs = world.nowMs - process.pausedAtMs;
    const stalled = (): void => this.#push({ kind: "stalled", lateMs });
    // The loop's timers mostly come before its sockets.
    const isFirst = world.random.chance(0.8);
    if (isFirst) world.after(0, stalled);
    world.after(0, () => {
      process.resume();
      if (!isFirst) stalled();
    });
  }

  /** The files were edited. */
  configure(): void {
    const { options, world } = this.#simulation;
    if (options.drifts === true && !this.isLeading && world.random.chance(0.5)) return;
    if (!this.#isInFiles()) {
      this.refuseEdit(`This arbiter, ${this.name}, is no longer in the files.`);
      return;
    }
    this.process?.run(() => {
      const { configuration } = this.#simulation;
      this.#push({ kind: "configured", model: this.#model(), configuration, plan: [] });
    });
  }

  /** The calendar says so, whenever the process gets to hear of it. */
  windowOpened(): void {
    const { world, windows } = this.#simulation;
    this.process?.run(() => {
      const forMs = windows.openUntilMs - world.nowMs;
      if (forMs > 0) this.#push({ kind: "windowOpened", window: WINDOW, forMs });
    });
  }

  /** Its state folder is lost: started again it is another one under the same name. */
  wipe(): void {
    this.crash("wiped");
    this.#stateId = this.#simulation.freshId("arbiter-state");
  }

  /** The files were edited, and are wrong. */
  refuseEdit(error = "daemons/m1.cfg:3: port must be a number"): void {
    this.process?.run(() => {
      const before = this.state;
      if (before === null) return;
      const { model, configuration } = before;
      this.#push({ kind: "configRefused", errors: [error] });
      if (this.state !== null) mustHold(refusedEdit({ model, configuration }, this.state));
    });
  }

  /** A stray one has files of its own. */
  #isInFiles(): boolean {
    const { model, stray } = this.#simulation;
    return this === stray || model.arbiters.some(({ name }) => name === this.name);
  }

  /** A stray one has the same daemons in its files, and knows nothing of the others. */
  #model(): ClusterModel {
    const { model, stray } = this.#simulation;
    return this === stray ? { ...model, arbiters: [this.#spec] } : model;
  }

  command(command: OperatorCommand, done: (answer: CommandAnswer) => void): void {
    this.#commands += 1;
    const id = `${this.name}-${this.#commands}`;
    this.#answers.set(id, { command, done });
    this.#simulation.orders.given(id, command);
    this.process?.run(() => this.#push({ kind: "commanded", id, by: "operator", command }));
  }

  #answered({ id, answer }: EffectOf<"answer">): void {
    const order = this.#answers.get(id);
    this.#answers.delete(id);
    this.#simulation.orders.answered(id, order?.command, answer);
    order?.done(answer);
  }

  /** What its process has to say to its core. */
  tell(event: Timeless<ArbiterEvent>): void {
    this.#push(event);
  }

  /** A daemon's unasked report. */
  reported(report: Report): void {
    this.#push({ kind: "reported", report, via: "unasked", sentAtMs: null });
  }

  connectionClosed(daemon: string): void {
    this.#push({ kind: "connectionClosed", daemon });
  }

  #push(event: Timeless<ArbiterEvent>): void {
    const { process } = this;
    if (process === null) return;
    const nowMs = process.nowMs();
    this.#queue?.push({ ...event, nowMs, wallMs: WALL_EPOCH_MS + nowMs });
  }

  #perform(process: Process, effect: ArbiterEffect): void {
    switch (effect.kind) {
      case "assign":
        return this.#assign(process, effect);
      case "commit":
        return this.#commit(process, effect.commit);
      case "record":
        this.#store.append(effect.events);
        for (const event of effect.events) this.#simulation.onEvent?.(this.name, event);
        return;
      case "timer":
        process.timer(effect.key, effect.atMs, () => this.#push({ kind: "timerFired", key: effect.key }));
        return;
      case "readLeadership":
        return this.#readLeadership(process);
      case "campaign":
        return this.#campaign(process, effect);
      case "touchStore":
        return this.#touch(process, effect);
      case "load":
        return this.#load(process, effect.term);
      case "answer":
        mustHold(acknowledged(effect.answer, (seq) => this.#store.eventType(seq)));
        this.#answered(effect);
        return;
      case "journal": {
        const { service, row, from, to, event, because } = effect.entry;
        this.#simulation.moved(service, to);
        mustHold(this.#simulation.windows.check(effect.entry, this.#simulation.world.nowMs));
        this.#simulation.onTransition?.(this.name, effect.entry);
        this.#simulation.world.note(this.name, service, `row ${row}`, from, "→", to, event, because);
        return;
      }
      case "released":
        this.crash("released");
        this.#simulation.restartLater(this);
        return;
      case "askArbiterPromise":
        return this.#askPromise(effect);
      case "askOpinion":
        return askOpinion(this.#simulation, this, effect, (opinion) =>
          this.#push({ kind: "opinionGiven", arbiter: effect.arbiter, opinion }),
        );
      case "answerArbiterPromise":
        this.#promiseAnswers.get(effect.id)?.(effect.answer);
        this.#promiseAnswers.delete(effect.id);
        return;
      case "changed":
        this.#simulation.readEverywhere();
        return;
      case "forget":
    }
  }

  #assign(process: Process, { daemon, url, assignment, timeoutMs }: EffectOf<"assign">): void {
    const { network } = this.#simulation;
    mustHold(
      committedFirst(assignment, (service, epoch, bootId) =>
        this.#store.given(assignment.clusterId, service, epoch, bootId),
      ),
    );
    this.#store.countOn(assignment);
    const host = this.#simulation.at(url);
    const sentAtMs = process.nowMs();
    network.call<AssignmentAnswer>(
      this,
      host,
      timeoutMs,
      (_, respond) => (host instanceof DaemonHost ? host.assigned(assignment, respond) : undefined),
      (answer, failure) => {
        if (answer === null) {
          const cause = failure ?? "timeout";
          this.#push({ kind: "checkFailed", daemon, sentAtMs, cause, detail: cause });
        } else if (answer.report.name !== daemon) {
          const detail = `${answer.report.name} answers there`;
          this.#push({ kind: "checkFailed", daemon, sentAtMs, cause: "wrong-daemon", detail });
        } else {
          const { report, isOutdated } = answer;
          this.#push({ kind: "reported", report, via: "check", sentAtMs, isOutdated });
        }
      },
    );
  }

  /** A leader asks this arbiter not to lead for a while. */
  promiseAsked(request: ArbiterPromiseRequest, respond: (answer: ArbiterPromiseAnswer) => void): void {
    this.#commands += 1;
    const id = `${this.name}-promise-${this.#commands}`;
    this.#promiseAnswers.set(id, respond);
    this.#push({ kind: "arbiterPromiseAsked", id, request });
  }

  #askPromise({ arbiter, request, timeoutMs }: EffectOf<"askArbiterPromise">): void {
    const to = this.#simulation.arbiters.find(({ name }) => name === arbiter);
    if (to === undefined) return;
    this.#simulation.network.call<ArbiterPromiseAnswer>(
      this,
      to,
      timeoutMs,
      (_, respond) => to.promiseAsked(request, respond),
      (answer) => this.#push({ kind: "arbiterPromiseAnswered", arbiter, answer }),
    );
  }

  #commit(process: Process, commit: Commit): void {
    const { commitId } = commit;
    this.#store.commit(process, commit, (result) => {
      if (result.kind === "ok") {
        for (const event of result.value.events) this.#simulation.onEvent?.(this.name, event);
        this.#push({ kind: "committed", commitId, ...result.value });
        return;
      }
      const outcome = result.kind === "fenced" ? "fenced" : result.outcome;
      this.#push({ kind: "commitFailed", commitId, outcome, detail: result.detail });
    });
  }

  #readLeadership(process: Process): void {
    this.#store.leadership(process, (result) => {
      if (result.kind === "ok") this.#push({ kind: "leadershipRead", record: result.value });
      else this.#push({ kind: "storeFailed", what: "leadership", detail: result.detail });
    });
  }

  #campaign(process: Process, { expected, next }: EffectOf<"campaign">): void {
    const beganAtMs = process.nowMs();
    this.#store.campaign(process, expected, next, (result) => {
      if (result.kind === "ok") this.#push({ kind: "campaigned", ...result.value, beganAtMs });
      else this.#push({ kind: "storeFailed", what: "campaign", detail: result.detail });
    });
  }

  #touch(process: Process, { record }: EffectOf<"touchStore">): void {
    const beganAtMs = process.nowMs();
    this.#store.campaign(process, record, record, (result) =>
      this.#push({ kind: "storeTouched", isWritten: result.kind === "ok" && result.value.won, beganAtMs }),
    );
  }

  #load(process: Process, term: number): void {
    this.#store.load(process, (result) => {
      if (result.kind === "ok") {
        const { revision, rows, settings, configuration } = result.value;
        // As the process does it: files that are older than the committed ones don't count.
        const { options, configuration: files } = this.#simulation;
        const inForce = options.drifts === true ? { model: this.#model(), configuration: files } : null;
        this.#push({ kind: "loaded", term, revision, rows, settings, configuration, inForce });
      } else {
        this.#push({ kind: "storeFailed", what: "load", detail: result.detail });
      }
    });
  }
}
