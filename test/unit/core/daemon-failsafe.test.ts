/** Failsafe: a holder that no arbiter reaches goes on as long as *every* other candidate promises (I4). */
import { describe, expect, test } from "vitest";
import { CLOCK_SLACK_MS } from "../../../src/core/model.ts";
import { LEASE_MS, Rig, SELF, SPARE, THIRD } from "./daemon-rig.ts";

const EXTENSION_MS = LEASE_MS / 1.01 - CLOCK_SLACK_MS;

/** A holder whose first round of asking has just begun, at 2000. */
function asking(): Rig {
  const rig = new Rig().hold();
  rig.elapse(LEASE_MS / 2);
  return rig;
}

describe("a holder without renewal", () => {
  test("asks every other candidate once half of its lease is gone", () => {
    const rig = new Rig().hold();
    rig.elapse(LEASE_MS / 2 - 1);
    expect(rig.all("askPromise")).toEqual([]);
    rig.elapse(1);
    expect(rig.all("askPromise").map(({ candidate }) => candidate)).toEqual([SPARE, THIRD]);
    expect(rig.effect("askPromise").request).toEqual({
      protocol: 1,
      clusterId: "cluster-1",
      to: "s",
      toStateId: "state-s",
      round: 1,
      service: "svc",
      holder: "m",
      epoch: 1,
      forMs: LEASE_MS,
      released: true,
    });
  });

  test("asks a clone of itself, too: a daemon is its name and its state", () => {
    const clone = { ...SELF, stateId: "state-clone" };
    const rig = new Rig().hold({ candidates: { version: 1, list: [SELF, clone] } });
    rig.elapse(LEASE_MS / 2);
    expect(rig.all("askPromise").map(({ candidate }) => candidate)).toEqual([clone]);
  });

  test("extends its lease when all have promised, counted from when it asked", () => {
    const rig = asking();
    rig.pause(30);
    rig.answerRound(SPARE);
    expect(rig.leaseEndMs).toBe(3000);
    rig.pause(30);
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBe(2000 + EXTENSION_MS);
    expect(rig.effect("leaseSet").leaseEndMs).toBe(2000 + EXTENSION_MS);
  });

  test("takes an answer that comes after the next round has begun, counted from when it was asked for", () => {
    const rig = asking();
    rig.answerRound(SPARE);
    const late = { service: "svc", epoch: 1, round: 1, candidate: THIRD } as const;
    rig.elapse(250);
    rig.answerRound(SPARE);
    expect(rig.leaseEndMs).toBe(3000);
    const because = {
      protocol: 1,
      name: THIRD.name,
      stateId: THIRD.stateId,
      promised: true,
      because: "",
    } as const;
    rig.send({ kind: "promiseAnswered", ...late, answer: { ...late, ...because } });
    expect(rig.leaseEndMs).toBe(2000 + EXTENSION_MS);
  });

  test("isn't kept by answers of two rounds put together", () => {
    const rig = asking();
    rig.answerRound(SPARE);
    rig.elapse(250);
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBe(3000);
  });

  test("isn't kept by a part of the promises: it asks again, then stops", () => {
    const rig = asking();
    rig.answerRound(SPARE);
    rig.answerRound(SPARE);
    rig.elapse(250);
    expect(rig.all("askPromise").map(({ request }) => request.round)).toEqual([2, 2]);
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBe(3000);
    rig.elapse(250);
    expect(rig.all("askPromise")).toEqual([]);
    expect(rig.all("demote")).toHaveLength(1);
    rig.elapse(200);
    expect(rig.all("askPromise")).toEqual([]);
  });

  test.each([
    ["a refusal", { promised: false }],
    ["another state under the name", { stateId: "state-clone" }],
    ["another name", { name: "x" }],
    ["another service", { service: "other" }],
    ["another epoch", { epoch: 2 }],
    ["an older round", { round: 0 }],
  ])("%s is no promise", (_, over) => {
    const rig = asking();
    rig.answerRound(SPARE);
    rig.answerRound(THIRD, over);
    expect(rig.leaseEndMs).toBe(3000);
  });

  test("one that can't be reached has not promised", () => {
    const rig = asking();
    rig.answerRound(SPARE);
    rig.send({
      kind: "promiseAnswered",
      service: "svc",
      epoch: 1,
      round: 1,
      candidate: THIRD,
      answer: null,
    });
    expect(rig.leaseEndMs).toBe(3000);
  });

  test("goes on for as long as the others promise", () => {
    const rig = new Rig().hold();
    for (let round = 0; round < 50; round++) {
      rig.elapse(rig.leaseEndMs - LEASE_MS / 2 - rig.nowMs);
      expect(rig.all("askPromise")).toHaveLength(2);
      rig.answerRound(SPARE);
      rig.answerRound(THIRD);
    }
    expect(rig.phase).toBe("active");
    expect(rig.nowMs).toBeGreaterThan(40_000);
  });

  test("that is the only candidate goes on by itself", () => {
    const rig = new Rig().hold({ candidates: { version: 1, list: [SELF] } });
    rig.elapse(60_000);
    expect(rig.phase).toBe("active");
  });

  test("that is unhealthy asks nobody, and promises that are under way don't count", () => {
    const rig = asking();
    rig.answerRound(SPARE);
    rig.send({ kind: "healthChanged", healthy: false, ready: true, reason: "disk" });
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBe(3000);
    rig.elapse(300);
    expect(rig.all("askPromise")).toEqual([]);
    rig.send({ kind: "healthChanged", healthy: true, ready: true, reason: "" });
    expect(rig.all("askPromise")).toHaveLength(2);
  });

  test("a renewal ends the round", () => {
    const rig = asking();
    rig.answerRound(SPARE);
    rig.assign([rig.item()]);
    expect(rig.leaseEndMs).toBe(4000);
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBe(4000);
    expect(rig.all("leaseSet")).toEqual([]);
  });

  test("while it drains on request, its drain may last", () => {
    const rig = new Rig().hold();
    rig.send({ kind: "stopRequested", reason: "SIGTERM" });
    rig.elapse(LEASE_MS / 2);
    expect(rig.all("askPromise")).toHaveLength(2);
    rig.answerRound(SPARE);
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBe(2000 + EXTENSION_MS);
  });

  test("once it isn't wanted, no promise keeps it", () => {
    const rig = asking();
    rig.answerRound(SPARE);
    rig.assign([]);
    rig.answerRound(THIRD);
    expect(rig.leaseEndMs).toBe(3000);
    rig.elapse(700);
    expect(rig.all("askPromise")).toEqual([]);
  });

  test("whose lease ran out while it was paused isn't brought back by late promises", () => {
    const rig = asking();
    rig.answerRound(SPARE);
    rig.pause(LEASE_MS);
    rig.answerRound(THIRD);
    expect(rig.all("fence")).toHaveLength(1);
    expect(rig.leaseEndMs).toBe(3000);
  });
});

describe("a set of candidates that changes during failsafe", () => {
  const pair = { version: 1, list: [SELF, SPARE] };
  const three = { version: 2, list: [SELF, SPARE, THIRD] };

  test("makes the round void that didn't ask the newcomer", () => {
    const rig = new Rig().hold({ candidates: pair });
    rig.elapse(LEASE_MS / 2);
    rig.assign([rig.item({ candidates: three })], { nonce: null });
    expect(rig.all("askPromise").map(({ candidate }) => candidate)).toEqual([SPARE, THIRD]);
    rig.answerRound(SPARE, { round: 1 });
    expect(rig.leaseEndMs).toBe(3000);
  });

  // The newcomer becomes eligible once the holder reports the set. While the lease still rests on
  // promises that the newcomer wasn't asked for, nothing would hold it back.
  test("is acknowledged only once the lease no longer rests on promises of the older set", () => {
    const rig = new Rig().hold({ candidates: pair });
    const stale = rig.nonce();
    rig.elapse(LEASE_MS / 2);
    rig.answerRound(SPARE);
    const report = rig.assign([rig.item({ candidates: three })], { nonce: stale });
    expect(report.services[0]?.candidatesVersion).toBe(1);
    rig.elapse(rig.leaseEndMs - LEASE_MS / 2 - rig.nowMs);
    expect(rig.all("askPromise")).toHaveLength(2);
    rig.answerRound(SPARE);
    rig.answerRound(THIRD);
    expect(rig.assign(null).services[0]?.candidatesVersion).toBe(2);
  });

  test("is acknowledged at once where the lease rests on nonces alone", () => {
    const rig = new Rig().hold({ candidates: pair });
    rig.elapse(LEASE_MS / 2);
    rig.answerRound(SPARE);
    expect(rig.assign([rig.item({ candidates: three })]).services[0]?.candidatesVersion).toBe(2);
  });
});

describe("on_arbiter_loss", () => {
  test("demote asks nobody and stops", () => {
    const rig = new Rig({ onArbiterLoss: "demote" }).hold();
    rig.elapse(LEASE_MS);
    expect(rig.all("askPromise")).toEqual([]);
    expect(rig.all("demote")).toHaveLength(1);
  });

  test("hold keeps going, in good health or bad", () => {
    const rig = new Rig({ onArbiterLoss: "hold" }).hold();
    rig.send({ kind: "healthChanged", healthy: false, ready: true, reason: "disk" });
    rig.elapse(60_000);
    expect(rig.phase).toBe("active");
    expect(rig.all("askPromise")).toEqual([]);
    expect(rig.leaseEndMs).toBeGreaterThan(rig.nowMs);
  });

  test("hold stops what isn't wanted all the same", () => {
    const rig = new Rig({ onArbiterLoss: "hold" }).hold();
    rig.assign([]);
    rig.elapse(LEASE_MS);
    expect(rig.all("fence")).toHaveLength(1);
  });
});
