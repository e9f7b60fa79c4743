/**
 * `arbiter explain SERVICE`: why it is where it is, told by the arbiter that leads. A standby that was
 * asked first says who leads; that one is asked too, since only it knows the present.
 */
import { Command } from "commander";
import type { Explanation } from "../arbiter/explanation.ts";
import { ArbiterError } from "../protocol/errors.ts";
import { connect } from "./connection.ts";
import { explanationText } from "./explain-text.ts";
import { ClearNo, WrongUsage } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { printJson, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { isObject, notAnArbiter } from "./wire.ts";

interface ExplainOptions extends ConnectionOptions, PrintOptions {
  readonly moves: number;
}

const MOST_MOVES = 50;

export function explainCommand(): Command {
  const command = new Command("explain")
    .argument("<service>", "the service")
    .option("--moves <n>", "how many of its last moves to tell", moveCount, 3)
    .action(explain);
  return withExamples(withConnection(withJson(command)), [
    "arbiter explain scheduler-master",
    "arbiter explain scheduler-master --moves 20",
  ]);
}

function moveCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_MOVES) return count;
  throw new WrongUsage(`--moves takes a number, not ${text}`, `Give one from 1 to ${MOST_MOVES}.`);
}

async function explain(service: string, options: ExplainOptions): Promise<void> {
  const places = await findPlaces(options);
  const path = `/v1/services/${encodeURIComponent(service)}/explain?moves=${options.moves}`;
  const answer = readExplanation(await (await connect(places)).demand("GET", path));
  const best = answer.leads || answer.leaderUrl === null ? answer : await fromLeader(answer, places, path);
  if (options.json === true) printJson(best);
  else standardOutput.write(explanationText(best, standardOutput, Date.now()));
}

/** Where the leader isn't reached from here, the standby's answer is better than none. */
async function fromLeader(
  answer: Explanation,
  places: Awaited<ReturnType<typeof findPlaces>>,
  path: string,
): Promise<Explanation> {
  // The token is for the arbiters that were named or configured; the leader is one of them, or isn't asked.
  const url = places.urls.find((one) => one.replace(/\/$/u, "") === answer.leaderUrl);
  if (url === undefined) return answer;
  try {
    return readExplanation(await (await connect({ ...places, urls: [url] })).demand("GET", path));
  } catch (error) {
    if (error instanceof ClearNo || error instanceof ArbiterError) return answer;
    throw error;
  }
}

/** As far as it is looked at here. */
function readExplanation(body: unknown): Explanation {
  const isOne =
    isObject(body) &&
    typeof body["text"] === "string" &&
    typeof body["leads"] === "boolean" &&
    Array.isArray(body["why"]) &&
    Array.isArray(body["moves"]);
  if (!isOne) throw notAnArbiter("explanation");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an arbiter's own answer, looked at above
  return body as unknown as Explanation;
}
