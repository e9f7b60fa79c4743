/** The event log as the commands read and print it: time, type, text, one line an event. */
import type { LoggedEvent } from "../core/model.ts";
import type { Connection } from "./connection.ts";
import type { Style, Terminal } from "./output.ts";
import { clockText, printable } from "./output.ts";
import { isObject, notAnArbiter } from "./wire.ts";

export interface EventQuery {
  readonly after: number;
  readonly limit: number;
}

export interface EventPage {
  readonly events: readonly LoggedEvent[];
  /** Read so far: ask again behind it. */
  readonly next: number;
  /** Number of the newest event of all. */
  readonly last: number;
}

export async function readEvents(connection: Connection, query: EventQuery): Promise<readonly LoggedEvent[]> {
  return (await readEventPage(connection, query)).events;
}

/** `filter` is as the arbiter takes it in its query. */
export async function readEventPage(
  connection: Connection,
  query: EventQuery,
  filter: Readonly<Record<string, string>> = {},
): Promise<EventPage> {
  const asked = new URLSearchParams({ after: String(query.after), limit: String(query.limit), ...filter });
  const body = await connection.demand("GET", `/v1/events?${asked.toString()}`);
  const events: unknown = isObject(body) ? body["events"] : null;
  if (!isObject(body) || !Array.isArray(events)) throw notAnArbiter("event log");
  const list = events.filter((event) => isLoggedEvent(event));
  const seen = list.at(-1)?.seq ?? query.after;
  const { next, last } = body;
  return {
    events: list,
    next: typeof next === "number" ? next : seen,
    last: typeof last === "number" ? last : seen,
  };
}

export function isLoggedEvent(value: unknown): value is LoggedEvent {
  return (
    isObject(value) &&
    typeof value["seq"] === "number" &&
    typeof value["type"] === "string" &&
    typeof value["text"] === "string" &&
    typeof value["atWallMs"] === "number"
  );
}

const BAD = /vacant|failed|down|fencing|suspect|refused|lost|dead|problem/u;
const GOOD = /held|adopted|recovered|leading|up$/u;

function styleOf(type: string): Style {
  if (BAD.test(type)) return "red";
  return GOOD.test(type) ? "green" : "cyan";
}

/** A line for people on a terminal; plain words with number and full time in a pipe. */
export function eventText(event: LoggedEvent, terminal: Terminal): string {
  const iso = new Date(event.atWallMs).toISOString();
  const text = printable(event.text);
  if (!terminal.isTerminal) return `${event.seq} ${iso} ${event.type} ${text}\n`;
  return `${terminal.paint("dim", clockText(iso))}  ${terminal.paint(styleOf(event.type), event.type.padEnd(22))} ${text}\n`;
}
