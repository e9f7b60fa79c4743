/**
 * `reload_rollback = auto`: a version that leaves a service without a holder which had one before is
 * rolled back by itself.
 *
 * A while after each new version the services are watched. One that drains, moves or activates is
 * given its time; one that is vacant, or whose holder is being waited for, longer than its lease
 * needs, was lost by the edit as far as anyone can tell. A rollback is never rolled back.
 */
import type { ArbiterState } from "../../core/arbiter-state.ts";

/** What an edit breaks shows within the longest lease and activation in common use. */
const WATCH_MS = 60_000;
const LOOK_EVERY_MS = 250;
/** Two leases: a switchover, or one lost check, is no loss. */
const LEASES = 2;
const LEAST_MS = 1_000;

export interface AutoRollbackOptions {
  readonly state: () => ArbiterState;
  readonly nowMs: () => number;
  /** Read at each version, since that may be what it changes. */
  readonly isOn: () => boolean;
  /** Rolls back what is in force, because of this service. */
  readonly rollBack: (lost: string, version: number) => void;
}

interface Watched {
  readonly version: number;
  readonly untilMs: number;
  /** Service to when it was first seen without a holder; null: it has one. */
  readonly services: Map<string, number | null>;
}

export class AutoRollback {
  readonly #options: AutoRollbackOptions;
  #watched: Watched | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: AutoRollbackOptions) {
    this.#options = options;
  }

  /** A version is in force; `held`: services that had a holder before it. */
  applied(version: number, held: readonly string[]): void {
    this.close();
    if (!this.#options.isOn()) return;
    const untilMs = this.#options.nowMs() + WATCH_MS;
    this.#watched = { version, untilMs, services: new Map(held.map((name) => [name, null])) };
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#watched = null;
  }

  look(): void {
    const watched = this.#watched;
    if (watched === null) return;
    const { state, nowMs, rollBack } = this.#options;
    const now = nowMs();
    const { leadership, configuration } = state();
    if (now > watched.untilMs || leadership.mode !== "leading" || configuration.version !== watched.version) {
      this.close();
      return;
    }
    for (const [name, sinceMs] of watched.services) {
      const view = state().services.get(name);
      // What the edit takes out on purpose is no loss.
      if (view === undefined || view.removed) continue;
      const isLost = view.phase === "vacant" || view.phase === "fencing";
      if (view.phase === "activating") continue;
      const since = isLost ? (sinceMs ?? now) : null;
      watched.services.set(name, since);
      if (since === null || now - since < Math.max(LEAST_MS, LEASES * view.spec.leaseMs)) continue;
      this.close();
      rollBack(name, watched.version);
      return;
    }
  }
}
