/** The candidate's side of failsafe: what it promises, what that forbids it, and what ends it (I1). */
import { describe, expect, test } from "vitest";
import { memoryOf, reportOf } from "../../../src/core/daemon.ts";
import { LEASE_MS, Rig } from "./daemon-rig.ts";

/** A waiting candidate of the service that another daemon holds at epoch 5, on expiry since 3. */
function candidate(): Rig {
  const rig = new Rig();
  rig.assign([]);
  return rig;
}

/** The next boot of a daemon that has promised. */
function restarted(): Rig {
  const before = candidate();
  before.ask({ epoch: 5 });
  return new Rig({}, memoryOf(before.state));
}

describe("a promise", () => {
  test("is given by a waiting candidate, and shown in its report", () => {
    const rig = candidate();
    expect(rig.ask({ epoch: 5, round: 3 })).toEqual({
      protocol: 1,
      name: "m",
      stateId: "state-m",
      round: 3,
      service: "svc",
      epoch: 5,
      promised: true,
      because: "",
      withoutEnd: false,
    });
    rig.pause(500);
    expect(reportOf(rig.state, rig.nowMs).promises).toEqual([
      { service: "svc", epoch: 5, holder: "s", forMs: LEASE_MS - 500 },
    ]);
  });

  test("waits until a longer length than ever is synced to disk, and counts from then", () => {
    const rig = candidate();
    rig.send({ kind: "promiseAsked", requestId: "p", request: rig.request() });
    expect(rig.all("answerPromise")).toEqual([]);
    const persist = rig.effect("persist");
    expect(persist.memory.longestPromiseMs).toBe(LEASE_MS);
    rig.pause(300);
    rig.send({ kind: "persisted", token: persist.token ?? -1 });
    expect(rig.effect("answerPromise").answer.promised).toBe(true);
    expect(rig.state.promises.get("svc")?.untilMs).toBe(1300 + LEASE_MS);
    rig.send({ kind: "promiseAsked", requestId: "q", request: rig.request({ forMs: LEASE_MS - 1 }) });
    expect(rig.kinds()).toEqual(["answerPromise"]);
  });

  test("isn't given on the strength of another's sync that hasn't finished", () => {
    const rig = candidate();
    rig.send({ kind: "promiseAsked", requestId: "p", request: rig.request() });
    rig.send({ kind: "promiseAsked", requestId: "q", request: rig.request() });
    expect(rig.kinds()).toEqual(["persist"]);
    expect(rig.effect("persist").token).not.toBeNull();
  });

  test("is judged afresh after the sync", () => {
    const rig = candidate();
    rig.send({ kind: "promiseAsked", requestId: "p", request: rig.request() });
    const token = rig.effect("persist").token ?? -1;
    rig.assign([rig.item({ epoch: 2, cleared: 1 })]);
    rig.send({ kind: "persisted", token });
    expect(rig.effect("answerPromise").answer.promised).toBe(false);
    rig.send({ kind: "persisted", token });
    expect(rig.effects).toEqual([]);
  });

  test("a later write never takes the longer length back before it is synced", () => {
    const rig = candidate();
    rig.send({ kind: "promiseAsked", requestId: "p", request: rig.request() });
    rig.assign([], { term: 2 });
    expect(rig.effect("persist").memory.longestPromiseMs).toBe(LEASE_MS);
  });

  test.each([
    ["it has seen a higher epoch", (rig: Rig) => rig.assign([rig.item({ epoch: 6, bootId: "x" })]), {}],
    ["it is activating on it", (rig: Rig) => rig.assign([rig.item({ epoch: 4 })]), {}],
    ["it is active on it", (rig: Rig) => rig.hold({ epoch: 4 }), {}],
    ["it drains from it", (rig: Rig) => (rig.hold({ epoch: 4 }), rig.assign([])), {}],
    ["it has promised a higher epoch", (rig: Rig) => rig.ask({ epoch: 9 }), {}],
    ["another daemon is meant", () => null, { to: "t" }],
    ["another state is meant", () => null, { toStateId: "state-clone" }],
    ["another cluster asks", () => null, { clusterId: "cluster-2" }],
    ["another protocol is spoken", () => null, { protocol: 2 }],
    ["it has no length", () => null, { forMs: 0 }],
    ["it has no end", () => null, { forMs: Number.POSITIVE_INFINITY }],
    ["it asks itself", () => null, { holder: "m" }],
  ])("is refused when %s", (_, before, over) => {
    const rig = candidate();
    before(rig);
    const answer = rig.ask({ epoch: 5, ...over });
    expect(answer.promised).toBe(false);
    expect(answer.because).not.toBe("");
  });

  test("binds a daemon that no arbiter has spoken to yet to that cluster", () => {
    const rig = new Rig();
    expect(rig.ask().promised).toBe(true);
    rig.assign([], { clusterId: "cluster-2" });
    expect(rig.effect("answer").problem?.code).toBe("other-cluster");
  });
});

describe("a live promise", () => {
  test("refuses an assignment that rests on expiry, for good", () => {
    const rig = candidate();
    rig.ask({ epoch: 5 });
    const offer = rig.item({ epoch: 6, cleared: 3 });
    expect(rig.assign([offer]).refusals).toEqual([{ service: "svc", epoch: 6, because: "promised" }]);
    rig.elapse(LEASE_MS);
    expect(rig.assign([offer]).refusals).toMatchObject([{ because: "old-epoch" }]);
    expect(rig.assign([rig.item({ epoch: 7, cleared: 3 })]).services).toMatchObject([{ epoch: 7 }]);
  });

  test("refuses until its very end on this daemon's clock", () => {
    const rig = candidate();
    rig.ask({ epoch: 5 });
    rig.pause(LEASE_MS - 1);
    expect(rig.assign([rig.item({ epoch: 6, cleared: 3 })]).refusals).toMatchObject([
      { because: "promised" },
    ]);
    rig.pause(1);
    expect(rig.assign([rig.item({ epoch: 7, cleared: 3 })]).refusals).toEqual([]);
  });

  test("ends with proof about its epoch", () => {
    const rig = candidate();
    rig.ask({ epoch: 5 });
    expect(rig.assign([rig.item({ epoch: 6, cleared: 5 })]).services).toMatchObject([{ epoch: 6 }]);
    expect(reportOf(rig.state, rig.nowMs).promises).toEqual([]);
  });

  test("doesn't end with proof about a lower epoch", () => {
    const rig = candidate();
    rig.ask({ epoch: 5 });
    const report = rig.assign([rig.item({ epoch: 6, cleared: 4 })]);
    expect(report.refusals).toMatchObject([{ because: "promised" }]);
    expect(report.promises).toHaveLength(1);
  });

  test("is never shortened by a shorter one", () => {
    const rig = candidate();
    rig.ask({ epoch: 5 });
    rig.ask({ epoch: 5, forMs: 100, round: 2 });
    expect(rig.state.promises.get("svc")?.untilMs).toBe(1000 + LEASE_MS);
    rig.ask({ epoch: 6, forMs: 100, round: 2 });
    expect(rig.state.promises.get("svc")).toMatchObject({ epoch: 6, untilMs: 1000 + LEASE_MS });
  });
});

describe("after a restart", () => {
  test("what rests on expiry is refused for the longest promise ever given, and it says for how long", () => {
    const rig = restarted();
    rig.pause(LEASE_MS - 1);
    const report = rig.assign([rig.item({ epoch: 6, cleared: 3 })]);
    expect(report.refusals).toEqual([{ service: "svc", epoch: 6, because: "young" }]);
    expect(report.refusesExpiryForMs).toBe(1);
    rig.pause(1);
    const later = rig.assign([rig.item({ epoch: 7, cleared: 3 })]);
    expect([later.refusesExpiryForMs, later.services.length]).toEqual([0, 1]);
  });

  test("what rests on proof is taken at once", () => {
    const rig = restarted();
    expect(rig.assign([rig.item({ epoch: 6, cleared: 5 })]).services).toMatchObject([{ epoch: 6 }]);
  });

  test("a daemon that never promised refuses nothing", () => {
    const rig = new Rig({}, memoryOf(candidate().state));
    expect(rig.assign([rig.item({ epoch: 6, cleared: 3 })]).services).toMatchObject([{ epoch: 6 }]);
  });

  test("a length that was written without being synced is kept all the same", () => {
    const before = candidate();
    before.send({ kind: "promiseAsked", requestId: "p", request: before.request({ forMs: 9000 }) });
    const rig = new Rig({}, before.effect("persist").memory);
    expect(reportOf(rig.state, rig.nowMs).refusesExpiryForMs).toBe(9000);
  });
});
