/**
 * `arbiter failover`: take the service from a daemon that has failed. Without `--force` it only
 * begins fencing: the service moves once the old holder is known to be inactive.
 */
import { Command } from "commander";
import { WrongUsage } from "./failure.ts";
import type { MoveOptions } from "./move.ts";
import { move, withMove } from "./move.ts";
import { withExamples } from "./options.ts";

export function failoverCommand(): Command {
  const command = new Command("failover")
    .argument("<service>", "the service to move")
    .option("--to <daemon>", "the daemon that is to hold it (default: whoever ranks first)")
    .option("--force", "you say that the old holder is dead: don't wait for its lease or its word")
    .option(
      "--even-if-alive",
      "with --force: also while the old holder answers. Two may then be active at once",
    )
    .action(async (service: string, options: MoveOptions) => {
      if (options.evenIfAlive === true && options.force !== true) {
        throw new WrongUsage(
          "--even-if-alive goes with --force.",
          "`arbiter help failover` says what the two do.",
        );
      }
      await move("failover", service, options);
    });
  return withExamples(withMove(command), [
    "arbiter failover scheduler-master",
    "arbiter failover scheduler-master --to scheduler-slave --force   # the old host is known to be off",
  ]);
}
