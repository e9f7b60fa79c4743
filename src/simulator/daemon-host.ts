/**
 * A machine with a daemon on it: the daemon's core as it is, and around it what the runtime, the
 * launcher and the disk would do.
 *
 * The disk keeps what was written, and loses what wasn't synced when the power goes. Work is begun,
 * stopped and killed as the core says; it takes its time, fails, or doesn't stop when it should.
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
import type { Work } from "./checkers/one-holder.ts";
import type { Clock } from "./machine.ts";
import { Alarm, drawClock, Process } from "./machine.ts";
import type { Mutation } from "./mutations.ts";
import type { Host } from "./network.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

type Timeless<E> = E extends unknown ? Omit<E, "nowMs"> : never;
type EffectOf<Kind extends DaemonEffect["kind"]> = Extract<DaemonEffect, { readonly kind: Kind }>;

/** What the answer to an assignment brings; the problem is around the report. */
export interface AssignmentAnswer {
  readonly report: Report;
  readonly isOutdated: boolean;
}

export interface WorkloadOptions {
  readonly activationMs: number;
  readonly demotionMs: number;
  readonly failProbability: number;
  /** `demote` that doesn't finish in time. */
  readonly hangProbability: number;
  readonly syncMs: number;
  readonly latenessMs: number;
}

/** Between a kill and the death of a process group. */
const KILL_MS = 3;

export class DaemonHost implements Host {
  readonly name: string;
  readonly spec: DaemonSpec;
  readonly #simulation: Simulation;
  isUp = true;
  process: Process | null = null;
  state: DaemonState | null = null;
  /** Set by faults: what the health check of the workload says. */
  isHealthy = true;
  #clock: Clock;
  #stateId: string;
  #written: DaemonMemory | null = null;
  #synced: DaemonMemory | null = null;
  #queue: StepQueue<DaemonEvent, DaemonEffect> | null = null;
  readonly #works = new Map<string, Work>();
  readonly #guards = new WeakMap<Work, Alarm>();
  /** As last handed over, by service: it comes before the work that it is for. */
  readonly #leases = new Map<string, EffectOf<"leaseSet">>();
  readonly #answers = new Map<string, (answer: AssignmentAnswer) => void>();
  readonly #promiseAnswers = new Map<string, (answer: PromiseAnswer) => void>();
  #requests = 0;

  constructor(simulation: Simulation, spec: DaemonSpec) {
    this.name = spec.name;
    this.spec = spec;
    this.#simulation = simulation;
    this.#clock = drawClock(simulation.world, simulation.options.clockDrift);
    this.#stateId = simulation.freshId("state");
  }

  /** The work of this service that is done here, and its guard; null: none. */
  workOf(service: string): { readonly work: Work; readonly guard: Alarm | null } | null {
    const work = this.#works.get(service);
    return work === undefined ? null : { work, guard: this.#guards.get(work) ?? null };
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
        if (this.process === process) this.#perform(effect);
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
    this.#queue?.stop();
    this.process = null;
    this.state = null;
    this.#answers.clear();
    this.#promiseAnswers.clear();
    const { world, oneHolder } = this.#simulation;
    for (const work of this.#works.values()) {
      if (work.isLaunched && this.isUp) world.after(KILL_MS * world.random.next(), () => oneHolder.end(work));
      else oneHolder.end(work);
    }
    this.#works.clear();
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
    for (const work of this.#works.values()) {
      this.#endWork(work);
      this.process?.run(() =>
        this.#push({ kind: "exited", service: work.service, epoch: work.epoch, reason: "code 1" }),
      );
      return;
    }
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
        return this.#leaseSet(effect);
      case "activate":
        return this.#activate(effect);
      case "demote":
        return this.#demote(effect);
      case "fence":
        return this.#fence(effect);
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

  #leaseSet(effect: EffectOf<"leaseSet">): void {
    const { service, epoch, leaseEndMs, fenceAtMs } = effect;
    this.#leases.set(service, effect);
    const work = this.#works.get(service);
    if (work !== undefined && work.epoch === epoch) {
      this.#simulation.oneHolder.extend(work, leaseEndMs, this.#simulation.world.nowMs);
      this.#guards.get(work)?.set(work.clock.toWorld(fenceAtMs));
    }
  }

  /** The guard is a process of its own: it kills in time, also while the launcher is stopped. */
  #guard(work: Work): Alarm {
    const { world } = this.#simulation;
    return new Alarm(world, () => {
      world.after(KILL_MS * world.random.next(), () => {
        if (this.#works.get(work.service) !== work) return;
        world.note("guard kills", this.name, work.service, work.epoch);
        this.#endWork(work);
        this.process?.run(() =>
          this.#push({
            kind: "exited",
            service: work.service,
            epoch: work.epoch,
            reason: "killed by its guard",
          }),
        );
      });
    });
  }

  #activate({ service, epoch, leaseEndMs }: EffectOf<"activate">): void {
    const { world, options, oneHolder } = this.#simulation;
    const lease = this.#leases.get(service);
    if (lease === undefined || lease.epoch !== epoch)
      throw new Violation(`${service} is activated without a lease`);
    const work: Work = {
      service,
      daemon: this.name,
      bootId: this.state?.options.bootId ?? "",
      epoch,
      clock: this.#clock,
      isLaunched: this.spec.launch !== null,
      leaseEndMs,
    };
    this.#works.set(service, work);
    oneHolder.begin(work, world.nowMs);
    if (work.isLaunched) {
      const guard = this.#guard(work);
      this.#guards.set(work, guard);
      guard.set(work.clock.toWorld(lease.fenceAtMs));
    }
    const isFailing = world.random.chance(options.workload.failProbability);
    this.process?.after(options.workload.activationMs * (0.5 + world.random.next()), () => {
      if (this.#works.get(service) !== work) return;
      if (isFailing) {
        this.#endWork(work);
        this.#push({ kind: "activationFailed", service, epoch, reason: "it didn't start" });
      } else {
        this.#push({ kind: "activated", service, epoch });
      }
    });
  }

  #demote({ service, epoch }: EffectOf<"demote">): void {
    const { world, options } = this.#simulation;
    if (world.random.chance(options.workload.hangProbability)) return;
    this.process?.after(options.workload.demotionMs * (0.5 + world.random.next()), () => {
      const work = this.#works.get(service);
      if (work !== undefined && work.epoch === epoch) this.#endWork(work);
      this.#push({ kind: "demoted", service, epoch });
    });
  }

  /** A library daemon's process ends itself; a launched program is killed. */
  #fence({ service, epoch }: EffectOf<"fence">): void {
    const { world } = this.#simulation;
    if (this.spec.launch === null) {
      this.crash("fenced itself");
      this.#simulation.restartLater(this);
      return;
    }
    this.process?.after(KILL_MS * world.random.next(), () => {
      const work = this.#works.get(service);
      if (work !== undefined && work.epoch === epoch) this.#endWork(work);
      this.#push({ kind: "exited", service, epoch, reason: "killed" });
    });
  }

  #endWork(work: Work): void {
    this.#guards.get(work)?.cancel();
    if (this.#works.get(work.service) === work) this.#works.delete(work.service);
    this.#simulation.oneHolder.end(work);
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
