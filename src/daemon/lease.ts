/**
 * The lease as a daemon's author sees it: `held()` before each piece of work, `assertHeld()` before
 * each side effect, `epoch` handed to whatever stores the result.
 *
 * Every answer compares the clock at the call. What it can't do is stop the world between the call
 * and the side effect: a process may be frozen right there. For that there is the epoch. Storage
 * that refuses a lower epoch than it has seen can't be written to by an old holder.
 */
import { ArbiterError } from "../protocol/errors.ts";

export class LeaseLostError extends ArbiterError {
  override readonly name = "LeaseLostError";
  readonly service: string;
  readonly epoch: number;
  constructor(service: string, epoch: number, why: string) {
    super("ERR_ARB_LEASE_LOST", `The lease on ${service} at epoch ${epoch} is lost: ${why}`);
    this.service = service;
    this.epoch = epoch;
  }
}

export interface Lease {
  readonly service: string;
  /** The fencing token: rises with every new holder and is never used twice. */
  readonly epoch: number;
  /** Whether this process may act for the service at this instant. */
  held(): boolean;
  /** Throws `LeaseLostError` unless it is held now. */
  assertHeld(): void;
  /** What is left of it now; 0 once it is lost. */
  remainingMs(): number;
}

/** The runtime's end of a lease: moves its end, and ends it for good. */
export class OwnLease implements Lease {
  readonly service: string;
  readonly epoch: number;
  readonly #nowMs: () => number;
  #endMs: number;
  #over: string | null = null;

  constructor(service: string, epoch: number, endMs: number, nowMs: () => number) {
    this.service = service;
    this.epoch = epoch;
    this.#endMs = endMs;
    this.#nowMs = nowMs;
  }

  held(): boolean {
    return this.remainingMs() > 0;
  }

  assertHeld(): void {
    if (this.held()) return;
    throw new LeaseLostError(this.service, this.epoch, this.#over ?? "it was not renewed in time.");
  }

  remainingMs(): number {
    return this.#over === null ? Math.max(0, this.#endMs - this.#nowMs()) : 0;
  }

  moveTo(endMs: number): void {
    this.#endMs = endMs;
  }

  endNow(why: string): void {
    this.#over = why;
  }
}
