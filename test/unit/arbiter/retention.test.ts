/** Old events go, by the leader alone; new ones and the newest stay. Over a real store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { validate } from "node-cron";
import { expect, it } from "vitest";
import { NIGHTLY, scheduleRetention, trimOnce } from "../../../src/arbiter/retention.ts";
import { StoreUnavailable } from "../../../src/store/contract.ts";
import { openStore } from "../../../src/store/open.ts";

const DAY_MS = 86_400_000;
const said: string[] = [];
const log = {
  info: (text: string) => said.push(text),
  warn: (text: string) => said.push(text),
  error: (text: string) => said.push(text),
};

it("removes what is older than the retention, if this arbiter leads", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "arbiter-retention-"));
  const store = await openStore("sqlite:events.db", { stateDir: folder });
  const record = { clusterId: "c", term: 1, leader: "a", instance: "i", url: "u", beat: 1, released: false };
  await store.campaign(null, { ...record, ttlMs: 1_000, electable: [] });
  const events = [1, 2, 10, 11].map((day) => ({ type: "test", atWallMs: day * DAY_MS, text: `day ${day}` }));
  await store.commit({ commitId: 1, term: 1, changes: [], settings: null, configuration: null, events });
  let isLeading = false;
  const options = {
    store,
    log,
    retentionMs: () => 5 * DAY_MS,
    isLeading: () => isLeading,
    wallMs: () => 12 * DAY_MS,
  };
  await trimOnce(options);
  expect(await store.events(0, 10)).toHaveLength(4);
  isLeading = true;
  await trimOnce(options);
  expect((await store.events(0, 10)).map(({ seq, text }) => [seq, text])).toEqual([
    [3, "day 10"],
    [4, "day 11"],
  ]);
  expect(said.splice(0)).toEqual(["2 events older than the retention were removed."]);
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

it("says what kept it from doing so, and lives on", async () => {
  const store = { trim: () => Promise.reject(new StoreUnavailable("The disk is full.", "refused")) };
  const options = { store, log, retentionMs: () => 1, isLeading: () => true, wallMs: () => 1 };
  await trimOnce(options);
  expect(said.splice(0)).toEqual([
    "Old events could not be removed: The disk is full. It is tried again tomorrow.",
  ]);
  expect(validate(NIGHTLY)).toBe(true);
  scheduleRetention(options)();
});
