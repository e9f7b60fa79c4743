/**
 * `arbiter simulate`: how it is asked for. What it does is in `simulate-run.ts`, which is loaded with the
 * whole simulator once it is wanted.
 */
import { Command, InvalidArgumentError } from "commander";
import type { PrintOptions } from "./options.ts";
import { withExamples, withFolder, withJson } from "./options.ts";

export interface SimulateOptions extends PrintOptions {
  readonly config?: string;
  readonly hours: number;
  readonly seed: number;
  readonly whatIf: readonly string[];
  readonly journal?: string;
}

export function simulateCommand(): Command {
  const command = new Command("simulate")
    .option("--hours <h>", "so many hours of virtual time", numberOption, 100)
    .option("--seed <n>", "which faults are drawn: the same number, the same run", numberOption, 1)
    .option(
      "--what-if <key=value>",
      "the same again with another setting; may be given more than once",
      gather,
      [],
    )
    .option("--journal <file>", "write the arbiters' journal of the run to this file")
    .action(async (options: SimulateOptions) => (await import("./simulate-run.ts")).simulate(options))
    .addHelpText(
      "after",
      "\nSettings to try: any of lease, check_interval, timeout, max_check_attempts, failback, failback_delay,\nactivation_timeout, drain_timeout, capacity, arbiter_lease; spares=+1 and arbiters=+1.\n\nExit code 1: a service could not be kept, or an invariant was broken.\n",
    );
  return withExamples(withFolder(withJson(command)), [
    "arbiter simulate",
    "arbiter simulate --hours 1000 --what-if lease=1s --what-if spares=+1",
  ]);
}

function numberOption(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("Expected a number above 0.");
  return value;
}

function gather(text: string, before: readonly string[]): readonly string[] {
  if (!/^[a-z_]+=.+$/u.test(text))
    throw new InvalidArgumentError("Expected KEY=VALUE, lease=1s for example.");
  return [...before, text];
}
