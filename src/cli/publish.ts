/**
 * `arbiter publish`: puts an event of one's own into the log. It is sent again, with the same
 * idempotency key, until an arbiter says that the log holds it, so that a lost answer neither loses
 * it nor doubles it.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { Answer, Connection } from "./connection.ts";
import { connect, refusal } from "./connection.ts";
import { timeoutOption } from "./duration.ts";
import { ClearNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { printAccepted } from "./order.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";

interface PublishOptions extends ConnectionOptions, PrintOptions {
  readonly namespace?: string;
  readonly idempotencyKey?: string;
  readonly timeout: number;
}

const RETRY_MS = 300;

export function publishCommand(): Command {
  const command = new Command("publish")
    .argument("<key>", "what it is about")
    .argument("[value]", "JSON, or a text that is sent as it is")
    .option("--namespace <name>", "whose keys they are (default: default)")
    .option(
      "--idempotency-key <key>",
      "the log holds it once, however often it is sent (default: one of its own)",
    )
    .addOption(timeoutOption("how long to go on trying", "30s"))
    .action(async (key: string, value: string | undefined, options: PublishOptions) => {
      const connection = await connect(await findPlaces(options));
      const body = {
        key,
        ...(value === undefined ? {} : { value: jsonOr(value) }),
        ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
        idempotencyKey: options.idempotencyKey ?? randomUUID(),
        by: requester(),
      };
      printAccepted(await send(connection, body, options), options);
    });
  return withExamples(withConnection(withJson(command)), [
    "arbiter publish nightly-import done",
    `arbiter publish etl '{"rows": 120}' --namespace jobs --idempotency-key etl-2026-11-20`,
  ]);
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function send(connection: Connection, body: unknown, options: PublishOptions): Promise<unknown> {
  const deadlineMs = performance.now() + options.timeout;
  for (;;) {
    const result = await tryOnce(connection, body, options);
    if (!("no" in result)) return result.body;
    if (performance.now() > deadlineMs) throw result.no;
    await sleep(RETRY_MS);
  }
}

/** What helps for now only: that nobody leads, that the store is away, that an answer was lost. */
async function tryOnce(
  connection: Connection,
  body: unknown,
  options: PublishOptions,
): Promise<{ readonly body: unknown } | { readonly no: ClearNo }> {
  let answer: Answer;
  try {
    answer = await connection.ask("POST", "/v1/events", body);
  } catch (error) {
    if (error instanceof ClearNo) return { no: error };
    throw error;
  }
  if (answer.status < 300) return { body: answer.body };
  const no = refusal(answer, options.tokenFile !== undefined);
  if (answer.status === 429 || answer.status >= 500) return { no };
  throw no;
}
