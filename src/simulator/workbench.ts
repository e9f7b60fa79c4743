/**
 * The work of a daemon: begun, stopped and killed as its core says. It takes its time, fails, or
 * doesn't stop when it should. A launched program has a guard, a process of its own that kills it in
 * time, also while its launcher is stopped; a library daemon's work ends with its process.
 */
import type { DaemonEffect, DaemonEvent } from "../core/daemon-io.ts";
import type { Work } from "./checkers/one-holder.ts";
import type { Clock, Process } from "./machine.ts";
import { Alarm } from "./machine.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

type EffectOf<Kind extends DaemonEffect["kind"]> = Extract<DaemonEffect, { readonly kind: Kind }>;
export type Timeless<E> = E extends unknown ? Omit<E, "nowMs"> : never;

export interface WorkloadOptions {
  readonly activationMs: number;
  readonly demotionMs: number;
  readonly failProbability: number;
  /** `demote` that doesn't finish in time. */
  readonly hangProbability: number;
  /** A program that ends is started again in place, in the same epoch and lease. */
  readonly restartProbability?: number;
  readonly syncMs: number;
  readonly latenessMs: number;
}

/** What it has to know of the daemon that it works for. */
export interface Employer {
  readonly name: string;
  readonly isLaunched: boolean;
  readonly bootId: string;
  readonly clusterId: string | null;
  readonly clock: Clock;
  readonly process: Process | null;
  tell(event: Timeless<DaemonEvent>): void;
  /** A library daemon whose hook hasn't stopped in time. */
  fenceItself(): void;
}

/** Between a kill and the death of a process group. */
const KILL_MS = 3;

export class Workbench {
  readonly #simulation: Simulation;
  readonly #employer: Employer;
  readonly #works = new Map<string, Work>();
  /** Those of them that are still on their way to being active. */
  readonly #starting = new WeakSet<Work>();
  /** Those that are being stopped: how their start ends is nobody's business any more. */
  readonly #overtaken = new WeakSet<Work>();
  readonly #guards = new WeakMap<Work, Alarm>();
  /** As last handed over, by service: it comes before the work that it is for. */
  readonly #leases = new Map<string, EffectOf<"leaseSet">>();
  /** The whole machine sleeps, guards and programs with it; its clock goes on. */
  #isAsleep = false;
  #orphans = 0;

  constructor(simulation: Simulation, employer: Employer) {
    this.#simulation = simulation;
    this.#employer = employer;
  }

  /** The work of this service that is done here, and its guard; null: none. */
  workOf(service: string): { readonly work: Work; readonly guard: Alarm | null } | null {
    const work = this.#works.get(service);
    return work === undefined ? null : { work, guard: this.#guards.get(work) ?? null };
  }

  /** Programs that the last launcher left, and that still hold the lock on the state folder. */
  get isLocked(): boolean {
    return this.#orphans > 0;
  }

  /** The process is gone. Guards kill what it had launched; without power nothing is left to be killed. */
  orphan(isPowered: boolean): void {
    const { world, oneHolder } = this.#simulation;
    this.#isAsleep = false;
    for (const work of this.#works.values()) {
      if (!work.isLaunched || !isPowered) {
        oneHolder.end(work);
        continue;
      }
      this.#orphans += 1;
      world.after(KILL_MS * world.random.next(), () => {
        this.#orphans -= 1;
        oneHolder.end(work);
      });
    }
    this.#works.clear();
  }

  sleep(): void {
    this.#isAsleep = true;
    for (const work of this.#works.values()) work.isFrozen = true;
  }

  /** False: it was awake. */
  wake(): boolean {
    if (!this.#isAsleep) return false;
    this.#isAsleep = false;
    const { nowMs } = this.#simulation.world;
    for (const work of this.#works.values()) {
      const guard = this.#guards.get(work);
      const fenceAtMs = this.#leases.get(work.service)?.fenceAtMs ?? 0;
      const isLate = guard !== undefined && work.clock.at(nowMs) >= fenceAtMs;
      // A program whose guard slept as well is killed a moment after both are awake: the documented
      // limit of a launched command, which the epoch at the resource covers.
      if (isLate) guard.set(nowMs);
      else work.isFrozen = false;
    }
    return true;
  }

  /** The program ends by itself. */
  exit(): void {
    const { world, options } = this.#simulation;
    const [work] = this.#works.values();
    if (work === undefined) return;
    const { service, epoch, isLaunched } = work;
    if (isLaunched && world.random.chance(options.workload.restartProbability ?? 0)) {
      this.#later({ kind: "restarting", service, epoch, reason: "code 1" });
      this.#begin(work);
      return;
    }
    this.#end(work);
    this.#later({ kind: "exited", service, epoch, reason: "code 1" });
  }

  /** It takes its time, and may fail. */
  #begin(work: Work): void {
    const { world, options } = this.#simulation;
    const { service, epoch } = work;
    const isFailing = world.random.chance(options.workload.failProbability);
    this.#starting.add(work);
    this.#employer.process?.after(options.workload.activationMs * (0.5 + world.random.next()), () => {
      if (this.#works.get(service) !== work) return;
      this.#starting.delete(work);
      if (isFailing) {
        this.#end(work);
        if (this.#overtaken.has(work)) return;
        this.#employer.tell({ kind: "activationFailed", service, epoch, reason: "it didn't start" });
      } else {
        this.#employer.tell({ kind: "activated", service, epoch });
      }
    });
  }

  setLease(effect: EffectOf<"leaseSet">): void {
    const { service, epoch, leaseEndMs, fenceAtMs } = effect;
    this.#leases.set(service, effect);
    const work = this.#works.get(service);
    if (work !== undefined && work.epoch === epoch) {
      this.#simulation.oneHolder.extend(work, leaseEndMs, this.#simulation.world.nowMs);
      // Its guard was late, and reads a renewal before it kills.
      if (!this.#isAsleep) work.isFrozen = false;
      this.#guards.get(work)?.set(work.clock.toWorld(fenceAtMs));
    }
  }

  activate({ service, epoch, leaseEndMs }: EffectOf<"activate">): void {
    const { world, oneHolder } = this.#simulation;
    const { name, bootId, clusterId, clock, isLaunched } = this.#employer;
    const lease = this.#leases.get(service);
    if (lease === undefined || lease.epoch !== epoch)
      throw new Violation(`${service} is activated without a lease`);
    const work: Work = {
      service,
      daemon: name,
      bootId,
      epoch,
      clock,
      isLaunched,
      leaseEndMs,
      isFrozen: false,
      isDisowned: false,
      clusterId: clusterId ?? "",
    };
    this.#works.set(service, work);
    this.#mustHaveCapacity();
    oneHolder.begin(work, world.nowMs);
    if (isLaunched) {
      const guard = this.#guard(work);
      this.#guards.set(work, guard);
      guard.set(clock.toWorld(lease.fenceAtMs));
    }
    this.#begin(work);
  }

  /** A store that has lost its past knows of no holdings, and \`hold\` keeps what was given elsewhere. */
  #mustHaveCapacity(): void {
    const { capacity, onArbiterLoss, losesStore, faults } = this.#simulation.options;
    if (onArbiterLoss === "hold" || losesStore === true || faults.restoreEveryMs > 0) return;
    // What was declared dead may go on for the rest of its lease.
    if ([...this.#works.values()].filter(({ isDisowned }) => !isDisowned).length <= capacity) return;
    throw new Violation(
      `${this.#employer.name} holds ${this.#works.size} services, and has a capacity of ${capacity}`,
    );
  }

  demote({ service, epoch }: EffectOf<"demote">): void {
    const { world, options } = this.#simulation;
    const ordered = this.#works.get(service);
    if (ordered?.epoch === epoch) this.#overtaken.add(ordered);
    if (world.random.chance(options.workload.hangProbability)) return;
    this.#employer.process?.after(options.workload.demotionMs * (0.5 + world.random.next()), () => {
      const work = this.#works.get(service);
      if (work !== undefined && work.epoch === epoch) this.#end(work);
      this.#employer.tell({ kind: "demoted", service, epoch });
    });
  }

  /** A library daemon's process ends itself; a launched program is killed. */
  fence({ service, epoch }: EffectOf<"fence">): void {
    const { world } = this.#simulation;
    if (!this.#employer.isLaunched) {
      this.#employer.fenceItself();
      return;
    }
    this.#employer.process?.after(KILL_MS * world.random.next(), () => {
      const work = this.#works.get(service);
      // What is killed in the midst of its start is told as a start that failed.
      const isStarting = work?.epoch === epoch && this.#starting.has(work);
      if (work !== undefined && work.epoch === epoch) this.#end(work);
      const kind = isStarting ? "activationFailed" : "exited";
      this.#employer.tell({ kind, service, epoch, reason: "killed" });
    });
  }

  #guard(work: Work): Alarm {
    const { world } = this.#simulation;
    return new Alarm(world, () => {
      if (this.#isAsleep) return;
      world.after(KILL_MS * world.random.next(), () => {
        const { service, epoch } = work;
        if (this.#works.get(service) !== work) return;
        world.note("guard kills", this.#employer.name, service, epoch);
        this.#end(work);
        this.#later({ kind: "exited", service, epoch, reason: "killed by its guard" });
      });
    });
  }

  #later(event: Timeless<DaemonEvent>): void {
    this.#employer.process?.run(() => this.#employer.tell(event));
  }

  #end(work: Work): void {
    this.#guards.get(work)?.cancel();
    if (this.#works.get(work.service) === work) this.#works.delete(work.service);
    this.#simulation.oneHolder.end(work);
  }
}
