/** The lease: counted from when the daemon spoke, never shortened, and given up by the clock alone (I1). */
import { assert, double, integer, option, property } from "fast-check";
import { describe, expect, test } from "vitest";
import {
  boundOf,
  demoteAtOf,
  extensionEndOf,
  failsafeAtOf,
  fenceAtOf,
  issueNonce,
  leaseEndOf,
  promiseEndOf,
  readNonce,
  restsOnProof,
  roundMsOf,
} from "../../../src/core/lease.ts";
import { BOOT, environment, LEASE_MS, Rig } from "./daemon-rig.ts";

const MARGINS = { drainMarginMs: null, killGraceMs: 250 };

describe("lease arithmetic", () => {
  test("the arbiter's bound lies behind every lease, whatever the delay and the rates", () => {
    assert(
      property(
        integer({ min: 100, max: 600_000 }),
        double({ min: 0, max: 0.1, noNaN: true }),
        double({ min: 0, max: 1, noNaN: true }),
        integer({ min: 0, max: 1_000_000 }),
        (leaseMs, drift, share, delayMs) => {
          // Rates differ by at most `drift`: the arbiter's clock is the fast one.
          const rate = 1 + drift * share;
          const receivedMs = delayMs * rate;
          const endOnArbitersClock = leaseEndOf(0, leaseMs) * rate;
          expect(boundOf(receivedMs, leaseMs, drift)).toBeGreaterThan(endOnArbitersClock);
        },
      ),
    );
  });

  test("an extension ends before the promises that it rests on, whatever the rates", () => {
    assert(
      property(
        integer({ min: 100, max: 600_000 }),
        double({ min: 0, max: 0.1, noNaN: true }),
        double({ min: 0, max: 1, noNaN: true }),
        integer({ min: 0, max: 1_000_000 }),
        (forMs, drift, share, delayMs) => {
          // The candidate's clock is the fast one; it is asked `delayMs` after the holder's `askedAt` of 0.
          const rate = 1 + drift * share;
          expect(extensionEndOf(0, forMs, drift) * rate).toBeLessThan(promiseEndOf(delayMs * rate, forMs));
        },
      ),
    );
  });

  test("failsafe comes before the demotion, the demotion not after the fence, the fence before the end", () => {
    assert(
      property(
        integer({ min: 50, max: 600_000 }),
        option(integer({ min: 0, max: 1_000_000 })),
        integer({ min: 0, max: 1_000_000 }),
        (leaseMs, drainMarginMs, killGraceMs) => {
          const margins = { drainMarginMs, killGraceMs };
          const failsafe = failsafeAtOf(leaseMs, leaseMs);
          const demote = demoteAtOf(leaseMs, leaseMs, margins);
          const fence = fenceAtOf(leaseMs, leaseMs, margins);
          // One whole round of asking fits in between.
          expect(failsafe + Math.min(roundMsOf(leaseMs), leaseMs / 8)).toBeLessThanOrEqual(demote);
          expect(demote).toBeLessThanOrEqual(fence);
          expect(fence).toBeLessThanOrEqual(leaseMs);
        },
      ),
    );
    expect(demoteAtOf(2000, 2000, MARGINS)).toBe(1500);
    expect(fenceAtOf(2000, 2000, MARGINS)).toBe(1750);
  });

  test("only the epoch right above `cleared` rests on proof", () => {
    expect(restsOnProof({ epoch: 5, cleared: 4 })).toBe(true);
    expect(restsOnProof({ epoch: 5, cleared: 3 })).toBe(false);
    expect(restsOnProof({ epoch: 1, cleared: -1 })).toBe(false);
  });
});

describe("the nonce", () => {
  const env = environment();

  test("tells when it was issued, rounded down", () => {
    expect(readNonce(issueNonce(BOOT, 1234.9, env), BOOT, 5000, env)).toBe(1234);
    expect(readNonce(issueNonce("a.b.c", 7, env), "a.b.c", 5000, env)).toBe(7);
  });

  test.each([
    ["none", null],
    ["an empty one", ""],
    ["another boot's", issueNonce("boot-x", 1000, env)],
    ["a boot whose name begins like ours", issueNonce(`${BOOT}2`, 1000, env)],
    ["one with another boot's tag", issueNonce(BOOT, 1000, environment("guessed"))],
    ["one whose time was altered", issueNonce(BOOT, 1000, env).replace(".1000.", ".4000.")],
    ["one from the future", issueNonce(BOOT, 9000, env)],
    ["a cut one", `${BOOT}.1000`],
    ["one with a sign", `${BOOT}.-5.${env.tagOf(`${BOOT}.-5`)}`],
  ])("%s grants nothing", (_, nonce) => {
    expect(readNonce(nonce, BOOT, 5000, env)).toBeNull();
  });
});

describe("a lease", () => {
  test("ends `leaseMs` after the nonce was issued, not after the assignment arrived", () => {
    const rig = new Rig();
    const nonce = rig.nonce();
    rig.pause(700);
    rig.assign([rig.item()], { nonce });
    expect(rig.leaseEndMs).toBe(1000 + LEASE_MS);
  });

  test("is set before the service is started, and the start knows its end", () => {
    const rig = new Rig();
    rig.assign([rig.item()]);
    expect(rig.kinds().indexOf("leaseSet")).toBeLessThan(rig.kinds().indexOf("activate"));
    expect(rig.effect("leaseSet")).toMatchObject({ leaseEndMs: 3000, fenceAtMs: 2750 });
    expect(rig.effect("activate").leaseEndMs).toBe(3000);
  });

  test("grows with a newer nonce and never shrinks with an older one", () => {
    const rig = new Rig().hold();
    const old = rig.nonce();
    rig.pause(500);
    rig.assign([rig.item()]);
    expect(rig.leaseEndMs).toBe(1500 + LEASE_MS);
    rig.assign([rig.item()], { nonce: old });
    expect(rig.leaseEndMs).toBe(1500 + LEASE_MS);
    expect(rig.all("leaseSet")).toEqual([]);
  });

  test("isn't renewed by another boot's nonce", () => {
    const rig = new Rig().hold();
    rig.pause(500);
    rig.assign([rig.item()], { nonce: issueNonce("boot-x", rig.nowMs, rig.env) });
    expect(rig.leaseEndMs).toBe(1000 + LEASE_MS);
  });

  test("that has run out stays so, whatever comes after it", () => {
    const rig = new Rig().hold();
    rig.pause(LEASE_MS);
    const report = rig.assign([rig.item()]);
    expect(rig.effect("fence").epoch).toBe(1);
    expect(report.services).toMatchObject([{ epoch: 1, state: "draining", leaseRemainingMs: 0 }]);
    expect(rig.leaseEndMs).toBe(1000 + LEASE_MS);
    rig.elapse(LEASE_MS * 4);
    expect(rig.all("fence")).toEqual([]);
  });

  test("a service that has stopped by itself isn't fenced, even if the news comes late", () => {
    const rig = new Rig().hold();
    rig.assign([]);
    rig.pause(LEASE_MS * 2);
    rig.send({ kind: "demoted", service: "svc", epoch: 1 });
    expect(rig.all("fence")).toEqual([]);
    expect(rig.phase).toBe("idle");
  });

  test("a service whose demotion doesn't finish is fenced `kill_grace` before the end, once", () => {
    const rig = new Rig({ onArbiterLoss: "demote" }).hold();
    rig.elapse(1499);
    expect(rig.all("demote")).toEqual([]);
    rig.elapse(1);
    expect(rig.effect("demote").deadlineMs).toBe(2750);
    rig.elapse(249);
    expect(rig.all("fence")).toEqual([]);
    rig.elapse(1);
    expect(rig.all("fence")).toHaveLength(1);
    rig.elapse(10_000);
    expect(rig.all("fence")).toEqual([]);
    expect(rig.state.timerAtMs).toBeNull();
  });

  test("a timer that fires early changes nothing and is set again", () => {
    const rig = new Rig().hold();
    rig.pause(100);
    rig.send({ kind: "timerFired" });
    expect(rig.kinds()).toEqual(["timer"]);
    expect(rig.effect("timer").atMs).toBe(2000);
  });
});
