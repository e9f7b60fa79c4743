/** One target of the alerts on a log, a clock and a store of the test's own. */
import { afterEach, expect, it } from "vitest";
import { Cursors } from "../../../src/arbiter/alerts/cursors.ts";
import type { AlertMessage } from "../../../src/arbiter/alerts/message.ts";
import { Target } from "../../../src/arbiter/alerts/target.ts";
import type { Commit } from "../../../src/core/arbiter-io.ts";
import type { LoggedEvent } from "../../../src/core/model.ts";
import { StoreFenced } from "../../../src/store/contract.ts";

const notes = new Map<string, string>();
let term = 1;
const store = {
  note: (name: string) => Promise.resolve(notes.get(name) ?? null),
  commit(commit: Commit) {
    if (commit.term !== term) return Promise.reject(new StoreFenced("another leads"));
    for (const [name, text] of Object.entries(commit.notes ?? {})) notes.set(name, text);
    return Promise.resolve({ revision: 0, events: [], repeats: [] });
  },
};
const running: { target: Target; ended: Promise<void> }[] = [];
afterEach(async () => {
  for (const { target } of running) target.end();
  await Promise.all(running.splice(0).map(({ ended }) => ended));
  notes.clear();
  term = 1;
});

function log(count: number): LoggedEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    type: "service.vacant",
    atWallMs: 0,
    service: `s${index + 1}`,
    text: `s${index + 1} is vacant`,
  }));
}

interface Played {
  readonly sent: AlertMessage[];
  readonly warnings: string[];
  readonly target: Target;
}

/** A virtual clock: each pause passes at once. */
async function run(events: readonly LoggedEvent[], moves: number, fails = 0): Promise<Played> {
  let nowMs = 0;
  let left = fails;
  const sent: AlertMessage[] = [];
  const warnings: string[] = [];
  const target = new Target(
    {
      name: "webhook",
      isWanted: () => true,
      tellsRecoveries: true,
      rate: { moves, perMs: 60_000 },
      send(message) {
        left -= 1;
        if (left >= 0) return Promise.reject(new Error("not now"));
        sent.push(message);
        return Promise.resolve();
      },
    },
    {
      feed: {
        tail: events.at(-1)?.seq ?? 0,
        after: (after, limit) => Promise.resolve(events.filter(({ seq }) => seq > after).slice(0, limit)),
      },
      sender: () => ({ clusterId: "c", cluster: "main", arbiter: "a" }),
      now: () => nowMs,
      pause: async (ms) => {
        nowMs += ms;
        await new Promise((resolve) => setImmediate(resolve));
      },
      onSent: () => {},
      onFailed: () => {},
      warn: (text) => warnings.push(text),
    },
  );
  const ended = target.run(await Cursors.load(store, 1), 0);
  running.push({ target, ended });
  await expect
    .poll(() => JSON.parse(notes.get("alerts") ?? "{}"))
    .toMatchObject({
      webhook: { seq: events.at(-1)?.seq ?? 0 },
    });
  return { sent, warnings, target };
}

it("what comes faster than the rate is gathered into messages, nothing left out, in order", async () => {
  const { sent } = await run(log(140), 4);
  expect(sent.slice(0, 4).map(({ alerts }) => alerts.length)).toEqual([1, 1, 1, 1]);
  // A minute's rate, and no message with more than fifty.
  expect(sent.length).toBeLessThan(12);
  expect(Math.max(...sent.map(({ alerts }) => alerts.length))).toBe(50);
  const told = sent.flatMap(({ alerts }) => alerts.map(({ seq }) => seq));
  expect(told).toEqual(log(140).map(({ seq }) => seq));
  expect(sent.find(({ alerts }) => alerts.length === 50)?.text).toMatch(/\(and 49 more\)$/u);
});

it("the same message is tried until it is taken, and only then the cursor moves", async () => {
  const { sent, target } = await run(log(2), 10, 5);
  expect(sent.map(({ id }) => id)).toEqual(["c-webhook-1-1", "c-webhook-2-2"]);
  expect([target.undelivered, target.problem]).toEqual([0, null]);
});

it("a target that was told before goes on from there, and says what is too old to be had", async () => {
  notes.set("alerts", JSON.stringify({ webhook: { seq: 3, open: { "service:s1": 1 } } }));
  const { sent, warnings } = await run(log(9).slice(5), 10);
  expect(sent.flatMap(({ alerts }) => alerts.map(({ seq }) => seq))).toEqual([6, 7, 8, 9]);
  expect(warnings[0]).toContain("events 4 to 5 are gone");
});

it("once another leads, nothing more is sent from here, and its cursor stays", async () => {
  const { sent, target } = await run(log(1), 10);
  term = 2;
  notes.set("alerts", JSON.stringify({ webhook: { seq: 7, open: {} } }));
  expect(sent).toHaveLength(1);
  await expect((await Cursors.load(store, 1)).set("webhook", { seq: 1, open: {} })).rejects.toThrow(
    StoreFenced,
  );
  expect(JSON.parse(notes.get("alerts") ?? "")).toEqual({ webhook: { seq: 7, open: {} } });
  target.end();
});

it("a note that can't be read is as if it weren't there", async () => {
  for (const bad of ["", "no json", "[1]", `{"webhook": {"seq": "x"}}`, `{"webhook": null}`]) {
    notes.set("alerts", bad);
    expect((await Cursors.load(store, 1)).of("webhook")).toBeNull();
  }
});
