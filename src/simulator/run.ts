/**
 * One seed: draw the options, let anything happen (safety), heal everything (liveness), and say what
 * came of it. The same seed and overrides give the same run, and the same trace hash.
 */
import { watchBlackout } from "./checkers/blackout.ts";
import { watchRecovery } from "./checkers/recovery.ts";
import { beginFaults, healEverything } from "./faults.ts";
import { beginVisits } from "./operator.ts";
import type { Mutation } from "./mutations.ts";
import { NO_MUTATION } from "./mutations.ts";
import type { Overrides, SimulationOptions } from "./options.ts";
import { drawOptions } from "./options.ts";
import { pictureOf } from "./picture.ts";
import { Simulation } from "./simulation.ts";

export interface Outcome {
  readonly seed: number;
  readonly options: SimulationOptions;
  /** What was found; null: nothing. */
  readonly violation: string | null;
  readonly error: unknown;
  readonly virtualMs: number;
  readonly steps: number;
  /** Checks and beats that were reckoned instead of played. */
  readonly skipped: number;
  readonly traceHash: string;
  /** The last notes before the end. */
  readonly trace: readonly string[];
  /** How things stood then. */
  readonly picture: readonly string[];
  readonly activations: number;
  readonly commits: number;
  readonly promisesAsked: number;
}

export function runSeed(
  seed: number,
  overrides: Overrides = {},
  mutation: Mutation = NO_MUTATION,
  runs: { readonly fastForward: boolean } = { fastForward: true },
): Outcome {
  const options = drawOptions(seed, overrides);
  const simulation = new Simulation(seed, options, mutation, runs);
  try {
    const { world } = simulation;
    for (const host of simulation.arbiters) host.start();
    for (const host of simulation.daemons) {
      if (world.random.chance(0.6)) host.start();
      else world.after(options.lateStartMs * world.random.next(), () => host.start());
    }
    beginFaults(simulation);
    if (options.operatorEveryMs !== null) beginVisits(simulation, options.operatorEveryMs);
    simulation.world.runUntil(options.safetyMs);
    if (simulation.failure === null) {
      healEverything(simulation);
      watchRecovery(simulation);
      if (simulation.failure === null) watchBlackout(simulation);
    }
  } catch (error) {
    simulation.fail(error);
  }
  const { world, failure, oneHolder, store } = simulation;
  return {
    seed,
    options,
    violation: failure === null ? null : failure instanceof Error ? failure.message : "an unknown error",
    error: failure,
    virtualMs: world.nowMs,
    steps: world.steps,
    skipped: simulation.fastForward?.skipped ?? 0,
    traceHash: world.hash,
    trace: world.lines(),
    picture: failure === null ? [] : pictureOf(simulation),
    activations: oneHolder.activations,
    commits: store.commits,
    promisesAsked: simulation.promisesAsked,
  };
}

/** Everything that is needed to run it again. */
export function describe(outcome: Outcome, flags?: string): string {
  const { seed, options, violation, error, trace, traceHash } = outcome;
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return [
    `seed ${seed}: ${violation ?? "nothing found"}`,
    `replay: npm run sim -- ${flags ?? `--seed ${seed} --seeds 1`}`,
    `options: ${JSON.stringify(options)}`,
    `trace hash ${traceHash}; the last of it:`,
    ...trace,
    ...outcome.picture,
    stack,
  ].join("\n");
}
