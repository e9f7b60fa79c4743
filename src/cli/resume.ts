/** `arbiter resume`: ends a pause before its time. */
import { Command } from "commander";
import { connect } from "./connection.ts";
import { printAccepted } from "./order.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";

type ResumeOptions = ConnectionOptions & PrintOptions;

export function resumeCommand(): Command {
  const command = new Command("resume")
    .argument("[service]", "the service to resume (default: the pause of all of them)")
    .action(async (service: string | undefined, options: ResumeOptions) => {
      const connection = await connect(await findPlaces(options));
      const path =
        service === undefined ? "/v1/resume" : `/v1/services/${encodeURIComponent(service)}/resume`;
      printAccepted(await connection.demand("POST", path, { by: requester() }), options);
    });
  return withExamples(withConnection(withJson(command)), [
    "arbiter resume",
    "arbiter resume scheduler-master",
  ]);
}
