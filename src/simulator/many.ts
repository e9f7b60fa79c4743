/**
 * Many seeds on all cores: one thread each, seeds handed out one by one, so that a long one holds
 * nobody up. A seed's run depends on nothing but the seed, so neither does what is found.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { SeedResult, SeedTask } from "./seed-worker.ts";

/** The sources run as they are, the published files as JavaScript. */
const THREAD = new URL(`./seed-worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

export interface ManyOptions extends Omit<SeedTask, "seed"> {
  readonly firstSeed: number;
  /** No more seeds than this, and none once so much virtual time is through. */
  readonly seeds: number;
  readonly virtualMs: number;
  /** Go on after a finding. (Default: false) */
  readonly keepGoing?: boolean;
  /** (Default: one a core) */
  readonly threads?: number;
  readonly onResult?: (result: SeedResult, totals: Totals) => void;
}

export interface Totals {
  seeds: number;
  virtualMs: number;
  steps: number;
  skipped: number;
  activations: number;
  commits: number;
  promisesAsked: number;
  readonly found: SeedResult[];
}

export async function runMany(options: ManyOptions): Promise<Totals> {
  const totals: Totals = {
    seeds: 0,
    virtualMs: 0,
    steps: 0,
    skipped: 0,
    activations: 0,
    commits: 0,
    promisesAsked: 0,
    found: [],
  };
  let next = options.firstSeed;
  const take = (): SeedTask | null => {
    const { world, mutation, fastForward, keepGoing, seeds, firstSeed, virtualMs } = options;
    const isEnough = next - firstSeed >= seeds || totals.virtualMs >= virtualMs;
    if (isEnough || (totals.found.length > 0 && keepGoing !== true)) return null;
    next += 1;
    return { seed: next - 1, world, mutation, fastForward };
  };
  const count = (result: SeedResult): void => {
    totals.seeds += 1;
    for (const name of ["virtualMs", "steps", "skipped", "activations", "commits", "promisesAsked"] as const)
      totals[name] += result[name];
    if (result.found !== null) totals.found.push(result);
    options.onResult?.(result, totals);
  };
  const threads = options.threads ?? availableParallelism();
  await Promise.all(Array.from({ length: threads }, () => work(take, count)));
  return totals;
}

/** One thread, until there is nothing left to do. */
async function work(take: () => SeedTask | null, count: (result: SeedResult) => void): Promise<void> {
  const thread = new Worker(THREAD, { name: "arbiter-simulator" });
  try {
    await new Promise<void>((resolve, reject) => {
      const give = (): void => {
        const task = take();
        if (task === null) resolve();
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window's
        else thread.postMessage(task);
      };
      thread.on("error", reject);
      thread.on("message", (result: SeedResult) => {
        count(result);
        give();
      });
      give();
    });
  } finally {
    await thread.terminate();
  }
}
