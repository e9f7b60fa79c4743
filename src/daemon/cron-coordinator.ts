/**
 * The lease as a coordinator of node-cron: a `distributed` task fires on every daemon that has
 * scheduled it, and runs only on the one that holds the service at that instant.
 */
import type { FencedLease } from "../fence/under-lease.ts";

/** What node-cron asks of its `runCoordinator`. */
export interface CronCoordinator {
  /** Whether this process may run the task now; asked at each fire. */
  shouldRun(key: string, ttlMs: number): boolean;
}

/**
 * `lease`: what `activate` was given, or a function that gives the present one (null: none), for
 * tasks that are scheduled once and for all. A run that begins just before the lease's end may
 * outlast it: hand `lease.epoch` to whatever the task writes to.
 */
export function arbiterCoordinator(lease: FencedLease | (() => FencedLease | null)): CronCoordinator {
  const present = typeof lease === "function" ? lease : (): FencedLease => lease;
  return { shouldRun: () => present()?.held() ?? false };
}
