/** A candidate that leaves in good order while a holder may need its word, and what the holder makes of it. */
import { describe, expect, test } from "vitest";
import type { DaemonMemory } from "../../../src/core/daemon-io.ts";
import { reportOf } from "../../../src/core/daemon.ts";
import { LEASE_MS, Rig, SPARE, THIRD } from "./daemon-rig.ts";

/** Of a lease of two seconds. */
const ASK_AGAIN_MS = 250;

/** A spare that an arbiter speaks to six times a lease. */
function heard(): Rig {
  const rig = new Rig();
  rig.assign([]);
  rig.elapse(LEASE_MS / 6);
  rig.assign([]);
  return rig;
}

/** And that is asked to stop. */
function leaving(): Rig {
  const rig = heard();
  rig.send({ kind: "stopRequested", reason: "SIGTERM" });
  return rig;
}

/** The holder asks; what has to be on disk first is. */
function asked(rig: Rig, round: number, released: boolean): unknown {
  return rig.ask({ holder: "s", round, released });
}

const MEMORY: DaemonMemory = {
  clusterId: "cluster-1",
  term: 1,
  longestPromiseMs: 0,
  seenEpochs: {},
  arbiters: [],
  endless: [{ service: "svc", epoch: 1, holder: "s", round: 5 }],
};

describe("a candidate that leaves", () => {
  test("says so once more, and goes once an arbiter answers that: that one goes on renewing", () => {
    const rig = leaving();
    expect(rig.all("left")).toEqual([]);
    rig.assign([]);
    // It may be one that is being stopped at the same moment.
    expect(rig.all("left")).toEqual([]);
    rig.elapse(ASK_AGAIN_MS - 1);
    expect(rig.all("sendReport")).toEqual([]);
    rig.elapse(1);
    expect(rig.effect("sendReport").report.state).toBe("leaving");
    expect(rig.all("left")).toEqual([]);
    rig.assign([]);
    expect(rig.all("left")).toHaveLength(1);
  });

  test("goes once no arbiter has spoken for a lease: a holder would have asked", () => {
    const rig = leaving();
    rig.elapse(LEASE_MS - 1);
    expect(rig.all("left")).toEqual([]);
    rig.elapse(1);
    expect(rig.all("left")).toHaveLength(1);
  });

  test("goes at once if it has heard of no arbiter for a lease, or never", () => {
    const rig = heard();
    rig.elapse(LEASE_MS);
    rig.send({ kind: "stopRequested", reason: "SIGTERM" });
    expect(rig.all("left")).toHaveLength(1);
    const other = new Rig();
    other.send({ kind: "stopRequested", reason: "SIGTERM" });
    expect(other.all("left")).toHaveLength(1);
  });

  test("goes after two leases, whatever a holder that doesn't hear it asks", () => {
    const rig = leaving();
    for (let quarter = 0; quarter < 8; quarter++) {
      expect(rig.all("left")).toEqual([]);
      asked(rig, quarter, true);
      rig.elapse(LEASE_MS / 4);
    }
    expect(rig.all("left")).toHaveLength(1);
  });

  test("goes at once if it is asked twice", () => {
    const rig = leaving();
    rig.send({ kind: "stopRequested", reason: "SIGTERM again" });
    expect(rig.all("left")).toHaveLength(1);
  });

  test("promises without end: on disk first, then said, and goes when the holder shows that it knows", () => {
    const rig = leaving();
    const request = rig.request({ holder: "s", round: 7, released: true });
    rig.send({ kind: "promiseAsked", requestId: "p", request });
    const { token, memory } = rig.effect("persist");
    expect(memory.endless).toEqual([{ service: "svc", epoch: 1, holder: "s", round: 7 }]);
    expect(rig.all("answerPromise")).toEqual([]);
    rig.send({ kind: "persisted", token: token ?? 0 });
    expect(rig.effect("answerPromise").answer).toMatchObject({ promised: true, withoutEnd: true, round: 7 });
    expect(rig.all("left")).toEqual([]);
    rig.elapse(LEASE_MS / 2);
    rig.send({
      kind: "promiseAsked",
      requestId: "q",
      request: rig.request({ holder: "s", round: 8, released: false }),
    });
    expect(rig.kinds()).toContain("left");
    expect(rig.state.endless.get("svc")?.round).toBe(7);
  });

  test("says it once more where its answer was lost, and only then counts from that round", () => {
    const rig = leaving();
    asked(rig, 7, true);
    expect(asked(rig, 8, true)).toMatchObject({ withoutEnd: true, round: 8 });
    expect(rig.state.endless.get("svc")?.round).toBe(8);
    expect(rig.all("left")).toEqual([]);
  });

  test("stays, although an arbiter speaks, for a holder that lives by its promise", () => {
    const rig = heard();
    rig.ask({ holder: "s" });
    rig.send({ kind: "stopRequested", reason: "SIGTERM" });
    rig.elapse(LEASE_MS * 0.6);
    rig.assign([]);
    expect(rig.all("left")).toEqual([]);
    // The holder doesn't ask again: it has been reached, and its last extension is over.
    rig.elapse(LEASE_MS * 0.4);
    expect(rig.all("left")).toHaveLength(1);
  });
});

describe("back again", () => {
  test("it refuses what rests on expiry, however long it has been running, and says why", () => {
    const rig = new Rig({}, MEMORY);
    rig.elapse(1_000_000);
    rig.assign([rig.item({ epoch: 2, cleared: 0 })]);
    expect(rig.effect("answer").report.refusals).toEqual([{ service: "svc", epoch: 2, because: "promised" }]);
    const [promise] = reportOf(rig.state, rig.nowMs).promises;
    expect(promise).toEqual({ service: "svc", epoch: 1, holder: "s", forMs: null });
  });

  test("it takes what rests on proof: the epoch is over", () => {
    const rig = new Rig({}, MEMORY);
    rig.assign([rig.item({ epoch: 2, cleared: 1 })]);
    expect(rig.phase).toBe("activating");
    expect(rig.state.endless.size).toBe(0);
    expect(rig.all("persist").at(-1)?.memory.endless).toBeUndefined();
  });

  test.each([
    ["doesn't know yet that it is back", { round: 6, released: false }, true],
    ["was sent before it left, and comes late", { round: 5, released: true }, true],
    ["knows that it is back", { round: 6, released: true }, false],
    ["holds a later epoch: the one that it was about is over", { round: 1, epoch: 2 }, false],
  ])("a holder that asks and %s: it %#", (_text, request, isKept) => {
    const rig = new Rig({}, MEMORY);
    expect(rig.ask({ holder: "s", ...request })).toMatchObject({ promised: true, withoutEnd: false });
    expect(rig.state.endless.has("svc")).toBe(isKept);
    // Either way it has promised for a while, as anybody would.
    expect(reportOf(rig.state, rig.nowMs).promises[0]?.forMs).toBe(LEASE_MS);
  });
});

describe("the holder", () => {
  /** Half of its lease is gone, and it has asked. */
  function asking(): Rig {
    const rig = new Rig().hold();
    rig.elapse(LEASE_MS / 2);
    return rig;
  }

  const released = (rig: Rig): Record<string, boolean | undefined> =>
    Object.fromEntries(
      rig.all("askPromise").map(({ candidate, request }) => [candidate.name, request.released]),
    );

  test("goes on without one that left, and says in each round that it does", () => {
    const rig = asking();
    rig.answerRound(THIRD);
    rig.answerRound(SPARE, { withoutEnd: true });
    const endMs = rig.leaseEndMs;
    rig.elapse(LEASE_MS / 2);
    expect(released(rig)).toEqual({ s: false, t: true });
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBeGreaterThan(endMs);
  });

  test("tells one that left at once that it goes on without it, so that it need not wait", () => {
    const rig = asking();
    rig.answerRound(SPARE, { withoutEnd: true });
    expect(released(rig)).toEqual({ s: false });
    // It says so once more, and that is that.
    rig.answerRound(SPARE, { withoutEnd: true });
    expect(released(rig)).toEqual({});
  });

  test("a promise without end counts in the newest round alone", () => {
    const rig = asking();
    const first = rig.state.held.get("svc")?.roundNumber ?? 0;
    rig.elapse(LEASE_MS / 8);
    const answer = { round: first, withoutEnd: true };
    rig.send({
      kind: "promiseAnswered",
      service: "svc",
      epoch: 1,
      round: first,
      candidate: SPARE,
      answer: {
        protocol: 1,
        name: "s",
        stateId: "state-s",
        service: "svc",
        epoch: 1,
        promised: true,
        because: "",
        ...answer,
      },
    });
    expect(rig.state.held.get("svc")?.away.size).toBe(0);
  });

  test("one that is back is waited for again, and told so until it has answered that", () => {
    const rig = asking();
    rig.answerRound(THIRD);
    rig.answerRound(SPARE, { withoutEnd: true });
    rig.elapse(LEASE_MS / 2);
    rig.answerRound(THIRD);
    // It answers as anybody does: it is back.
    rig.answerRound(SPARE);
    const endMs = rig.leaseEndMs;
    rig.elapse(LEASE_MS / 2);
    expect(released(rig)).toEqual({ s: true, t: true });
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBe(endMs);
    rig.answerRound(SPARE);
    expect(rig.leaseEndMs).toBeGreaterThan(endMs);
    expect(rig.state.held.get("svc")?.away.size).toBe(0);
  });

  test("one that is released promises for as long as the lease reaches, also where leases got shorter", () => {
    const rig = asking();
    rig.answerRound(THIRD);
    rig.answerRound(SPARE, { withoutEnd: true });
    const endMs = rig.leaseEndMs;
    // An arbiter grants a shorter lease, and is gone again.
    rig.assign([rig.item({ leaseMs: 600 })]);
    expect(rig.leaseEndMs).toBe(endMs);
    const said: [boolean | undefined, boolean][] = [];
    while (said.length < 2) {
      rig.elapse(100);
      for (const { candidate, request } of rig.all("askPromise")) {
        if (candidate.name !== "s") continue;
        said.push([request.released, request.forMs >= endMs - rig.nowMs]);
        rig.answerRound(SPARE);
      }
    }
    expect(said).toEqual([
      [false, true],
      [true, true],
    ]);
  });

  test("renewed again, it goes on asking those who left until they know that they are free", () => {
    const rig = asking();
    rig.answerRound(THIRD);
    rig.answerRound(SPARE, { withoutEnd: true });
    const said: unknown[] = [];
    for (let check = 0; check < 12; check++) {
      rig.elapse(LEASE_MS / 6);
      const asks = rig.all("askPromise");
      for (const { candidate, request } of asks) said.push([candidate.name, request.released]);
      rig.assign([rig.item()]);
      // It is back after the second question.
      if (asks.length > 0 && said.length > 1) rig.answerRound(SPARE);
    }
    expect(said).toEqual([
      ["s", false],
      ["s", false],
      ["s", true],
    ]);
    expect(rig.state.held.get("svc")?.away.size).toBe(0);
  });
});
