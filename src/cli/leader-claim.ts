/**
 * `arbiter leader claim`: the former leader is gone for good, says an operator, and one that it didn't
 * know is to lead. It is asked for at that arbiter itself: there is no leader to decide it.
 */
import { Command } from "commander";
import { connect } from "./connection.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { printAccepted } from "./order.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";
import { readStatus, unknownName } from "./wire.ts";

type ClaimOptions = ConnectionOptions & PrintOptions;

export function claimCommand(): Command {
  const command = new Command("claim")
    .description("declare the former leader gone for good, and have an arbiter lead that it didn't know")
    .argument("<arbiter>", "the arbiter that is to lead")
    .action(async (name: string, _options: ClaimOptions, self: Command) => {
      const options: ClaimOptions = self.optsWithGlobals();
      const places = await findPlaces(options);
      const { arbiters } = await readStatus(await connect(places));
      const found = arbiters.find((arbiter) => arbiter.name === name);
      if (found === undefined)
        throw unknownName(
          "arbiter",
          name,
          arbiters.map((arbiter) => arbiter.name),
        );
      const itself = await connect({ ...places, urls: [found.url] });
      printAccepted(await itself.demand("POST", "/v1/leader/claim", { by: requester() }), options);
    });
  return withExamples(withConnection(withJson(command)), ["arbiter leader claim arbiter-2"]);
}
