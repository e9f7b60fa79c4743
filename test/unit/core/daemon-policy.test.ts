/**
 * Margins: a daemon's own file first, then what came with the assignment, then the lease itself.
 */
import { describe, expect, test } from "vitest";
import { policyOf } from "../../../src/core/daemon-policy.ts";
import { demoteAtOf, fenceAtOf } from "../../../src/core/lease.ts";
import { OPTIONS, Rig } from "./daemon-rig.ts";

const BARE = {
  ...OPTIONS,
  onArbiterLoss: null,
  drainMarginMs: null,
  killGraceMs: null,
  drainTimeoutMs: null,
};

describe("policy of a hold", () => {
  test("what the daemon's file says counts before what the assignment says", () => {
    const config = {
      on_arbiter_loss: "demote",
      drain_margin: "400ms",
      kill_grace: "0.1s",
      drain_timeout: "2m",
    };
    expect(policyOf(BARE, config)).toEqual({
      onArbiterLoss: "demote",
      drainTimeoutMs: 120_000,
      margins: { drainMarginMs: 400, killGraceMs: 100 },
    });
    expect(policyOf({ ...BARE, killGraceMs: 60 }, config).margins.killGraceMs).toBe(60);
  });

  test("what nobody wrote, or cannot be read, is derived from the lease that was granted", () => {
    const { margins, onArbiterLoss } = policyOf(BARE, { drain_margin: "soon" });
    expect(onArbiterLoss).toBe("failsafe");
    for (const [leaseMs, drainMs, killMs] of [
      [2000, 500, 250],
      [1000, 250, 125],
      [300, 75, 37.5],
    ] as const) {
      expect(demoteAtOf(leaseMs, leaseMs, margins)).toBe(leaseMs - drainMs);
      expect(fenceAtOf(leaseMs, leaseMs, margins)).toBe(leaseMs - killMs);
    }
  });

  test("a lease of a second leaves demote time before it is fenced", () => {
    const rig = new Rig(BARE).hold({ leaseMs: 1000, config: { on_arbiter_loss: "demote" } });
    rig.nowMs += 760;
    rig.send({ kind: "timerFired" });
    expect(rig.effects.map(({ kind }) => kind)).toContain("demote");
    expect(rig.effects.map(({ kind }) => kind)).not.toContain("fence");
  });
});
