/** `arbiter config`: everything about the files. Each sub-command has a file of its own. */
import { Command } from "commander";
import { configCheckCommand } from "./config-check.ts";
import { configDiffCommand } from "./config-diff.ts";
import { configHashCommand } from "./config-hash.ts";
import { configHistoryCommand } from "./config-history.ts";
import { configPlanCommand } from "./config-plan.ts";
import { configRollbackCommand } from "./config-rollback.ts";
import { configShowCommand } from "./config-show.ts";
import { withExamples } from "./options.ts";

export function configCommand(): Command {
  const command = new Command("config")
    .addCommand(configCheckCommand())
    .addCommand(configShowCommand())
    .addCommand(configHashCommand())
    .addCommand(configPlanCommand())
    .addCommand(configDiffCommand())
    .addCommand(configHistoryCommand())
    .addCommand(configRollbackCommand());
  return withExamples(command, ["arbiter config check", "arbiter config show --json", "arbiter config plan"]);
}
