/**
 * For how long nobody worked on a service, seen where the work is done rather than by an arbiter: from
 * the instant at which the last holder stopped (it died, froze, fell ill, or its lease ended) to the one
 * at which the next one began.
 */
import type { Work } from "./checkers/one-holder.ts";
import type { Simulation } from "./simulation.ts";

export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

export class Availability {
  readonly #simulation: Simulation;
  readonly #serving = new Map<string, readonly Work[]>();
  readonly #downSinceMs = new Map<string, number>();
  readonly #gaps = new Map<string, Gap[]>();
  /** Daemons whose work stands still: frozen, or ill. */
  readonly #idle = new Set<string>();
  #beganAtMs = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** From now on, with every service held. */
  begin(): void {
    const { world, oneHolder, whole } = this.#simulation;
    this.#beganAtMs = world.nowMs;
    for (const { name } of whole.services) this.#look(name);
    oneHolder.onChange = (service): void => this.#look(service);
  }

  /** What runs on that daemon's machine does nothing for now. */
  setIdle(daemon: string, isIdle: boolean): void {
    if (isIdle) this.#idle.add(daemon);
    else this.#idle.delete(daemon);
    for (const { name } of this.#simulation.whole.services) this.#look(name);
  }

  /** Gaps so far; the one that goes on ends now. */
  gapsOf(service: string): readonly Gap[] {
    this.#look(service);
    const since = this.#downSinceMs.get(service);
    const all = this.#gaps.get(service) ?? [];
    return since === undefined ? all : [...all, { fromMs: since, toMs: this.#simulation.world.nowMs }];
  }

  get lengthMs(): number {
    return this.#simulation.world.nowMs - this.#beganAtMs;
  }

  #look(service: string): void {
    const { nowMs } = this.#simulation.world;
    const lastMs = Math.max(-Infinity, ...(this.#serving.get(service) ?? []).map((work) => endOf(work)));
    if (this.#serving.get(service)?.length !== 0 && lastMs < nowMs && !this.#downSinceMs.has(service))
      this.#downSinceMs.set(service, Math.max(this.#beganAtMs, lastMs));
    const serving = this.#simulation.oneHolder
      .beliefs(service, nowMs)
      .filter(({ daemon }) => !this.#idle.has(daemon));
    this.#serving.set(service, serving);
    const since = this.#downSinceMs.get(service);
    if (serving.length === 0) {
      if (since === undefined) this.#downSinceMs.set(service, nowMs);
      return;
    }
    if (since === undefined) return;
    this.#downSinceMs.delete(service);
    if (nowMs > since)
      this.#gaps.set(service, [...(this.#gaps.get(service) ?? []), { fromMs: since, toMs: nowMs }]);
  }
}

/** A launched program knows nothing of leases: it works until it is dead. */
function endOf(work: Work): number {
  return work.isLaunched ? Infinity : work.clock.toWorld(work.leaseEndMs);
}
