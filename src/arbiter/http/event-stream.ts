/**
 * `GET /v1/events/stream`: the event log as server-sent events. `Last-Event-ID` (or `?after=`) goes
 * on where the reader was, with nothing lost and nothing twice; without it, it begins with what
 * happens next.
 *
 * A filter leaves events out; the number of the last one that was looked at is sent with each
 * comment, so that a reader who wants little doesn't begin far back.
 *
 * A reader that doesn't keep up is cut off rather than buffered for: it comes back with the number
 * of the last event that it got.
 */
import type { Request, Response } from "express";
import type { LoggedEvent } from "../../core/model.ts";
import { wantedBy } from "../../protocol/event-filter.ts";
import { problem, sendProblem } from "../../protocol/problem.ts";
import type { Api } from "./api.ts";
import { queryFilter, queryNumber } from "./arguments.ts";

const MOST_STREAMS = 200;
const MOST_BUFFERED_BYTES = 1024 * 1024;
/** Shorter than the idle time-outs of common proxies. */
const COMMENT_EVERY_MS = 15_000;
const RECONNECT_AFTER_MS = 1_000;

export function eventStream({ engine }: Api, request: Request, response: Response): void {
  const after = startOf(request);
  if (typeof after === "object") {
    sendProblem(response, after);
    return;
  }
  const filter = queryFilter(request);
  if ("status" in filter) {
    sendProblem(response, filter);
    return;
  }
  if (engine.feed.listeners >= MOST_STREAMS) {
    const detail = `${MOST_STREAMS} streams are open already. Close one, or poll /v1/events.`;
    sendProblem(
      response,
      problem(503, "Service Unavailable", detail, { code: "ERR_ARB_TOO_MANY_REQUESTS" }),
      { "retry-after": "5" },
    );
    return;
  }
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    // A buffering proxy in front (nginx) would hold events back.
    "x-accel-buffering": "no",
  });
  response.write(`retry: ${RECONNECT_AFTER_MS}\n\n`);
  const send = (text: string): boolean => {
    if (response.writableEnded || response.destroyed) return false;
    response.write(text);
    if (response.writableLength <= MOST_BUFFERED_BYTES) return true;
    response.destroy();
    return false;
  };
  const isWanted = wantedBy(filter);
  // Who asks for a time in the past begins there.
  const begin = after ?? (filter.sinceWallMs === undefined ? engine.feed.tail : 0);
  let seen = begin;
  const unfollow = engine.feed.follow(begin, (event) => {
    seen = event.seq;
    if (!isWanted(event)) return !response.destroyed;
    return send(`id: ${event.seq}\ndata: ${JSON.stringify(publicEvent(event))}\n\n`);
  });
  const comments = setInterval(() => send(`: still here\nid: ${seen}\n\n`), COMMENT_EVERY_MS);
  response.on("close", () => {
    clearInterval(comments);
    unfollow();
  });
}

/** With its time as people and other programs read it. */
export function publicEvent(event: LoggedEvent): LoggedEvent & { readonly at: string } {
  return { ...event, at: new Date(event.atWallMs).toISOString() };
}

function startOf(request: Request): ReturnType<typeof queryNumber> {
  const last = request.headers["last-event-id"];
  if (last === undefined || last === "") return queryNumber(request, "after", Number.MAX_SAFE_INTEGER);
  if (typeof last === "string" && /^\d{1,15}$/u.test(last)) return Number(last);
  return problem(400, "Bad Request", "`Last-Event-ID` must be the number of an event.", {
    code: "ERR_ARB_MESSAGE",
  });
}
