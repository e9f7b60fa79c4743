/**
 * Events without a change reach the log in order and once each, through a store that goes away and
 * comes back. The store is the real one; what stands between makes it fail.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { StoreLane } from "../../../src/arbiter/store-lane.ts";
import type { PushedEvent } from "../../../src/arbiter/store-lane.ts";
import type { EventDraft, LeadershipRecord } from "../../../src/core/model.ts";
import { StoreUnavailable } from "../../../src/store/contract.ts";
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
let lane: StoreLane;
/** What the next commits do: refused and lost on the way there, or lost on the way back. */
let faults: ("refused" | "unknown")[] = [];
const pushed: PushedEvent[] = [];
const warnings: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "arbiter-lane-"));
  store = await openStore("sqlite:events.db", { stateDir: folder });
  await store.campaign(null, RECORD);
  faults = [];
  lane = new StoreLane({
    store: failing(),
    log: { info: () => {}, warn: (text) => warnings.push(text), error: () => {} },
    now: () => performance.now(),
    push: (event) => pushed.push(event),
    onLogged: () => {},
    onLatency: () => {},
  });
});
afterEach(async () => {
  lane.close();
  await store.close();
  pushed.length = 0;
  warnings.length = 0;
  rmSync(folder, { recursive: true, force: true });
});

function failing(): Store {
  return {
    description: store.description,
    leadership: () => store.leadership(),
    campaign: (expected, next) => store.campaign(expected, next),
    load: () => store.load(),
    events: (after, limit) => store.events(after, limit),
    configurations: (limit) => store.configurations(limit),
    note: (name) => store.note(name),
    trim: (beforeWallMs) => store.trim(beforeWallMs),
    watch: (onChange) => store.watch(onChange),
    close: () => store.close(),
    commit: async (commit) => {
      const fault = faults.shift();
      if (fault === "refused") throw new StoreUnavailable("it is away", "refused");
      const done = await store.commit(commit);
      if (fault === "unknown") throw new StoreUnavailable("the answer was lost", "unknown");
      return done;
    },
  };
}

const drafts = (from: number, count: number): EventDraft[] =>
  Array.from({ length: count }, (_, index) => ({ type: "test", atWallMs: 1, text: `event ${from + index}` }));
const texts = async (): Promise<string[]> => (await store.events(0, 20_000)).map(({ text }) => text);
const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `event ${index}`);

it("writes in order, however many wait", async () => {
  for (let from = 0; from < 1_000; from += 100) lane.record(1, drafts(from, 100));
  await lane.flush(10_000);
  expect(await texts()).toEqual(numbered(1_000));
});

it("tries again while the store is away, and says that events wait", async () => {
  faults = ["refused", "refused"];
  lane.record(1, drafts(0, 3));
  await expect.poll(() => lane.undelivered).toBe(3);
  lane.record(1, drafts(3, 2));
  await expect.poll(texts, { timeout: 5_000 }).toEqual(numbered(5));
  await expect.poll(() => lane.undelivered).toBe(0);
});

it("writes nothing twice when the answer was lost after it was written", async () => {
  faults = ["unknown"];
  lane.record(1, drafts(0, 3));
  await expect.poll(() => lane.undelivered).toBe(3);
  lane.record(1, drafts(3, 2));
  await expect.poll(texts, { timeout: 5_000 }).toEqual(numbered(5));
  await lane.flush(5_000);
  expect(await texts()).toEqual(numbered(5));
});

it("gives up what belongs to a term that is over, and says each in the log", async () => {
  await store.campaign(RECORD, { ...RECORD, term: 2, beat: 2 });
  lane.record(1, drafts(0, 2));
  lane.record(2, drafts(7, 1));
  await lane.flush(5_000);
  expect(await texts()).toEqual(["event 7"]);
  expect(warnings.join("\n")).toMatch(/2 events of term 1[^]*event 0[^]*event 1/u);
});

it("drops the oldest when too many wait, and says how many", async () => {
  faults = ["refused", "refused"];
  lane.record(1, drafts(0, 12_000));
  await expect.poll(texts, { timeout: 10_000 }).toHaveLength(10_001);
  const all = await store.events(0, 20_000);
  expect(all.find(({ type }) => type === "events-dropped")?.text).toContain("2000 events were dropped");
});

it("writes what was recorded before it says that the leadership is released", async () => {
  faults = ["refused"];
  lane.record(1, drafts(0, 2));
  lane.campaign(RECORD, { ...RECORD, beat: 2, released: true });
  await expect.poll(() => pushed.map(({ kind }) => kind)).toEqual(["campaigned"]);
  expect(await texts()).toEqual(numbered(2));
  expect((await store.leadership())?.released).toBe(true);
});

const commit = (commitId: number, term: number): void => {
  lane.commit({ commitId, term, changes: [], settings: null, configuration: null, events: [] });
};

it("brings back what came of a commit: the outcome is told, not guessed", async () => {
  faults = ["refused", "unknown"];
  for (const [id, term] of [
    [1, 1],
    [2, 1],
    [3, 9],
    [4, 1],
  ] as const) {
    commit(id, term);
    await expect.poll(() => pushed.length).toBe(id);
  }
  expect(pushed.map((event) => ("outcome" in event ? event.outcome : event.kind))).toEqual([
    "refused",
    "unknown",
    "fenced",
    "committed",
  ]);
});
