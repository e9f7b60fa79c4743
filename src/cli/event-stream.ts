/**
 * Reads the arbiter's stream of events (server-sent events) until it ends or breaks. Whoever reads
 * begins again after the last number that it saw: `Last-Event-ID` makes the stream go on from there.
 */
import { createInterface } from "node:readline";
import type { LoggedEvent } from "../core/model.ts";
import type { Connection } from "./connection.ts";
import { isLoggedEvent } from "./event-lines.ts";
import { ClearNo } from "./failure.ts";

export async function* followEvents(
  connection: Connection,
  after: number,
  filter: Readonly<Record<string, string>> = {},
): AsyncGenerator<LoggedEvent> {
  const query = new URLSearchParams(filter).toString();
  const path = `/v1/events/stream${query === "" ? "" : `?${query}`}`;
  const stream = connection.stream(path, { "last-event-id": String(after) });
  // readline doesn't pass on the errors of what it reads from.
  const broken = new Promise<never>((_resolve, reject) => {
    stream.once("error", (error: Error) => {
      reject(
        new ClearNo(
          `the stream of events from ${connection.url()} broke: ${error.message}.`,
          "`arbiter status` says whether an arbiter answers.",
          { cause: error },
        ),
      );
    });
  });
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })[
    Symbol.asyncIterator
  ]();
  try {
    for (;;) {
      const next = await Promise.race([lines.next(), broken]);
      if (next.done === true) return;
      const event = eventOf(next.value);
      if (event !== null) yield event;
    }
  } finally {
    stream.destroy();
  }
}

/** An event is one `data:` line of JSON; `id:` repeats its number, comments keep the connection alive. */
function eventOf(line: string): LoggedEvent | null {
  if (!line.startsWith("data:")) return null;
  try {
    const value: unknown = JSON.parse(line.slice("data:".length));
    return isLoggedEvent(value) ? value : null;
  } catch {
    return null;
  }
}
