/**
 * One of the threads of `many.ts`: runs seeds as they are given, one after another, and says what
 * came of each.
 */
import { parentPort } from "node:worker_threads";
import { MUTATIONS, NO_MUTATION } from "./mutations.ts";
import type { MutationName } from "./mutations.ts";
import { describe, runSeed } from "./run.ts";
import { worldOf } from "./worlds.ts";
import type { WorldName } from "./worlds.ts";

export interface SeedTask {
  readonly seed: number;
  readonly world: WorldName;
  readonly mutation: MutationName | null;
  readonly fastForward: boolean;
}

export interface SeedResult {
  readonly seed: number;
  readonly virtualMs: number;
  readonly steps: number;
  readonly skipped: number;
  readonly activations: number;
  readonly commits: number;
  readonly promisesAsked: number;
  /** Null: nothing was found. */
  readonly found: {
    readonly violation: string;
    /** For people: the trace's end, how things stood, how to see it again. */
    readonly text: string;
    /** To be kept: the seed with all that was drawn for it, which later draws don't change. */
    readonly scenario: string;
  } | null;
}

function run({ seed, world, mutation, fastForward }: SeedTask): SeedResult {
  const rule = mutation === null ? NO_MUTATION : MUTATIONS[mutation];
  const outcome = runSeed(seed, worldOf(world, seed), rule, { fastForward });
  const { virtualMs, steps, skipped, activations, commits, promisesAsked, violation, options } = outcome;
  const scenario = { found: violation, seed, options };
  const flags = `--world ${world} --seed ${seed} --seeds 1${mutation === null ? "" : ` --mutation "${mutation}"`}`;
  return {
    seed,
    virtualMs,
    steps,
    skipped,
    activations,
    commits,
    promisesAsked,
    found:
      violation === null
        ? null
        : { violation, text: describe(outcome, flags), scenario: JSON.stringify(scenario, null, 2) },
  };
}

const port = parentPort;
port?.on("message", (task: SeedTask) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window's
  port.postMessage(run(task));
});
