/** `arbiter failback`: move a service back to its master, now, rather than after `failback_delay`. */
import { Command } from "commander";
import type { MoveOptions } from "./move.ts";
import { move, withMove } from "./move.ts";
import { withExamples } from "./options.ts";

export function failbackCommand(): Command {
  const command = new Command("failback")
    .argument("<service>", "the service to move back")
    .action((service: string, options: MoveOptions) => move("failback", service, options));
  return withExamples(withMove(command), ["arbiter failback scheduler-master"]);
}
