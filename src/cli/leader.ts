/** `arbiter leader`: which arbiter leads; exit code 1 while none does. `transfer` hands the lead over. */
import { Command } from "commander";
import { connect } from "./connection.ts";
import { ClearNo } from "./failure.ts";
import { claimCommand } from "./leader-claim.ts";
import { transferCommand } from "./leader-transfer.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { plainLine, printJson, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { readStatus } from "./wire.ts";

type LeaderOptions = ConnectionOptions & PrintOptions;

export function leaderCommand(): Command {
  const command = new Command("leader").action(async (options: LeaderOptions) => {
    const status = await readStatus(await connect(await findPlaces(options)));
    const { leader, term } = status;
    const url = status.arbiters.find((arbiter) => arbiter.name === leader)?.url ?? null;
    if (options.json === true) printJson({ leader, term, url });
    if (leader === null) {
      throw new ClearNo(
        `no arbiter leads; ${status.name}, which answered, knows of none.`,
        "Holders go on meanwhile. `arbiter status` says what is wrong.",
      );
    }
    if (options.json === true) return;
    standardOutput.write(
      standardOutput.isTerminal
        ? `${standardOutput.paint("bold", leader)} leads, term ${term}${url === null ? "" : `, at ${url}`}\n`
        : plainLine([leader], { term, url }),
    );
  });
  const examples = ["arbiter leader", "arbiter leader --json", "arbiter leader transfer arbiter-2"];
  return withExamples(withConnection(withJson(command)), examples)
    .addCommand(transferCommand())
    .addCommand(claimCommand());
}
