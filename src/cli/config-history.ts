/** `arbiter config history`: versions of the configuration that were in force, newest first. */
import { Command, InvalidArgumentError } from "commander";
import { connect } from "./connection.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { plainLine, printJson, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { isObject, notAnArbiter } from "./wire.ts";

interface HistoryOptions extends ConnectionOptions, PrintOptions {
  readonly limit: number;
}

const SOME = 20;
const MOST = 200;
/** Enough to tell versions apart. */
const HASH_SHOWN = 12;

export function configHistoryCommand(): Command {
  const command = new Command("history")
    .description("versions of the configuration that were in force, newest first, and who brought each")
    .option("--limit <n>", `at most so many (default: ${SOME}, most ${MOST})`, limitOption, SOME)
    .action(history);
  return withExamples(withConnection(withJson(command)), [
    "arbiter config history",
    "arbiter config history --json | jq '.versions[0]'",
  ]);
}

function limitOption(text: string): number {
  const limit = Number(text);
  if (/^\d+$/u.test(text) && limit >= 1 && limit <= MOST) return limit;
  throw new InvalidArgumentError(`Expected a number from 1 to ${MOST}.`);
}

async function history(options: HistoryOptions): Promise<void> {
  const connection = await connect(await findPlaces(options));
  const answer = await connection.demand("GET", `/v1/config/history?limit=${options.limit}`);
  if (!isObject(answer) || !Array.isArray(answer["versions"])) throw notAnArbiter("history");
  if (options.json === true) {
    printJson(answer);
    return;
  }
  for (const line of answer["versions"]) {
    if (!isObject(line)) continue;
    const { version, at, by, files, hash, inForce } = line;
    const words = { at: String(at), by: String(by), files: Number(files) };
    const mark = inForce === true ? { inForce: true } : {};
    standardOutput.write(
      plainLine([String(version)], { ...words, hash: String(hash).slice(0, HASH_SHOWN), ...mark }),
    );
  }
}
