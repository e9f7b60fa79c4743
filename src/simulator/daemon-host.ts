/**
 * A machine with a daemon on it: the daemon's core as it is, and around it what the runtime, the
 * launcher and the disk would do.
 *
 * The disk keeps what was written, and loses what wasn't synced when the power goes. The work itself
 * is in `workbench.ts`.
 */
import { createDaemon, stepDaemon } from "../core/daemon.ts";
import type { DaemonState } from "../core/daemon.ts";
import type {
  DaemonEffect,
  DaemonEnvironment,
  DaemonEvent,
  DaemonMemory,
  DaemonOptions,
} from "../core/daemon-io.ts";
import { issueNonce } from "../core/lease.ts";
import type { Assignment, PromiseAnswer, PromiseRequest, Report } from "../core/messages.ts";
import type { DaemonSpec } from "../core/model.ts";
import { StepQueue } from "../shell/queue.ts";
import type { Clock } from "./machine.ts";
import { drawClock, Process } from "./machine.ts";
import type { Mutation } from "./mutations.ts";
import type { Host } from "./network.ts";
import type { Simulation } from "./simulation.ts";
import type { Employer, Timeless } from "./workbench.ts";
import { Workbench } from "./workbench.ts";

type EffectOf<Kind extends DaemonEffect["kind"]> = Extract<DaemonEffect, { readonly kind: Kind }>;

const LOOK_FOR_LOCK_MS = 1;

/** What the answer to an assignment brings; the problem is around the report. */
export interface AssignmentAnswer {
  readonly report: Report;
  readonly isOutdated: boolean;
}

export class DaemonHost implements Host, Employer {
  readonly name: string;
  readonly spec: DaemonSpec;
  readonly #simulation: Simulation;
  isUp = true;
  process: Process | null = null;
  state: DaemonState | null = null;
  /** Set by faults: what the health check of the workload says. */
  isHealthy = true;
  /** Where it listens. */
  url: string;
  /** Crashes once so many more effects have been carried out; null: not planned. */
  crashAfterEffects: number | null = null;
  #clock: Clock;
  #stateId: string;
  #written: DaemonMemory | null = null;
  #synced: DaemonMemory | null = null;
  #queue: StepQueue<DaemonEvent, DaemonEffect> | null = null;
  readonly #bench: Workbench;
  readonly #answers = new Map<string, (answer: AssignmentAnswer) => void>();
  readonly #promiseAnswers = new Map<string, (answer: PromiseAnswer) => void>();
  #requests = 0;

  constructor(simulation: Simulation, spec: DaemonSpec) {
    this.name = spec.name;
    this.spec = spec;
    this.url = spec.url;
    this.#simulation = simulation;
    this.#clock = drawClock(simulation.world, simulation.options.clockDrift);
    this.#stateId = simulation.freshId("state");
    this.#bench = new Workbench(simulation, this);
  }

  get isLaunched(): boolean {
    return this.spec.launch !== null;
  }

  get clock(): Clock {
    return this.#clock;
  }

  get bootId(): string {
    return this.state?.options.bootId ?? "";
  }

  tell(event: Timeless<DaemonEvent>): void {
    this.#push(event);
  }

  fenceItself(): void {
    this.crash("fenced itself");
    this.#simulation.restartLater(this);
  }

  workOf(service: string): ReturnType<Workbench["workOf"]> {
    return this.#bench.workOf(service);
  }

  nonceOf(nowMs: number): string {
    const bootId = this.state?.options.bootId ?? "";
    return issueNonce(bootId, nowMs, { tagOf: taggerOf(bootId) });
  }

  get isRunning(): boolean {
    return this.process !== null;
  }

  start(): void {
    const { world, options } = this.#simulation;
    if (this.process !== null || !this.isUp) return;
    // Who has the lock answers nobody before the programs of the launcher before it are gone.
    if (this.#bench.isLocked) {
      world.after(LOOK_FOR_LOCK_MS, () => this.start());
      return;
    }
    const bootId = this.#simulation.freshId("boot");
    const process = new Process(world, this.#clock, options.workload.latenessMs, bootId);
    const memory = this.#mutation.onStart(this.#written);
    const state = createDaemon(this.#daemonOptions(bootId), memory, process.nowMs());
    this.process = process;
    this.state = state;
    const env = { tagOf: taggerOf(bootId) };
    this.#queue = new StepQueue<DaemonEvent, DaemonEffect>({
      step: (event) => this.#step(state, event, env),
      perform: (effect) => {
        if (this.process !== process) return;
        if (this.crashAfterEffects === 0) {
          this.crashAfterEffects = null;
          this.crash("between two effects");
          this.#simulation.restartLater(this);
          return;
        }
        if (this.crashAfterEffects !== null) this.crashAfterEffects -= 1;
        this.#perform(effect);
      },
      onFatal: (error) => this.#simulation.fail(error),
      defer: (run) => world.after(0, run),
    });
    world.note("start", this.name, bootId);
    this.#push({ kind: "started" });
    if (!this.isHealthy) this.setHealth(false);
  }

  #step(state: DaemonState, event: DaemonEvent, env: DaemonEnvironment): readonly DaemonEffect[] {
    return stepDaemon(state, this.#mutation.onDaemonEvent(state, event, env), env);
  }

  get #mutation(): Mutation {
    return this.#simulation.mutation;
  }

  /** `kill -9` of the process. A guard kills the launched program at once. */
  crash(why: string): void {
    const { process } = this;
    if (process === null) return;
    this.#simulation.world.note("crash", this.name, why);
    process.kill();
    this.crashAfterEffects = null;
    this.#queue?.stop();
    this.process = null;
    this.state = null;
    this.#answers.clear();
    this.#promiseAnswers.clear();
    this.#bench.orphan(this.isUp);
    this.#simulation.connectionClosed(this);
  }

  /** The power goes: what wasn't synced may be lost, and the clock begins anew. */
  powerOff(): void {
    this.isUp = false;
    this.crash("power");
    const { world, options } = this.#simulation;
    if (world.random.chance(0.5)) this.#written = this.#synced;
    this.#clock = drawClock(world, options.clockDrift);
  }

  powerOn(): void {
    this.isUp = true;
  }

  /** Another machine takes the name, with an empty state folder. */
  wipe(): void {
    this.crash("wiped");
    this.#stateId = this.#simulation.freshId("state");
    this.#written = null;
    this.#synced = null;
    this.#clock = drawClock(this.#simulation.world, this.#simulation.options.clockDrift);
  }

  /** Suspended: nothing runs, nothing answers. */
  sleep(): void {
    const { process } = this;
    if (process === null || process.isPaused) return;
    process.pause();
    this.#bench.sleep();
  }

  wake(): void {
    if (!this.#bench.wake()) return;
    this.process?.resume();
  }

  /** Started again so that it obeys another cluster: `--forget-cluster`. */
  forgetCluster(): void {
    this.crash("forgets its cluster");
    const memory = this.#written;
    if (memory === null) return;
    this.#written = { ...memory, clusterId: null, term: 0, seenEpochs: {}, arbiters: [] };
    this.#synced = this.#written;
  }

  /** As it is on disk for sure. */
  get savedClusterId(): string | null {
    return this.#synced?.clusterId ?? null;
  }

  get clusterId(): string | null {
    return this.state?.clusterId ?? this.#written?.clusterId ?? null;
  }

  stop(): void {
    this.process?.run(() => this.#push({ kind: "stopRequested", reason: "SIGTERM" }));
  }

  setHealth(healthy: boolean): void {
    this.isHealthy = healthy;
    this.process?.run(() =>
      this.#push({ kind: "healthChanged", healthy, ready: true, reason: healthy ? "" : "says so" }),
    );
  }

  /** The program ends by itself. */
  exitWork(): void {
    this.#bench.exit();
  }

  /** An assignment arrived. */
  assigned(assignment: Assignment, respond: (answer: AssignmentAnswer) => void): void {
    const requestId = this.#nextRequest();
    this.#answers.set(requestId, respond);
    this.#push({ kind: "assigned", requestId, assignment });
  }

  promiseAsked(request: PromiseRequest, respond: (answer: PromiseAnswer) => void): void {
    const requestId = this.#nextRequest();
    this.#promiseAnswers.set(requestId, respond);
    this.#push({ kind: "promiseAsked", requestId, request });
  }

  #nextRequest(): string {
    this.#requests += 1;
    return String(this.#requests);
  }

  #push(event: Timeless<DaemonEvent>): void {
    const { process } = this;
    if (process !== null) this.#queue?.push({ ...event, nowMs: process.nowMs() });
  }

  #daemonOptions(bootId: string): DaemonOptions {
    const { spec } = this;
    return {
      name: spec.name,
      stateId: this.#stateId,
      bootId,
      type: spec.type,
      role: spec.role,
      launched: spec.launch !== null,
      onArbiterLoss: spec.onArbiterLoss,
      drainMarginMs: spec.drainMarginMs,
      killGraceMs: spec.killGraceMs,
      drainTimeoutMs: spec.drainTimeoutMs,
      configVersion: "",
      dataVersion: 0,
    };
  }

  #perform(effect: DaemonEffect): void {
    switch (effect.kind) {
      case "answer":
        this.#answers.get(effect.requestId)?.({
          report: effect.report,
          isOutdated: effect.problem?.code === "outdated",
        });
        this.#answers.delete(effect.requestId);
        return;
      case "answerPromise":
        this.#promiseAnswers.get(effect.requestId)?.(effect.answer);
        this.#promiseAnswers.delete(effect.requestId);
        return;
      case "leaseSet":
        return this.#bench.setLease(effect);
      case "activate":
        return this.#bench.activate(effect);
      case "demote":
        return this.#bench.demote(effect);
      case "fence":
        return this.#bench.fence(effect);
      case "askPromise":
        return this.#askPromise(effect);
      case "persist":
        return this.#persist(effect);
      case "sendReport":
        return this.#simulation.postReport(this, effect.report);
      case "timer":
        this.process?.timer("core", effect.atMs, () => this.#push({ kind: "timerFired" }));
        return;
      case "left":
        this.crash("left");
        return;
      case "log":
        this.#simulation.world.note(this.name, effect.text);
    }
  }

  #askPromise({ candidate, request, timeoutMs }: EffectOf<"askPromise">): void {
    const { service, epoch, round } = request;
    this.#simulation.askPromise(this, candidate, request, timeoutMs, (answer) => {
      this.#push({ kind: "promiseAnswered", service, epoch, round, candidate, answer });
    });
  }

  #persist({ token, memory }: EffectOf<"persist">): void {
    const { world, options } = this.#simulation;
    this.#written = memory;
    if (token === null) return;
    this.process?.after(options.workload.syncMs * (0.5 + world.random.next()), () => {
      this.#synced = memory;
      this.#push({ kind: "persisted", token });
    });
  }
}

/** Not secret, only different for each boot: nobody in here guesses. */
function taggerOf(bootId: string): (text: string) => string {
  const start = hashOf(0x811c9dc5, bootId);
  return (text) => String(hashOf(start, text) >>> 0);
}

function hashOf(start: number, text: string): number {
  let hash = start;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}
