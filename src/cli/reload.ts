/**
 * `arbiter reload`: has this machine's arbiter read its files again, and says what came of it.
 * Edits are taken without it too, a moment after they are written; this waits for the result.
 */
import { Command } from "commander";
import { connect, refusal } from "./connection.ts";
import { SaidNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withExamples, withFolder, withJson } from "./options.ts";
import { printJson, standardError, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";
import { theRunningArbiter } from "./running.ts";
import { isObject, notAnArbiter } from "./wire.ts";

interface ReloadOptions extends PrintOptions, Pick<ConnectionOptions, "tokenFile"> {
  readonly config?: string;
  readonly name?: string;
}

export function reloadCommand(): Command {
  const command = new Command("reload")
    .option("--name <name>", "which arbiter, where several run on this machine")
    .option("--token-file <file>", "the cluster's token (default: $ARBITER_TOKEN_FILE, else `token_file`)")
    .action(reload);
  return withExamples(withFolder(withJson(command)), [
    "arbiter config check && arbiter reload",
    "arbiter reload --config /etc/arbiter",
  ]);
}

async function reload(options: ReloadOptions): Promise<void> {
  const { locateConfiguration, stateDirOf } = await import("./configuration.ts");
  const folder = locateConfiguration(options.config);
  const arbiter = await theRunningArbiter(await stateDirOf(folder), options.name);
  const places = await findPlaces({ ...options, config: folder, url: arbiter.url });
  const connection = await connect(places);
  const answer = await connection.ask("POST", "/v1/reload", { by: requester() });
  if (options.json === true) printJson(answer.body);
  if (answer.status === 422 && isObject(answer.body) && Array.isArray(answer.body["errors"])) {
    if (options.json !== true) sayRefused(arbiter.name, answer.body["errors"]);
    throw new SaidNo();
  }
  if (answer.status !== 200) throw refusal(answer, places.tokenFile !== null);
  if (options.json !== true) sayTaken(arbiter.name, answer.body);
}

function sayRefused(name: string, errors: readonly unknown[]): void {
  for (const error of errors) standardError.write(`${String(error)}\n`);
  standardError.write(
    `arbiter: ${name} goes on with the configuration that it has; nothing of the edit was taken.\n` +
      "  Correct the files; `arbiter config check` shows the same errors.\n",
  );
}

function sayTaken(name: string, body: unknown): void {
  if (!isObject(body) || !Array.isArray(body["plan"])) throw notAnArbiter("answer");
  if (body["changed"] !== true) {
    standardOutput.write(`${name} has this configuration already: version ${String(body["version"])}\n`);
    return;
  }
  standardOutput.write(`${name} has taken version ${String(body["version"])} of the configuration\n`);
  for (const line of body["plan"]) standardOutput.write(`  ${String(line)}\n`);
}
