/** Whoever follows the log gets each event once, in order, none left out: over a real store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { EventFeed } from "../../../src/arbiter/event-feed.ts";
import type { LeadershipRecord, LoggedEvent } from "../../../src/core/model.ts";
import type { Store } from "../../../src/store/contract.ts";
import { openStore } from "../../../src/store/open.ts";

const RECORD: LeadershipRecord = {
  clusterId: "c",
  term: 1,
  leader: "a",
  instance: "i",
  url: "http://a",
  beat: 1,
  released: false,
  ttlMs: 1_000,
  electable: [],
};

let folder: string;
let store: Store;
let feed: EventFeed;
let commitId = 0;
const complaints: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "arbiter-feed-"));
  store = await openStore("sqlite:events.db", { stateDir: folder });
  await store.campaign(null, RECORD);
  feed = new EventFeed(store, 0, { began: (text) => complaints.push(text), ended: () => {} });
});
afterEach(async () => {
  feed.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
  const [complaint] = complaints.splice(0);
  if (complaint !== undefined) throw new Error(complaint);
});

async function write(count: number): Promise<readonly LoggedEvent[]> {
  commitId += 1;
  const events = Array.from({ length: count }, (_, index) => ({
    type: "test",
    atWallMs: 1_000 + index,
    text: `event ${index}`,
  }));
  const done = await store.commit({
    commitId,
    term: 1,
    changes: [],
    settings: null,
    configuration: null,
    events,
  });
  return done.events;
}

function followFrom(after: number): number[] {
  const seen: number[] = [];
  feed.follow(after, ({ seq }) => {
    seen.push(seq);
    return true;
  });
  return seen;
}

const upTo = (last: number, after = 0): number[] =>
  Array.from({ length: last - after }, (_, index) => after + 1 + index);

it("catches up from the store and goes on live, from wherever a reader was", async () => {
  await write(1_200);
  const fromStart = followFrom(0);
  const fromMiddle = followFrom(700);
  feed.offer(await write(3));
  await write(600);
  feed.offer(await write(2));
  await expect.poll(() => fromStart.length).toBe(1_805);
  await expect.poll(() => fromMiddle.length).toBe(1_105);
  expect(fromStart).toEqual(upTo(1_805));
  expect(fromMiddle).toEqual(upTo(1_805, 700));
});

it("fills a gap: events that another process wrote come before those of one's own", async () => {
  const seen = followFrom(0);
  await write(5);
  feed.offer(await write(1));
  await expect.poll(() => seen.length).toBe(6);
  expect(seen).toEqual(upTo(6));
});

it("takes nothing twice when commits are answered out of order", async () => {
  const seen = followFrom(0);
  const [first, second] = [await write(2), await write(2)];
  feed.offer(second);
  feed.offer(first);
  feed.offer(second);
  await expect.poll(() => seen.length).toBe(4);
  await feed.refresh();
  expect(seen).toEqual(upTo(4));
});

it("stops at a reader that is gone, and goes on for the others", async () => {
  let left = 2;
  const gone: number[] = [];
  feed.follow(0, ({ seq }) => {
    gone.push(seq);
    left -= 1;
    return left > 0;
  });
  const other = followFrom(0);
  feed.offer(await write(5));
  await expect.poll(() => other.length).toBe(5);
  expect([gone, feed.listeners]).toEqual([[1, 2], 1]);
});

it("goes on behind what has been trimmed away", async () => {
  await write(10);
  await store.trim(Number.MAX_SAFE_INTEGER);
  const seen = followFrom(3);
  feed.offer(await write(2));
  await expect.poll(() => seen.at(-1)).toBe(12);
  // The newest is kept by the store, the others are gone.
  expect(seen).toEqual([10, 11, 12]);
});
