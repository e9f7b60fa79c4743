/**
 * Follows the arbiters' event log over server-sent events, and goes on where it was after a broken
 * connection: the number of the last event given goes out as `Last-Event-ID`, so nothing is lost
 * and nothing comes twice. Numbers are the cluster's, not an arbiter's, so any of them can go on.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { HTTPError } from "got";
import { ArbiterError } from "../protocol/errors.ts";
import type { Arbiters } from "./arbiters.ts";

/** As the log has it; `type` is a public name. */
export interface ClusterEvent {
  /** Consecutive over the whole cluster. */
  readonly seq: number;
  readonly type: string;
  readonly text: string;
  readonly service?: string;
  readonly daemon?: string;
  readonly epoch?: number;
  /** What a program published, rather than an arbiter. */
  readonly publication?: {
    readonly namespace: string;
    readonly key: string;
    readonly value: unknown;
    readonly idempotencyKey: string;
  };
  readonly [more: string]: unknown;
}

/** What the arbiters leave out before they send it. */
export interface EventFilter {
  readonly service?: string;
  /** Names of types; `*` stands for any letters. */
  readonly types?: readonly string[];
  /** What programs have published there. */
  readonly namespace?: string;
  readonly key?: string;
}

function queryOf({ service, types, namespace, key }: EventFilter): string {
  const all = { service, type: types?.join(","), namespace, key };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}

/** Between two attempts once every arbiter has been tried. */
const PAUSE_MS = 1000;
/** Arbiters write a comment every 15 s: without a byte for longer, the connection is dead. */
const SILENCE_MS = 40_000;

export async function* followEvents(
  arbiters: Arbiters,
  after: number | null,
  signal: AbortSignal | null,
  filter: EventFilter = {},
): AsyncGenerator<ClusterEvent, void, undefined> {
  let last = after;
  let failedInARow = 0;
  for (;;) {
    const [url] = arbiters.urls;
    if (url === undefined || signal?.aborted === true) return;
    try {
      last ??= await lastEvent(arbiters, signal);
      for await (const event of streamFrom(
        arbiters,
        `${url}/v1/events/stream${queryOf(filter)}`,
        last,
        signal,
      )) {
        failedInARow = 0;
        if (event.seq <= last) continue;
        last = event.seq;
        yield event;
      }
    } catch (error) {
      // Whatever else broke it, the next arbiter goes on from the same number.
      throwIfRefused(error, url);
    }
    arbiters.avoid(url);
    failedInARow += 1;
    if (failedInARow >= arbiters.urls.length) await pause(signal);
  }
}

/** A token that one arbiter refuses is refused by the next one, too. */
function throwIfRefused(error: unknown, url: string): void {
  if (!(error instanceof HTTPError)) return;
  const { statusCode } = error.response;
  if (statusCode !== 401 && statusCode !== 403) return;
  throw new ArbiterError(
    "ERR_ARB_UNAUTHORIZED",
    `${url} refuses to show its events (status ${statusCode}). Name the cluster's token with \`tokenFile\`.`,
    { cause: error },
  );
}

async function pause(signal: AbortSignal | null): Promise<void> {
  try {
    await sleep(PAUSE_MS, undefined, signal === null ? {} : { signal });
  } catch {
    // Aborted: the caller's loop looks.
  }
}

/** Learned before the stream is opened, so that a stream that breaks at once loses nothing. */
async function lastEvent(arbiters: Arbiters, signal: AbortSignal | null): Promise<number> {
  const { body } = await arbiters.read("/v1/events?limit=0", signal);
  const { last } = body;
  if (typeof last !== "number") throw new Error("The arbiter doesn't say which event is the last.");
  return last;
}

async function* streamFrom(
  arbiters: Arbiters,
  url: string,
  after: number,
  signal: AbortSignal | null,
): AsyncGenerator<ClusterEvent, void, undefined> {
  const stream = arbiters.http.stream(url, {
    headers: { ...arbiters.headers(), accept: "text/event-stream", "last-event-id": String(after) },
    throwHttpErrors: true,
    timeout: { socket: SILENCE_MS },
    ...(signal === null ? {} : { signal }),
  });
  // readline doesn't pass on the errors of what it reads from.
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  stream.once("error", broken.reject);
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  const reader = lines[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([reader.next(), broken.promise]);
      if (next.done === true) return;
      const event = eventIn(next.value);
      if (event !== null) yield event;
    }
  } finally {
    stream.destroy();
  }
}

/** An event is one `data:` line of JSON; `id:` repeats its number, comments keep the line alive. */
function eventIn(line: string): ClusterEvent | null {
  if (!line.startsWith("data:")) return null;
  const value: unknown = JSON.parse(line.slice("data:".length));
  if (typeof value !== "object" || value === null) return null;
  const { seq, type, text }: { seq?: unknown; type?: unknown; text?: unknown } = value;
  if (typeof seq !== "number" || typeof type !== "string" || typeof text !== "string") return null;
  return { ...value, seq, type, text };
}
