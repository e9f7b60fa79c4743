/** `arbiter config plan`: how it is asked for. What it does is in `config-plan-run.ts`, loaded once it is wanted. */
import { Command } from "commander";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";

export type PlanOptions = ConnectionOptions & PrintOptions;

export function configPlanCommand(): Command {
  const command = new Command("plan")
    .description("what a reload would do, compared with what the running arbiter has in force")
    .argument("[path]", "the files to plan with (default: the folder that the arbiter reads)")
    .action(async (path: string | undefined, options: PlanOptions) =>
      (await import("./config-plan-run.ts")).plan(path, options),
    )
    .addHelpText(
      "after",
      "\nNothing is changed. Exit code 1: the files have errors, or no arbiter answers to compare with.\n",
    );
  return withExamples(withConnection(withJson(command)), [
    "cp -r /etc/arbiter /tmp/new && $EDITOR /tmp/new/arbiter.cfg && arbiter config plan /tmp/new",
  ]);
}
