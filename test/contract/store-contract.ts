/**
 * The conformance suite of the store contract: every engine passes it, with real processes.
 *
 * An engine's own test file names a place for a fresh store and adds its regressions.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StoreFenced, StoreUnavailable, type Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import { publishingContract } from "./publishing-contract.ts";
import { SETTINGS, commit, configuration, event, leadershipRecord, serviceRow } from "./store-samples.ts";

/** Where a test's own, empty store is. */
export interface StorePlace {
  readonly url: string;
  readonly stateDir: string;
  remove(): Promise<void>;
}

const PROCESS = fileURLToPath(new URL("store-process.ts", import.meta.url));

export interface Running {
  readonly process: ChildProcess;
  readonly lines: Record<string, unknown>[];
  readonly ended: Promise<void>;
}

export function startProcess(place: StorePlace, task: string, name: string, times: number): Running {
  const child = spawn(process.execPath, [PROCESS, place.url, place.stateDir, task, name, String(times)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: Record<string, unknown>[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    // The last line of a killed process may be cut off: it was not acknowledged, then.
    if (line.endsWith("}")) lines.push(membersOf(JSON.parse(line)));
  });
  const ended = Promise.all([once(child, "exit"), once(reader, "close")]).then(() => {});
  return { process: child, lines, ended };
}

function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function numbers(all: readonly Running[], member: string): number[] {
  return all.flatMap(({ lines }) => lines.map((line) => Number(line[member]))).toSorted((a, b) => a - b);
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

export function storeContract(name: string, newPlace: () => Promise<StorePlace>): void {
  describe(`the store contract: ${name}`, () => {
    let place: StorePlace;
    let store: Store;
    const opened: Store[] = [];
    const processes: Running[] = [];

    const open = async (): Promise<Store> => {
      const another = await openStore(place.url, { stateDir: place.stateDir });
      opened.push(another);
      return another;
    };
    const run = (task: string, who: string, times: number): Running => {
      const running = startProcess(place, task, who, times);
      processes.push(running);
      return running;
    };
    const lead = async (term = 1): Promise<void> => {
      const current = await store.leadership();
      const { won } = await store.campaign(current, leadershipRecord({ term }));
      expect(won).toBe(true);
    };

    beforeEach(async () => {
      place = await newPlace();
      store = await open();
    });
    afterEach(async () => {
      for (const running of processes.splice(0)) {
        running.process.kill("SIGKILL");
        await running.ended;
      }
      for (const each of opened.splice(0)) await each.close();
      await place.remove();
    });

    describe("leadership", () => {
      test("an empty store has no leader and no contents", async () => {
        expect(await store.leadership()).toBeNull();
        expect(await store.load()).toEqual({
          revision: 0,
          rows: [],
          settings: { pauses: {}, maintenance: {}, moves: {}, joined: {} },
          configuration: null,
          lastEvent: 0,
        });
        expect(await store.events(0, 10)).toEqual([]);
        expect(await store.configurations(10)).toEqual([]);
        expect(await store.trim(Number.MAX_SAFE_INTEGER)).toBe(0);
      });

      test("a campaign replaces what it expected, and nothing else", async () => {
        const first = leadershipRecord();
        expect(await store.campaign(null, first)).toEqual({ won: true, record: first });
        expect(await store.leadership()).toEqual(first);
        const second = leadershipRecord({ term: 2, leader: "arbiter-2", instance: "other", beat: 7 });
        for (const wrong of [
          null,
          { ...first, term: 2 },
          { ...first, instance: "arbiter-1-start-2" },
          { ...first, beat: 2 },
        ]) {
          expect(await store.campaign(wrong, second)).toEqual({ won: false, record: first });
        }
        expect(await store.campaign(first, second)).toEqual({ won: true, record: second });
        const released = { ...second, released: true, electable: [] };
        expect(await store.campaign(second, released)).toEqual({ won: true, record: released });
        expect(await store.leadership()).toEqual(released);
      });

      test("a campaign that expects a record on an empty store loses", async () => {
        const result = await store.campaign(leadershipRecord(), leadershipRecord({ term: 2 }));
        expect(result).toEqual({ won: false, record: null });
      });

      test("of several processes, one wins each term", async () => {
        const all = ["a", "b", "c", "d"].map((who) => run("campaign", who, 15));
        await Promise.all(all.map(({ ended }) => ended));
        expect(numbers(all, "term")).toEqual(upTo(60));
        expect((await store.leadership())?.term).toBe(60);
      });
    });

    describe("commits", () => {
      test("keep every member of what they are given", async () => {
        await lead();
        const row = serviceRow();
        const bare = serviceRow({
          service: "b",
          holder: null,
          stateId: null,
          bootId: null,
          epoch: 0,
          cleared: -1,
        });
        const full = event("moved ✓", {
          service: "scheduler-master",
          daemon: "scheduler-1",
          epoch: 1,
          term: 1,
          row: 12,
          evidence: { report: { seq: 3, list: [1, null, "x"] } },
        });
        const result = await store.commit(
          commit({
            changes: [
              { row, expectedEpoch: 0 },
              { row: bare, expectedEpoch: 0 },
            ],
            settings: SETTINGS,
            configuration: configuration(1),
            events: [full, event("plain")],
          }),
        );
        expect(result).toEqual({
          revision: 1,
          events: [
            { ...full, seq: 1 },
            { ...event("plain"), seq: 2 },
          ],
          repeats: [],
        });
        const other = await open();
        const contents = await other.load();
        expect(contents.rows.toSorted((a, b) => a.service.localeCompare(b.service))).toEqual([bare, row]);
        expect(contents).toMatchObject({
          revision: 1,
          settings: SETTINGS,
          configuration: configuration(1),
          lastEvent: 2,
        });
        expect(await other.events(0, 10)).toEqual(result.events);
        expect(await other.events(1, 10)).toEqual(result.events.slice(1));
        expect(await other.events(0, 1)).toEqual(result.events.slice(0, 1));
      });

      test("raise the revision, unless they only add events", async () => {
        await lead();
        expect((await store.commit(commit({ events: [event("a")] }))).revision).toBe(0);
        expect((await store.commit(commit({ settings: SETTINGS }))).revision).toBe(1);
        expect((await store.commit(commit({ configuration: configuration(1) }))).revision).toBe(2);
        const change = { row: serviceRow(), expectedEpoch: 0 };
        expect((await store.commit(commit({ changes: [change] }))).revision).toBe(3);
        expect((await store.load()).revision).toBe(3);
      });

      test("go on above a number that the leader knows of, once (I8)", async () => {
        await store.campaign(null, leadershipRecord());
        expect((await store.commit(commit({ settings: SETTINGS, revisionAbove: 40 }))).revision).toBe(41);
        expect((await store.commit(commit({ settings: SETTINGS, revisionAbove: 7 }))).revision).toBe(42);
        expect((await store.commit(commit({ events: [event("a")], revisionAbove: 90 }))).revision).toBe(42);
        expect((await store.load()).revision).toBe(42);
      });

      test("are fenced without a leader, of another term, and once the lead is released", async () => {
        await expect(store.commit(commit())).rejects.toThrow(StoreFenced);
        await lead(5);
        await expect(store.commit(commit({ term: 4, events: [event("old")] }))).rejects.toThrow(StoreFenced);
        await expect(store.commit(commit({ term: 6, events: [event("new")] }))).rejects.toThrow(StoreFenced);
        await store.commit(commit({ term: 5, events: [event("good")] }));
        const current = await store.leadership();
        await store.campaign(current, leadershipRecord({ term: 5, released: true }));
        await expect(store.commit(commit({ term: 5, events: [event("late")] }))).rejects.toThrow(StoreFenced);
        expect(await store.events(0, 10)).toEqual([{ ...event("good"), seq: 1 }]);
      });

      test("are fenced by an epoch that has moved on, and can't take one back (I2)", async () => {
        await lead();
        await store.commit(commit({ changes: [{ row: serviceRow({ epoch: 3 }), expectedEpoch: 0 }] }));
        for (const [epoch, expectedEpoch] of [
          [4, 2],
          [4, 4],
          [1, 0],
          [2, 3],
        ] as const) {
          const change = { row: serviceRow({ epoch }), expectedEpoch };
          await expect(store.commit(commit({ changes: [change] }))).rejects.toThrow(StoreFenced);
        }
        expect((await store.load()).rows).toEqual([serviceRow({ epoch: 3 })]);
      });

      test("are all or nothing: one fenced row keeps back the others, the settings and the events", async () => {
        await lead();
        await store.commit(commit({ changes: [{ row: serviceRow({ service: "a" }), expectedEpoch: 0 }] }));
        const before = await store.load();
        const mixed = commit({
          changes: [
            { row: serviceRow({ service: "b" }), expectedEpoch: 0 },
            { row: serviceRow({ service: "a", epoch: 3 }), expectedEpoch: 2 },
          ],
          settings: SETTINGS,
          configuration: configuration(1),
          events: [event("never")],
        });
        await expect(store.commit(mixed)).rejects.toThrow(StoreFenced);
        expect(await store.load()).toEqual(before);
        expect(await store.events(0, 10)).toEqual([]);
      });

      test("sent together stand and fall one by one, and number their events in order", async () => {
        await lead();
        const results = await Promise.allSettled([
          store.commit(commit({ events: [event("a"), event("b")] })),
          store.commit(commit({ term: 9, events: [event("fenced")] })),
          store.commit(commit({ changes: [{ row: serviceRow(), expectedEpoch: 0 }], events: [event("c")] })),
          store.commit(
            commit({ changes: [{ row: serviceRow(), expectedEpoch: 0 }], events: [event("too late")] }),
          ),
          store.commit(commit({ events: [event("d")] })),
        ]);
        expect(results.map(({ status }) => status)).toEqual([
          "fulfilled",
          "rejected",
          "fulfilled",
          "rejected",
          "fulfilled",
        ]);
        const kept = await store.events(0, 10);
        expect(kept.map(({ seq, text }) => `${seq} ${text}`)).toEqual(["1 a", "2 b", "3 c", "4 d"]);
      });

      test("of several processes number their events consecutively", async () => {
        await lead();
        const all = ["a", "b", "c"].map((who) => run("record", who, 40));
        await Promise.all(all.map(({ ended }) => ended));
        expect(numbers(all, "seq")).toEqual(upTo(120));
        const kept = await store.events(0, 1_000);
        const told = new Map(all.flatMap(({ lines }) => lines.map(({ seq, text }) => [seq, text])));
        expect(kept.map(({ seq }) => seq)).toEqual(upTo(120));
        for (const { seq, text } of kept) expect(told.get(seq)).toBe(text);
      });

      test("of several processes give each epoch to one of them", async () => {
        await lead();
        const all = ["a", "b", "c"].map((who) => run("move", who, 20));
        await Promise.all(all.map(({ ended }) => ended));
        expect(numbers(all, "epoch")).toEqual(upTo(60));
        const { rows, revision } = await store.load();
        expect([rows[0]?.epoch, revision]).toEqual([60, 60]);
        const moves = await store.events(0, 100);
        expect(moves.map(({ epoch }) => epoch)).toEqual(upTo(60));
      });
    });

    publishingContract({ store: () => store, open, lead, run });

    describe("what outlives a crash", () => {
      test("after kill -9 in the middle of commits, all that was acknowledged is there, whole (I5)", async () => {
        await lead();
        let acknowledged = 0;
        for (let round = 1; round <= 3; round++) {
          const running = run("move", `round-${round}`, 1_000_000);
          while (running.lines.length < round * 17)
            await once(running.process.stdout ?? running.process, "data");
          running.process.kill("SIGKILL");
          await running.ended;
          acknowledged = Math.max(acknowledged, ...numbers([running], "epoch"));
          const { rows, revision, lastEvent } = await (await open()).load();
          expect(rows[0]?.epoch).toBeGreaterThanOrEqual(acknowledged);
          // One more may have been on its way; row, revision and event came together or not at all.
          expect(rows[0]?.epoch).toBeLessThanOrEqual(acknowledged + 1);
          expect([revision, lastEvent]).toEqual([rows[0]?.epoch, rows[0]?.epoch]);
          acknowledged = rows[0]?.epoch ?? 0;
        }
      });

      test("a store that was closed and opened again has it all", async () => {
        await lead();
        await store.commit(
          commit({
            changes: [{ row: serviceRow(), expectedEpoch: 0 }],
            settings: SETTINGS,
            events: [event("a")],
          }),
        );
        const before = await store.load();
        await store.close();
        const again = await open();
        expect(await again.load()).toEqual(before);
        expect(await again.leadership()).toEqual(leadershipRecord());
      });
    });

    describe("the log and the history", () => {
      test("trim removes the oldest and keeps the newest, whose number goes on", async () => {
        await lead();
        await store.commit(
          commit({ events: [10, 20, 30, 40].map((atWallMs) => event(`e${atWallMs}`, { atWallMs })) }),
        );
        expect(await store.trim(25)).toBe(2);
        expect((await store.events(0, 10)).map(({ seq }) => seq)).toEqual([3, 4]);
        expect(await store.trim(1_000)).toBe(1);
        expect(await store.trim(1_000)).toBe(0);
        expect((await store.events(0, 10)).map(({ seq }) => seq)).toEqual([4]);
        const { events } = await store.commit(commit({ events: [event("next")] }));
        expect(events[0]?.seq).toBe(5);
        expect((await store.load()).lastEvent).toBe(5);
      });

      test("trim leaves no hole where the wall clock was stepped back", async () => {
        await lead();
        await store.commit(commit({ events: [10, 90, 20, 95].map((atWallMs) => event("e", { atWallMs })) }));
        expect(await store.trim(50)).toBe(1);
        expect((await store.events(0, 10)).map(({ seq }) => seq)).toEqual([2, 3, 4]);
      });

      test("configuration versions are kept, the newest first", async () => {
        await lead();
        for (const version of [1, 2, 5])
          await store.commit(commit({ configuration: configuration(version) }));
        expect(await store.configurations(2)).toEqual([configuration(5), configuration(2)]);
        expect(await store.configurations(10)).toHaveLength(3);
        expect((await store.load()).configuration).toEqual(configuration(5));
      });

      test("a configuration version is never written over: the number that is taken gives way (I5)", async () => {
        await lead();
        await store.commit(commit({ configuration: configuration(3) }));
        await store.commit(commit({ configuration: configuration(3) }));
        expect(await store.configurations(10)).toEqual([configuration(3)]);
        const other = configuration(3, "another hash");
        await store.commit(commit({ configuration: other }));
        expect(await store.configurations(10)).toEqual([{ ...other, version: 4 }, configuration(3)]);
      });
    });

    test("closed, it refuses in a sentence, and closing again is no error", async () => {
      await store.close();
      await store.close();
      const refused = await store.leadership().catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(StoreUnavailable);
      expect(refused).toMatchObject({ outcome: "refused", code: "ERR_ARB_STORE_UNAVAILABLE" });
    });
  });
}
