/**
 * `arbiter drill SERVICE`: has the arbiter switch over to a spare and back, follows it, and says how
 * long the gaps were. What is decided by whom: the arbiter runs the drill; this only watches its events.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { LoggedEvent } from "../core/model.ts";
import type { Connection } from "./connection.ts";
import { connect } from "./connection.ts";
import { durationOption, timeoutOption } from "./duration.ts";
import { eventText, readEvents } from "./event-lines.ts";
import { ClearNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { readAccepted } from "./order.ts";
import { durationText, printJson, standardError, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";

interface DrillOptions extends ConnectionOptions, PrintOptions {
  readonly to?: string;
  readonly hold?: number;
  readonly wait: boolean;
  readonly timeout: number;
}

const LOOK_EVERY_MS = 100;

export function drillCommand(): Command {
  const command = new Command("drill")
    .argument("<service>", "the service to drill")
    .option("--to <daemon>", "the spare to try (default: the first that is ready)")
    .option("--hold <duration>", "how long it stays on the spare (default: 10s)", durationOption)
    .option("--no-wait", "return as soon as the drill has begun")
    .addOption(timeoutOption("how long to wait for its end", "5m"))
    .action(drill)
    .addHelpText(
      "after",
      "\nExit code 1: no drill can begin now, or it failed. A failed drill leaves the service where it is\nhealthiest; `arbiter status` shows it until a drill is good.\n",
    );
  return withExamples(withConnection(withJson(command)), [
    "arbiter drill scheduler-master",
    "arbiter drill scheduler-master --to scheduler-slave --hold 1m",
  ]);
}

async function drill(service: string, options: DrillOptions): Promise<void> {
  const connection = await connect(await findPlaces(options));
  const accepted = readAccepted(
    await connection.demand("POST", `/v1/services/${encodeURIComponent(service)}/drill`, {
      by: requester(),
      ...(options.to === undefined ? {} : { to: options.to }),
      ...(options.hold === undefined ? {} : { holdMs: options.hold }),
    }),
  );
  if (!options.wait) {
    if (options.json === true) printJson({ service, event: accepted.event, text: accepted.text });
    else standardOutput.write(`${accepted.text}\n`);
    return;
  }
  const end = await untilOver(connection, service, accepted.event ?? 0, options.timeout);
  const isGood = end.type === "drill.passed";
  if (options.json === true)
    printJson({ service, passed: isGood, event: end.seq, text: end.text, ...end.evidence });
  else if (isGood) standardOutput.write(`${end.text}\n`);
  if (!isGood)
    throw new ClearNo(
      end.text,
      `\`arbiter explain ${service}\` tells each step; \`arbiter status\` shows how it stands.`,
    );
}

async function untilOver(
  connection: Connection,
  service: string,
  startedAt: number,
  timeoutMs: number,
): Promise<LoggedEvent> {
  const deadlineMs = performance.now() + timeoutMs;
  let after = startedAt;
  for (;;) {
    for (const event of await eventsAfter(connection, after)) {
      after = event.seq;
      if (event.service !== service) continue;
      if (event.type === "drill.passed" || event.type === "drill.failed") return event;
      if (standardError.isTerminal) standardError.write(eventText(event, standardError));
    }
    if (performance.now() > deadlineMs)
      throw new ClearNo(
        `the drill of ${service} is not over after ${durationText(timeoutMs)}.`,
        "It goes on by itself: `arbiter events --follow` shows its end.",
      );
    await sleep(LOOK_EVERY_MS);
  }
}

/** A moment without an answer (the lead moves) is no reason to give up before the time is over. */
async function eventsAfter(connection: Connection, after: number): Promise<readonly LoggedEvent[]> {
  try {
    return await readEvents(connection, { after, limit: 100 });
  } catch (error) {
    if (error instanceof ClearNo) return [];
    throw error;
  }
}
