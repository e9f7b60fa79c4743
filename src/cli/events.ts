/**
 * `arbiter events`: the event log, and with `--follow` what is added to it, without loss: the
 * stream is taken up again after the last event that was printed, at whichever arbiter answers.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { LoggedEvent } from "../core/model.ts";
import type { Connection } from "./connection.ts";
import { connect } from "./connection.ts";
import { countOption } from "./duration.ts";
import { eventText, readEvents } from "./event-lines.ts";
import { followEvents } from "./event-stream.ts";
import { ClearNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { printJson, standardError, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { readStatus, serviceIn } from "./wire.ts";

interface EventsOptions extends ConnectionOptions, PrintOptions {
  readonly follow?: boolean;
  readonly after?: number;
  readonly last?: number;
  readonly service?: string;
}

/** Events a request: the arbiter's own page. */
const PAGE = 500;
/** So many lines of the past `--follow` begins with, as `tail -f` does. */
const FOLLOW_BEGINS_WITH = 10;
const RETRY_MS = 500;

export function eventsCommand(): Command {
  const command = new Command("events")
    .option("--follow", "go on with new events as they come, until Ctrl-C")
    .option("--after <seq>", "only events with a higher number", countOption)
    .option(
      "--last <count>",
      `only the last ones (default: all; with --follow ${FOLLOW_BEGINS_WITH})`,
      countOption,
    )
    .option("--service <service>", "only events of this service")
    .action(async (options: EventsOptions) => {
      const connection = await connect(await findPlaces(options));
      if (options.service !== undefined) await demandKnown(connection, options);
      const newest = await printPast(connection, options);
      if (options.follow === true) await follow(connection, options, newest);
    })
    .addHelpText("after", "\nWith --json one array; with --follow --json one object a line, without end.\n");
  return withExamples(withConnection(withJson(command)), [
    "arbiter events --last 20",
    "arbiter events --follow --service scheduler-master",
    "arbiter events --after 120 --json",
  ]);
}

/** A misspelt service would be an empty log for ever. One that has left the configuration may have a past. */
async function demandKnown(connection: Connection, options: EventsOptions): Promise<void> {
  const status = await readStatus(connection);
  if (status.services.some((service) => service.name === options.service)) return;
  const past = await readAll(connection, 0);
  if (!past.some((event) => event.service === options.service)) serviceIn(status, options.service ?? "");
}

async function readAll(connection: Connection, after: number): Promise<readonly LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for (;;) {
    const page = await readEvents(connection, { after: events.at(-1)?.seq ?? after, limit: PAGE });
    events.push(...page);
    if (page.length === 0) return events;
  }
}

/** Gives back the number of the newest event, printed or not. */
async function printPast(connection: Connection, options: EventsOptions): Promise<number> {
  const after = options.after ?? 0;
  const events = await readAll(connection, after);
  const wanted = events.filter((event) => isWanted(event, options));
  const beginsWith =
    options.follow === true && options.after === undefined ? FOLLOW_BEGINS_WITH : wanted.length;
  const last = options.last ?? beginsWith;
  const shown = last === 0 ? [] : wanted.slice(-last);
  if (options.json === true && options.follow !== true) printJson(shown);
  else for (const event of shown) print(event, options);
  return events.at(-1)?.seq ?? after;
}

function isWanted(event: LoggedEvent, options: EventsOptions): boolean {
  return options.service === undefined || event.service === options.service;
}

function print(event: LoggedEvent, options: EventsOptions): void {
  if (options.json === true) printJson(event, 0);
  else standardOutput.write(eventText(event, standardOutput));
}

async function follow(connection: Connection, options: EventsOptions, newest: number): Promise<never> {
  let seen = newest;
  let isTold = false;
  const take = (event: LoggedEvent): void => {
    isTold = false;
    seen = event.seq;
    if (isWanted(event, options)) print(event, options);
  };
  for (;;) {
    try {
      for await (const event of followEvents(connection, seen)) take(event);
    } catch (error) {
      if (!(error instanceof ClearNo)) throw error;
      if (!isTold) standardError.write(`arbiter: ${error.message} Trying again until Ctrl-C.\n`);
      isTold = true;
    }
    await sleep(RETRY_MS);
    // A question rather than a stream: it finds an arbiter that answers, whichever that is.
    for (const event of await readAll(connection, seen).catch(unanswered)) take(event);
  }
}

function unanswered(error: unknown): readonly LoggedEvent[] {
  if (error instanceof ClearNo) return [];
  throw error;
}
