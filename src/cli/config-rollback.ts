/** `arbiter config rollback`: an older version of the configuration in force again, as a new one. */
import { Command, InvalidArgumentError } from "commander";
import { connect, refusal } from "./connection.ts";
import { SaidNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { printable, printJson, standardError, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";
import { isObject, notAnArbiter } from "./wire.ts";

type RollbackOptions = ConnectionOptions & PrintOptions;

export function configRollbackCommand(): Command {
  const command = new Command("rollback")
    .description("put an older version of the configuration in force again, as a new one")
    .argument("[version]", "its number (default: the one before the one in force)", versionArgument)
    .action(rollback)
    .addHelpText(
      "after",
      "\nThe leader's files are replaced, and those before are kept below its folder. Exit code 1: there is\nno such version, or it can't be used any more.\n",
    );
  return withExamples(withConnection(withJson(command)), [
    "arbiter config history && arbiter config rollback",
    "arbiter config rollback 12",
  ]);
}

function versionArgument(text: string): number {
  if (/^[1-9]\d{0,8}$/u.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected the number of a version, as `arbiter config history` lists them.");
}

async function rollback(version: number | undefined, options: RollbackOptions): Promise<void> {
  const places = await findPlaces(options);
  const connection = await connect(places);
  const body = { by: requester(), ...(version === undefined ? {} : { version }) };
  const answer = await connection.ask("POST", "/v1/config/rollback", body);
  if (options.json === true) printJson(answer.body);
  if (answer.status === 422 && isObject(answer.body) && Array.isArray(answer.body["errors"])) {
    if (options.json !== true)
      for (const error of answer.body["errors"]) standardError.write(`${printable(String(error))}\n`);
    throw new SaidNo();
  }
  if (answer.status !== 200) throw refusal(answer, places.tokenFile !== null);
  if (options.json === true) return;
  if (!isObject(answer.body) || !Array.isArray(answer.body["plan"])) throw notAnArbiter("answer");
  const now = String(answer.body["version"]);
  standardOutput.write(
    answer.body["changed"] === true
      ? `version ${now} is in force: ${version === undefined ? "the one before the last edit" : `version ${version}`} again\n`
      : `nothing changes: version ${now}, which is in force, says the same\n`,
  );
  for (const line of answer.body["plan"]) standardOutput.write(`  ${printable(String(line))}\n`);
}
