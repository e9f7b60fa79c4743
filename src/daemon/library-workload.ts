/**
 * The author's hooks as a workload. The process *is* the service here, so fencing means the end of
 * the process, at once and with a last line that says why.
 *
 * A demotion is finished once `activate` has settled and `demote` has returned: an activation that
 * ignores its signal still runs. A `demote` that throws leaves open what still runs, and the
 * runtime fences.
 */
import { writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { FencedLease } from "../fence/under-lease.ts";
import { messageOf } from "../protocol/errors.ts";
import { nowMs } from "../shell/clock.ts";
import { watchHealth } from "./health-watch.ts";
import type { HealthHook, HealthTiming } from "./health-watch.ts";
import type { Lease } from "./lease.ts";
import { LeaseLostError, OwnLease } from "./lease.ts";
import { ServedRequests } from "./served-requests.ts";
import type { HttpHandler, ServeRequests } from "./served-requests.ts";
import type { ActivationContext, Workload, WorkloadSink } from "./workload.ts";

/** What the process says with its exit code: it ended itself, since its lease did. */
export const FENCED_EXIT_CODE = 70;
/** Of the time that a demotion has, before the author's `demote` gets the rest. */
const SHARE_FOR_REQUESTS = 0.5;

export interface Activation {
  readonly service: string;
  /** The fencing token; the same as `lease.epoch`. */
  readonly epoch: number;
  /** The service's settings, as the arbiter sends them. */
  readonly config: Readonly<Record<string, string>>;
  readonly lease: Lease;
  /** Aborted when the daemon is demoted, with a `LeaseLostError` as its reason. */
  readonly signal: AbortSignal;
}

export interface Demotion {
  readonly service: string;
  readonly epoch: number;
  readonly reason: string;
  /** Until then it must have returned, or the process ends. For people and clients: wall clock. */
  readonly deadline: Date;
  /** What is left of it now, by the clock that counts. */
  readonly remainingMs: () => number;
}

export interface Hooks {
  /** Starts working; resolves when the service runs. Rejects if it can't. */
  activate(activation: Activation): void | Promise<void>;
  /** Stops working; resolves when nothing of the service runs any more. */
  demote(demotion: Demotion): void | Promise<void>;
  health?: HealthHook;
  /**
   * Serves requests at the daemon's own port, whose paths the daemon doesn't answer itself: an
   * express application, or any `(request, response)`. Called only under a lease that is valid now.
   */
  http?: HttpHandler;
}

interface Activated {
  readonly lease: OwnLease;
  readonly abort: AbortController;
  /** Resolves when `activate` has settled and, if it failed by itself, has been cleaned up after. */
  readonly settled: Promise<void>;
  hasBegun: boolean;
  /** `activate` has resolved. */
  hasStarted: boolean;
}

export class LibraryWorkload implements Workload {
  readonly launched = false;
  readonly #hooks: Hooks;
  readonly #healthTiming: HealthTiming;
  readonly #held = new Map<string, Activated>();
  readonly #served: ServedRequests | null;
  readonly serve: ServeRequests | null;
  #stopHealth: () => void = () => {};

  constructor(hooks: Hooks, healthTiming: HealthTiming) {
    this.#hooks = hooks;
    this.#healthTiming = healthTiming;
    const { http } = hooks;
    const served = http === undefined ? null : new ServedRequests(http, (service) => this.#leaseOn(service));
    this.#served = served;
    this.serve = served === null ? null : (...asked) => served.serve(...asked);
  }

  async prepare(sink: WorkloadSink): Promise<void> {
    const { health } = this.#hooks;
    if (health === undefined) return;
    // Called on the hooks object: an author's `this` stays what it was.
    this.#stopHealth = watchHealth(
      async () => await health.call(this.#hooks),
      this.#healthTiming,
      (...found) => sink.health(...found),
    );
  }

  async activate({ service, epoch, config, leaseEndMs }: ActivationContext): Promise<void> {
    const lease = new OwnLease(service, epoch, leaseEndMs, nowMs);
    const abort = new AbortController();
    const { signal } = abort;
    const settled = Promise.withResolvers<void>();
    const activated: Activated = {
      lease,
      abort,
      settled: settled.promise,
      hasBegun: false,
      hasStarted: false,
    };
    this.#held.set(service, activated);
    try {
      await this.#start(activated, { service, epoch, config, lease, signal });
      activated.hasStarted = true;
    } catch (error) {
      // It failed by itself, and may have begun something. A demotion under way cleans up anyway.
      if (!signal.aborted) await this.#cleanUp(activated, `its activation failed: ${messageOf(error)}`);
      throw error;
    } finally {
      settled.resolve();
    }
  }

  async demote(service: string, epoch: number, reason: string, deadlineMs: number): Promise<void> {
    const activated = this.#held.get(service);
    if (activated === undefined || activated.lease.epoch !== epoch) return;
    activated.abort.abort(new LeaseLostError(service, epoch, reason));
    await activated.settled;
    if (this.#held.get(service) !== activated) return;
    if (activated.hasBegun) {
      // What answers the arbiter goes out before the author's code may take the thread.
      await setImmediate();
      await this.#served?.drain(service, (deadlineMs - nowMs()) * SHARE_FOR_REQUESTS);
      await this.#hooks.demote(demotionOf(service, epoch, reason, deadlineMs));
    }
    this.#end(activated, reason);
  }

  /** The lease on a service that is worked for, not being started or given up; "": on any. */
  #leaseOn(service: string): FencedLease | null {
    for (const { lease, hasStarted, abort } of this.#held.values()) {
      if (hasStarted && !abort.signal.aborted && (service === "" || lease.service === service)) return lease;
    }
    return null;
  }

  leaseSet(service: string, epoch: number, leaseEndMs: number): void {
    const activated = this.#held.get(service);
    if (activated?.lease.epoch === epoch) activated.lease.moveTo(leaseEndMs);
  }

  fence(service: string, epoch: number, reason: string): never {
    try {
      writeSync(
        2,
        `Fenced: ${service} at epoch ${epoch} had not stopped, because ${reason}. This process ends.\n`,
      );
    } finally {
      // Also where nobody reads what is said, or its disk is full.
      process.exit(FENCED_EXIT_CODE);
    }
  }

  async close(): Promise<void> {
    this.#stopHealth();
  }

  /** The author's code gets the thread only once the answer to the arbiter is on its way. */
  async #start(activated: Activated, activation: Activation): Promise<void> {
    await setImmediate();
    activation.signal.throwIfAborted();
    activated.hasBegun = true;
    await this.#hooks.activate(activation);
  }

  async #cleanUp(activated: Activated, reason: string): Promise<void> {
    const { lease, abort } = activated;
    const { service, epoch } = lease;
    abort.abort(new LeaseLostError(service, epoch, reason));
    try {
      await this.#hooks.demote(demotionOf(service, epoch, reason, nowMs() + lease.remainingMs()));
    } catch (error) {
      this.fence(service, epoch, `${reason}, and so did demote(): ${messageOf(error)}`);
    }
    this.#end(activated, reason);
  }

  #end({ lease }: Activated, why: string): void {
    lease.endNow(why);
    if (this.#held.get(lease.service)?.lease === lease) this.#held.delete(lease.service);
  }
}

function demotionOf(service: string, epoch: number, reason: string, deadlineMs: number): Demotion {
  const leftMs = deadlineMs - nowMs();
  return {
    service,
    epoch,
    reason,
    deadline: new Date(Date.now() + leftMs),
    remainingMs: () => Math.max(0, deadlineMs - nowMs()),
  };
}
