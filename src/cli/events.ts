/**
 * `arbiter events`: the event log, and with `--follow` what is added to it, without loss: the
 * stream is taken up again after the last event that was printed, at whichever arbiter answers.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { LoggedEvent } from "../core/model.ts";
import type { Connection } from "./connection.ts";
import { connect } from "./connection.ts";
import { countOption, momentOption } from "./duration.ts";
import { eventText, readEventPage } from "./event-lines.ts";
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
  readonly type?: string;
  readonly since?: string;
  readonly until?: string;
  readonly namespace?: string;
  readonly key?: string;
}

/** As the arbiter takes it in its query. */
type Filter = Readonly<Record<string, string>>;

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
    .option("--type <type,...>", "only these types; `*` stands for any letters")
    .option("--since <time>", "only from then on: 2h, 90s, or 2026-11-20T10:15:04Z", momentOption)
    .option("--until <time>", "only before then", momentOption)
    .option("--namespace <name>", "only what was published in this namespace")
    .option("--key <key>", "only what was published under this key")
    .action(async (options: EventsOptions) => {
      const connection = await connect(await findPlaces(options));
      if (options.service !== undefined) await demandKnown(connection, options);
      const filter = filterOf(options);
      const newest = await printPast(connection, options, filter);
      if (options.follow === true) await follow(connection, options, filter, newest);
    })
    .addHelpText("after", "\nWith --json one array; with --follow --json one object a line, without end.\n");
  return withExamples(withConnection(withJson(command)), [
    "arbiter events --last 20",
    "arbiter events --follow --service scheduler-master",
    "arbiter events --since 2h --type 'service.*,daemon.down'",
    "arbiter events --follow --namespace jobs --json",
    "arbiter events --after 120 --json",
  ]);
}

function filterOf({ service, type, since, until, namespace, key }: EventsOptions): Filter {
  const all = { service, type, since, until, namespace, key };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(given);
}

/** A misspelt service would be an empty log for ever. One that has left the configuration may have a past. */
async function demandKnown(connection: Connection, options: EventsOptions): Promise<void> {
  const service = options.service ?? "";
  const status = await readStatus(connection);
  if (status.services.some(({ name }) => name === service)) return;
  const past = await readAll(connection, 0, { service });
  if (past.events.length === 0) serviceIn(status, service);
}

interface Past {
  readonly events: readonly LoggedEvent[];
  /** Number of the newest event that was looked at. */
  readonly newest: number;
}

async function readAll(connection: Connection, after: number, filter: Filter): Promise<Past> {
  const events: LoggedEvent[] = [];
  let newest = after;
  for (;;) {
    const page = await readEventPage(connection, { after: newest, limit: PAGE }, filter);
    events.push(...page.events);
    // A page without a match isn't the end: the arbiter reads so much for one question, and no more.
    if (page.next <= newest) return { events, newest };
    newest = page.next;
  }
}

/** Gives back the number of the newest event, printed or not. */
async function printPast(connection: Connection, options: EventsOptions, filter: Filter): Promise<number> {
  const { events, newest } = await readAll(connection, options.after ?? 0, filter);
  const isTail = options.follow === true && options.after === undefined && options.since === undefined;
  const last = options.last ?? (isTail ? FOLLOW_BEGINS_WITH : events.length);
  const shown = last === 0 ? [] : events.slice(-last);
  if (options.json === true && options.follow !== true) printJson(shown);
  else for (const event of shown) print(event, options);
  return newest;
}

function print(event: LoggedEvent, options: EventsOptions): void {
  if (options.json === true) printJson(event, 0);
  else standardOutput.write(eventText(event, standardOutput));
}

async function follow(
  connection: Connection,
  options: EventsOptions,
  filter: Filter,
  newest: number,
): Promise<never> {
  let seen = newest;
  let isTold = false;
  const take = (event: LoggedEvent): void => {
    isTold = false;
    seen = event.seq;
    print(event, options);
  };
  for (;;) {
    try {
      for await (const event of followEvents(connection, seen, filter)) take(event);
    } catch (error) {
      if (!(error instanceof ClearNo)) throw error;
      if (!isTold) standardError.write(`arbiter: ${error.message} Trying again until Ctrl-C.\n`);
      isTold = true;
    }
    await sleep(RETRY_MS);
    // A question rather than a stream: it finds an arbiter that answers, whichever that is.
    const missed = await readAll(connection, seen, filter).catch(unanswered);
    for (const event of missed.events) take(event);
  }
}

function unanswered(error: unknown): Past {
  if (error instanceof ClearNo) return { events: [], newest: 0 };
  throw error;
}
