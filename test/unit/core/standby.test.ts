/** A standby: what it promises while the leader can't reach the store, when it looks, and whom it follows. */
import { expect, test } from "vitest";
import { createArbiter, stepArbiter } from "../../../src/core/arbiter.ts";
import type { ArbiterEffect, ArbiterEvent, Moment } from "../../../src/core/arbiter-io.ts";
import type { ArbiterState } from "../../../src/core/arbiter-state.ts";
import type { ArbiterSpec, LeadershipRecord } from "../../../src/core/model.ts";
import { MASTER_AND_SPARE } from "./arbiter-models.ts";

type Pushed<E> = E extends unknown ? Omit<E, keyof Moment> : never;
const TTL_MS = MASTER_AND_SPARE.arbiterLeaseMs;
const LISTED = [
  { name: "a", stateId: "state-a", url: "http://a" },
  { name: "b", stateId: "state-b", url: "http://b" },
  { name: "c", stateId: "state-c", url: "http://c" },
];

function recordOf(beat: number, over: Partial<LeadershipRecord> = {}): LeadershipRecord {
  const who = { clusterId: "cluster-1", term: 4, leader: "a", instance: "of-a", url: "http://a" };
  return { ...who, beat, released: false, ttlMs: TTL_MS, electable: LISTED, ...over };
}

/** Three arbiters; `name` is one of the two that stand by while `a` leads. */
class Standby {
  readonly state: ArbiterState;
  nowMs = 10_000;

  constructor(name: "b" | "c", electable = true) {
    const [first] = MASTER_AND_SPARE.arbiters;
    if (first === undefined) throw new Error("the model has no arbiter");
    const arbiters: ArbiterSpec[] = [];
    for (const { name: one, url } of LISTED)
      arbiters.push({
        ...first,
        name: one,
        url,
        role: one === "a" ? "master" : "spare",
        electable: one !== name || electable,
      });
    const configuration = { version: 0, hash: "h", atWallMs: 0, by: "test", files: {} };
    this.state = createArbiter({
      name,
      url: `http://${name}`,
      instance: `of-${name}`,
      stateId: `state-${name}`,
      freshClusterId: "fresh",
      model: { ...MASTER_AND_SPARE, arbiters },
      configuration,
      primary: null,
    });
    this.step({ kind: "started" });
    this.step({ kind: "leadershipRead", record: recordOf(1) });
  }

  step(event: Pushed<ArbiterEvent>): readonly ArbiterEffect[] {
    return stepArbiter(this.state, { ...event, nowMs: this.nowMs, wallMs: this.nowMs });
  }

  /** Asked not to lead; whether it promised, and whether it tries the store by itself. */
  asked(forMs = TTL_MS): { readonly promised: boolean; readonly touches: boolean } {
    const { name } = this.state.options;
    const request = { protocol: 1, clusterId: "cluster-1", to: name, leader: "a", instance: "of-a", term: 4 };
    const effects = this.step({
      kind: "arbiterPromiseAsked",
      id: "p",
      request: { ...request, round: 1, forMs },
    });
    const answer = effects.find((effect) => effect.kind === "answerArbiterPromise");
    const touches = effects.some(({ kind }) => kind === "touchStore");
    return { promised: answer?.answer.promised ?? false, touches };
  }

  /** When it would look next, or campaigns: which effects a look brings. */
  look(record: LeadershipRecord): readonly ArbiterEffect[] {
    this.step({ kind: "timerFired", key: "leadership" });
    return this.step({ kind: "leadershipRead", record });
  }
}

test("it promises while the store is away for it, too", () => {
  const standby = new Standby("b");
  expect(standby.asked()).toEqual({ promised: true, touches: true });
  standby.step({ kind: "storeTouched", isWritten: false, beganAtMs: standby.nowMs });
  standby.nowMs += TTL_MS / 4;
  expect(standby.asked()).toEqual({ promised: true, touches: true });
});

test("the leader alone can't reach the store: it doesn't promise again, and leads once it may", () => {
  const standby = new Standby("b");
  standby.asked();
  const promisedUntilMs = standby.nowMs + TTL_MS;
  standby.step({ kind: "storeTouched", isWritten: true, beganAtMs: standby.nowMs });
  standby.nowMs += TTL_MS / 4;
  expect(standby.asked()).toEqual({ promised: false, touches: true });
  // What it has promised holds, whatever it has found out since (I1).
  standby.nowMs = promisedUntilMs - 1;
  expect(standby.look(recordOf(1)).map(({ kind }) => kind)).not.toContain("campaign");
  standby.nowMs = promisedUntilMs + 100;
  expect(standby.look(recordOf(1)).map(({ kind }) => kind)).toContain("campaign");
});

test("a good write long ago says nothing of now", () => {
  const standby = new Standby("b");
  standby.asked();
  standby.step({ kind: "storeTouched", isWritten: true, beganAtMs: standby.nowMs });
  standby.nowMs += TTL_MS;
  expect(standby.asked().promised).toBe(true);
});

test("one that may not lead promises, and has no reason to try the store", () => {
  const standby = new Standby("b", false);
  expect(standby.asked()).toEqual({ promised: true, touches: false });
});

test("who is merely asked for its name doesn't touch the store", () => {
  expect(new Standby("b").asked(0)).toEqual({ promised: true, touches: false });
});

test("a hint that something was written has it look at once, but no more often than forty times a lease", () => {
  const standby = new Standby("b");
  standby.nowMs += TTL_MS / 10;
  expect(standby.step({ kind: "storeChanged" })).toEqual([
    { kind: "timer", key: "leadership", atMs: standby.nowMs },
  ]);
  standby.look(recordOf(2));
  expect(standby.step({ kind: "storeChanged" })).toEqual([
    { kind: "timer", key: "leadership", atMs: standby.nowMs + TTL_MS / 40 },
  ]);
});

test("the next in line campaigns as soon as the beat has stood still, the one after it a quarter later", () => {
  const campaignsAfter = (["b", "c"] as const).map((name) => {
    const standby = new Standby(name);
    const beganMs = standby.nowMs;
    while (!standby.look(recordOf(1)).some(({ kind }) => kind === "campaign")) standby.nowMs += 10;
    return standby.nowMs - beganMs;
  });
  const [first = 0, second = 0] = campaignsAfter.toSorted((one, other) => one - other);
  expect(first).toBeLessThanOrEqual(TTL_MS * 1.01 + 20 + 10);
  expect(second - first).toBeGreaterThanOrEqual(TTL_MS / 4 - 10);
});

test("a lead that was given up is taken at once", () => {
  const standby = new Standby("b");
  const second = new Standby("c");
  const released = recordOf(2, { released: true });
  const kinds = [standby, second].map((one) => one.look(released).map(({ kind }) => kind));
  expect(kinds.filter((list) => list.includes("campaign"))).toHaveLength(1);
});

test("one that the leader didn't know leads only by an operator's word, and not while that one gives signs of life", () => {
  const standby = new Standby("b");
  const electable = LISTED.filter(({ name }) => name !== "b");
  const statusIn = (effects: ReturnType<typeof standby.step>): number | null =>
    effects.find((effect) => effect.kind === "answer")?.answer.status ?? null;
  const claim = (): number | null =>
    statusIn(standby.step({ kind: "commanded", id: "x", by: "anna", command: { verb: "claim" } }));
  const look = (beat: number): ReturnType<typeof standby.look> => standby.look(recordOf(beat, { electable }));
  const campaigns = (beat: number): boolean => look(beat).some(({ kind }) => kind === "campaign");
  expect(campaigns(2)).toBe(false);
  expect(claim()).toBe(409);
  standby.nowMs += 10 * TTL_MS;
  expect(campaigns(2)).toBe(false);
  // Answered once it leads: until then nothing of it is on disk (I5).
  expect(claim()).toBeNull();
  // It lives: the claim was about another beat.
  const living = look(3);
  expect(living.some(({ kind }) => kind === "campaign")).toBe(false);
  expect(statusIn(living)).toBe(409);
  standby.nowMs += 10 * TTL_MS;
  expect(campaigns(3)).toBe(false);
  expect(claim()).toBeNull();
  const effects = look(3);
  const campaign = effects.find((effect) => effect.kind === "campaign");
  expect(campaign).toBeDefined();
  expect(statusIn(effects)).toBeNull();
  if (campaign === undefined) return;
  const { next } = campaign;
  standby.step({ kind: "campaigned", won: true, record: next, beganAtMs: standby.nowMs });
  const contents = { revision: 1, rows: [], configuration: null };
  const settings = { pauses: {}, maintenance: {}, moves: {}, joined: {} };
  const leads = standby.step({ kind: "loaded", term: next.term, ...contents, settings });
  const commit = leads.find((effect) => effect.kind === "commit")?.commit;
  const drafts = commit?.events ?? [];
  const events = drafts.map((event, at) => Object.assign(event, { seq: 40 + at }));
  const place = drafts.findIndex(({ type }) => type === "operator.leader-forced");
  const done = standby.step({ kind: "committed", commitId: commit?.commitId ?? 0, revision: 2, events });
  const answered = done.find((effect) => effect.kind === "answer")?.answer;
  expect(answered).toMatchObject({ status: 202, eventSeq: 40 + place });
});
