/** What every engine owes to publishers (I5), and the notes that a leader leaves for the next one. */
import { describe, expect, test } from "vitest";
import { StoreFenced, type Store } from "../../src/store/contract.ts";
import type { Running } from "./store-contract.ts";
import { commit, event, leadershipRecord, published } from "./store-samples.ts";

interface Place {
  readonly store: () => Store;
  readonly open: () => Promise<Store>;
  readonly lead: (term?: number) => Promise<void>;
  readonly run: (task: string, who: string, times: number) => Running;
}

export function publishingContract({ store, open, lead, run }: Place): void {
  describe("publishing", () => {
    test("keeps what was published, and appends it once, whoever sends it again (I5)", async () => {
      await lead();
      const draft = published("k1", { any: ["json", 1, null, "ü"] });
      const first = await store().commit(commit({ events: [event("a"), draft] }));
      expect(first.events).toEqual([
        { ...event("a"), seq: 1 },
        { ...draft, seq: 2 },
      ]);
      expect(first.repeats).toEqual([]);
      const again = await store().commit(commit({ events: [draft] }));
      expect([again.events, again.repeats]).toEqual([[], [{ index: 0, seq: 2 }]]);
      // Another arbiter, with the next term.
      const other = await open();
      await lead(2);
      const mixed = await other.commit(
        commit({ term: 2, events: [published("k0"), draft, event("b"), published("k0")] }),
      );
      expect(mixed.events.map(({ seq }) => seq)).toEqual([3, 4]);
      expect(mixed.repeats).toEqual([
        { index: 1, seq: 2 },
        { index: 3, seq: 3 },
      ]);
      expect(await other.events(1, 1)).toEqual([{ ...draft, seq: 2 }]);
      expect((await other.events(0, 10)).map(({ text }) => text)).toEqual(["a", "jobs/etl", "jobs/etl", "b"]);
    });

    test("takes the same key of two namespaces for two", async () => {
      await lead();
      const one = published("k");
      const two = {
        ...one,
        publication: { namespace: "other", key: "etl", value: null, idempotencyKey: "k" },
      };
      const { events } = await store().commit(commit({ events: [one, two] }));
      expect(events).toHaveLength(2);
    });

    test("a fenced commit publishes nothing: the same may be sent again", async () => {
      await lead(3);
      await expect(store().commit(commit({ term: 2, events: [published("k")] }))).rejects.toThrow(
        StoreFenced,
      );
      const { events, repeats } = await store().commit(commit({ term: 3, events: [published("k")] }));
      expect([events.length, repeats.length]).toEqual([1, 0]);
    });

    test("sent side by side, it is still one", async () => {
      await lead();
      const sent = Array.from({ length: 12 }, () =>
        store().commit(commit({ events: [published("k"), event("x")] })),
      );
      const answers = await Promise.all(sent);
      const seqs = answers.flatMap(({ events, repeats }) => [
        ...events.filter(({ type }) => type === "published").map(({ seq }) => seq),
        ...repeats.map(({ seq }) => seq),
      ]);
      expect(new Set(seqs).size).toBe(1);
      expect(answers.filter(({ repeats }) => repeats.length === 0)).toHaveLength(1);
      expect((await store().load()).lastEvent).toBe(13);
    });

    test("by several processes that send the same, each is in the log once", async () => {
      await lead();
      const all = ["a", "b", "c"].map((who) => run("publish", who, 20));
      await Promise.all(all.map(({ ended }) => ended));
      const lines = all.flatMap((one) => one.lines);
      expect(lines).toHaveLength(60);
      expect(lines.filter(({ isNew }) => isNew === true)).toHaveLength(20);
      const log = await store().events(0, 100);
      expect(log).toHaveLength(20);
      for (const { once, seq } of lines) {
        const found = log.find((logged) => logged.seq === seq);
        expect(found?.publication?.idempotencyKey).toBe(`once-${String(once)}`);
      }
    });

    test("an identity goes with its event, and stays while its event does", async () => {
      await lead();
      const old = published("old", 1, { atWallMs: 10 });
      const young = published("young", 2, { atWallMs: 90 });
      await store().commit(commit({ events: [old, young] }));
      await store().commit(commit({ events: [event("newest", { atWallMs: 99 })] }));
      expect(await store().trim(50)).toBe(1);
      const { events, repeats } = await store().commit(commit({ events: [old, young] }));
      expect(events.map(({ seq }) => seq)).toEqual([4]);
      expect(repeats).toEqual([{ index: 1, seq: 2 }]);
    });
  });

  describe("notes", () => {
    test("are kept by name, replaced as a whole, and read by the next leader", async () => {
      await lead();
      expect(await store().note("alerts")).toBeNull();
      const before = (await store().load()).revision;
      await store().commit(commit({ notes: { alerts: "one" } }));
      await store().commit(
        commit({ notes: { alerts: `two ✓ ${"x".repeat(10_000)}` }, events: [event("a")] }),
      );
      expect(await (await open()).note("alerts")).toBe(`two ✓ ${"x".repeat(10_000)}`);
      // Nothing that a follower of the cluster has to read again.
      expect((await store().load()).revision).toBe(before);
    });

    test("are fenced: a leader of the past can't set them back", async () => {
      await lead(1);
      await store().commit(commit({ notes: { alerts: "mine" } }));
      await store().campaign(await store().leadership(), leadershipRecord({ term: 2 }));
      await expect(store().commit(commit({ term: 1, notes: { alerts: "late" } }))).rejects.toThrow(
        StoreFenced,
      );
      expect(await store().note("alerts")).toBe("mine");
    });
  });
}
