/**
 * `GET /v1/events`: the log, filtered or whole.
 *
 * Nothing but the number is indexed, on any engine. So a filter reads the log page by page, so many
 * pages a request, and says in `next` where to go on: no question, however rare what it is about,
 * keeps the store busy for long.
 */
import type { Request, Response } from "express";
import type { LoggedEvent } from "../../core/model.ts";
import { isFiltering, wantedBy } from "../../protocol/event-filter.ts";
import type { EventFilter } from "../../protocol/event-filter.ts";
import { sendJson, sendProblem } from "../../protocol/problem.ts";
import type { EventFeed } from "../event-feed.ts";
import type { Api, QueryParameter } from "./api.ts";
import { queryFilter, queryNumber } from "./arguments.ts";
import { publicEvent } from "./event-stream.ts";

const MOST_EVENTS = 1_000;
const SOME_EVENTS = 100;
/** Read by one request, a thousand events each: some 100 ms. */
const MOST_PAGES = 20;

function text(description: string): QueryParameter {
  return { type: "string", description };
}

export const FILTER_QUERY: Readonly<Record<string, QueryParameter>> = {
  service: text("Only events of this service"),
  type: text("Only these types, with commas between them; `*` stands for any letters"),
  namespace: text("Only what was published in this namespace"),
  key: text("Only what was published under this key"),
  since: text("Only from this time on: ISO 8601, or milliseconds since 1970"),
  until: text("Only before this time"),
};

interface Found {
  readonly list: readonly LoggedEvent[];
  /** Read so far: what comes behind this number may hold more. */
  readonly next: number;
}

export async function events({ engine }: Api, request: Request, response: Response): Promise<void> {
  const after = queryNumber(request, "after", Number.MAX_SAFE_INTEGER);
  const limit = queryNumber(request, "limit", MOST_EVENTS) ?? SOME_EVENTS;
  const filter = queryFilter(request);
  if (typeof after === "object" || typeof limit === "object" || "status" in filter) {
    const wrong = [after, limit, filter].find((one) => typeof one === "object" && "status" in one);
    if (typeof wrong === "object" && "status" in wrong) sendProblem(response, wrong);
    return;
  }
  await engine.feed.refresh();
  const { feed } = engine;
  const found =
    after === undefined ? await newest(feed, filter, limit) : await forward(feed, filter, after, limit);
  sendJson(response, 200, {
    events: found.list.map((event) => publicEvent(event)),
    last: feed.tail,
    next: found.next,
  });
}

/** From a number on, the oldest first. */
async function forward(feed: EventFeed, filter: EventFilter, after: number, limit: number): Promise<Found> {
  const isWanted = wantedBy(filter);
  const list: LoggedEvent[] = [];
  let next = after;
  if (limit === 0) return { list, next };
  const pageSize = isFiltering(filter) ? MOST_EVENTS : limit;
  for (let page = 0; page < MOST_PAGES && next < feed.tail; page++) {
    const read = await feed.after(next, pageSize);
    for (const event of read) {
      if (list.length === limit) return { list, next };
      next = event.seq;
      if (isWanted(event)) list.push(event);
    }
    if (list.length === limit || read.length === 0) break;
  }
  return { list, next };
}

/** The last ones that fit, page by page from the end on. Numbers are consecutive: a page is a range. */
async function newest(feed: EventFeed, filter: EventFilter, limit: number): Promise<Found> {
  const isWanted = wantedBy(filter);
  const { tail } = feed;
  if (limit === 0) return { list: [], next: tail };
  const pageSize = isFiltering(filter) ? MOST_EVENTS : limit;
  const pages: LoggedEvent[][] = [];
  let found = 0;
  let end = tail;
  for (let page = 0; page < MOST_PAGES && end > 0 && found < limit; page++) {
    const begin = Math.max(0, end - pageSize);
    const last = end;
    const read = (await feed.after(begin, end - begin)).filter(({ seq }) => seq <= last);
    const wanted = read.filter((event) => isWanted(event));
    pages.push(wanted);
    found += wanted.length;
    end = begin;
    if (read.length === 0) break;
    if (read.every(({ atWallMs }) => atWallMs < (filter.sinceWallMs ?? -Infinity))) break;
  }
  return { list: pages.toReversed().flat().slice(-limit), next: tail };
}
