/** `arbiter maintenance`: a daemon gives up what it holds, and isn't chosen until it is taken out again. */
import { Argument, Command } from "commander";
import { connect } from "./connection.ts";
import { printAccepted } from "./order.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";

interface MaintenanceOptions extends ConnectionOptions, PrintOptions {
  readonly reason?: string;
}

export function maintenanceCommand(): Command {
  const command = new Command("maintenance")
    .argument("<daemon>", "the daemon")
    .addArgument(new Argument("<state>", "into maintenance, or out of it").choices(["on", "off"]))
    .option("--reason <text>", "why: shown to everyone who looks")
    .action(async (daemon: string, state: "on" | "off", options: MaintenanceOptions) => {
      const connection = await connect(await findPlaces(options));
      const path = `/v1/daemons/${encodeURIComponent(daemon)}/maintenance`;
      const body = {
        on: state === "on",
        by: requester(),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      };
      printAccepted(await connection.demand("POST", path, body), options);
    });
  return withExamples(withConnection(withJson(command)), [
    'arbiter maintenance scheduler-master on --reason "new disk"',
    "arbiter maintenance scheduler-master off",
  ]);
}
