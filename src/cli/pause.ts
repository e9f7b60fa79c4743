/**
 * `arbiter pause`: nothing moves by itself, for one service or for all. Leases go on being renewed;
 * who, why and until when stands in the status of every arbiter.
 */
import { Command } from "commander";
import { connect } from "./connection.ts";
import { durationOption } from "./duration.ts";
import { printAccepted } from "./order.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";

interface PauseOptions extends ConnectionOptions, PrintOptions {
  readonly for?: number;
  readonly reason?: string;
}

export function pauseCommand(): Command {
  const command = new Command("pause")
    .argument("[service]", "the service to pause (default: all of them)")
    .option("--for <duration>", "for how long, 2h for example (default: until resumed)", durationOption)
    .option("--reason <text>", "why: shown to everyone who looks")
    .action(async (service: string | undefined, options: PauseOptions) => {
      const connection = await connect(await findPlaces(options));
      const path = service === undefined ? "/v1/pause" : `/v1/services/${encodeURIComponent(service)}/pause`;
      const body = {
        by: requester(),
        ...(options.for === undefined ? {} : { forMs: options.for }),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      };
      printAccepted(await connection.demand("POST", path, body), options);
    });
  return withExamples(withConnection(withJson(command)), [
    'arbiter pause --for 2h --reason "switch is being replaced"',
    'arbiter pause scheduler-master --for 30m --reason "upgrade of its database"',
  ]);
}
