/** `arbiter switchover`: a planned move. The old holder drains and says so; then the new one is activated. */
import { Command } from "commander";
import type { MoveOptions } from "./move.ts";
import { move, withMove } from "./move.ts";
import { withExamples } from "./options.ts";

export function switchoverCommand(): Command {
  const command = new Command("switchover")
    .argument("<service>", "the service to move")
    .option("--to <daemon>", "the daemon that is to hold it (default: whoever ranks first)")
    .action((service: string, options: MoveOptions) => move("switchover", service, options));
  return withExamples(withMove(command), [
    "arbiter switchover scheduler-master",
    "arbiter switchover scheduler-master --to scheduler-slave --timeout 30s",
  ]);
}
