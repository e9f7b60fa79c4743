/**
 * Ends the process when its lease is about to end and the event loop hasn't noticed: a busy loop,
 * a blocking call, a debugger. Without it I1 would hang on the good behaviour of somebody's code.
 *
 * A worker thread sleeps on one number in shared memory: the instant at which to kill. The main
 * thread writes it with every change of a lease and does nothing else. In time, the core fences by
 * itself at `fenceAtMs` (exit code 70, with a sentence); the watch comes half of the grace later,
 * so that it speaks only where the loop can't.
 *
 * The instant is one of `nowMs()`: that is the machine's boot-time clock and not one of a thread,
 * so the watch compares it with its own reading, to within the grain that `clock_slack` covers.
 */
import { Worker } from "node:worker_threads";
import type { HeldLease } from "./lease-table.ts";

export interface LeaseWatch {
  update(leases: ReadonlyMap<string, HeldLease>): void;
  close(): Promise<void>;
}

/** In the shared word: nothing is held. Every other value is in microseconds of `nowMs()`. */
const NEVER = -1n;

/** Resolves when the watch is awake: no lease may be taken before. */
export async function startLeaseWatch(): Promise<LeaseWatch> {
  const killAt = new BigInt64Array(new SharedArrayBuffer(8));
  killAt[0] = NEVER;
  // The same folder and the same ending as this module: .ts from a checkout, .js once built.
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./lease-watch-thread.${ending}`, import.meta.url), {
    workerData: killAt,
    name: "lease-watch",
    // No debugger and no loader of the process may stop this thread too.
    execArgv: [],
  });
  await new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
  let isClosing = false;
  worker.once("exit", () => {
    // Without its watch a holder must not go on: the process ends, and its leases with it.
    if (!isClosing) throw new Error("The thread that watches the lease has ended, and so must this process.");
  });
  worker.unref();
  return {
    update(leases): void {
      const atMs = earliestKillMs(leases);
      Atomics.store(killAt, 0, atMs === null ? NEVER : BigInt(Math.round(atMs * 1000)));
      Atomics.notify(killAt, 0);
    },
    async close(): Promise<void> {
      isClosing = true;
      await worker.terminate();
    },
  };
}

/** Half-way between the core's own fence and the lease's end. Null: nothing is held. */
export function earliestKillMs(leases: ReadonlyMap<string, HeldLease>): number | null {
  let earliest: number | null = null;
  for (const lease of leases.values()) {
    const killAtMs = (lease.fenceAtMs + lease.leaseEndMs) / 2;
    if (earliest === null || killAtMs < earliest) earliest = killAtMs;
  }
  return earliest;
}
