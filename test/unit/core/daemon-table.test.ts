/** Every row of the daemon's table is reached through the core, every impossible cell ends the step. */
import { describe, expect, test } from "vitest";
import { apply } from "../../../src/core/daemon-hold.ts";
import type { Step } from "../../../src/core/daemon-state.ts";
import { HOLD_EVENTS, HOLD_PHASES, HOLD_TABLE, rowOf } from "../../../src/core/daemon-table.ts";
import type { HoldRow } from "../../../src/core/daemon-table.ts";
import { LEASE_MS, Rig } from "./daemon-rig.ts";

const rows: HoldRow[] = HOLD_PHASES.flatMap((phase) =>
  HOLD_EVENTS.map((event) => HOLD_TABLE[phase][event]).filter((cell) => typeof cell === "object"),
);

/** A daemon whose activation has been begun, but isn't finished. */
function activating(): Rig {
  const rig = new Rig();
  rig.assign([rig.item()]);
  return rig;
}

function active(): Rig {
  return new Rig().hold();
}

/** Neither asked nor answered: the lease simply runs down. */
function alone(rig: Rig): Rig {
  rig.send({ kind: "healthChanged", healthy: false, ready: true, reason: "it can't ask anyone" });
  return rig;
}

/** What brings each row about; the first effect says what it did. */
const stories: Readonly<Record<number, (() => Rig) | undefined>> = {
  301: activating,
  311: () => step(activating(), (rig) => rig.assign([rig.item({ drain: true })])),
  312: () => step(activating(), (rig) => rig.assign([])),
  313: () => step(activating(), (rig) => rig.assign([rig.item({ cleared: 1 })])),
  314: () => step(activating(), (rig) => rig.assign([rig.item({ epoch: 2, cleared: 1 })])),
  315: () => step(activating(), (rig) => rig.send({ kind: "stopRequested", reason: "SIGTERM" })),
  316: () => step(activating(), (rig) => rig.send({ kind: "activated", service: "svc", epoch: 1 })),
  317: () =>
    step(activating(), (rig) =>
      rig.send({ kind: "activationFailed", service: "svc", epoch: 1, reason: "no port" }),
    ),
  318: () =>
    step(activating(), (rig) => rig.send({ kind: "exited", service: "svc", epoch: 1, reason: "code 1" })),
  319: () => step(alone(activating()), (rig) => rig.elapse(LEASE_MS * 0.75)),
  320: () => step(alone(activating()), late),
  331: () => step(active(), (rig) => rig.assign([rig.item({ drain: true })])),
  332: () => step(active(), (rig) => rig.assign([])),
  333: () => step(active(), (rig) => rig.assign([rig.item({ cleared: 1 })])),
  334: () => step(active(), (rig) => rig.assign([rig.item({ epoch: 2, cleared: 1 })])),
  335: () => step(active(), (rig) => rig.send({ kind: "stopRequested", reason: "SIGTERM" })),
  336: () =>
    step(active(), (rig) => rig.send({ kind: "activationFailed", service: "svc", epoch: 1, reason: "no" })),
  337: () =>
    step(active(), (rig) => rig.send({ kind: "restarting", service: "svc", epoch: 1, reason: "code 1" })),
  338: () =>
    step(active(), (rig) => rig.send({ kind: "exited", service: "svc", epoch: 1, reason: "code 1" })),
  339: () => step(alone(active()), (rig) => rig.elapse(LEASE_MS * 0.75)),
  340: () => step(alone(active()), late),
  // Fenced in the midst of its start, a program has nothing that could exit: that it didn't start is all that is told.
  350: () =>
    step(step(alone(activating()), late), (rig) =>
      rig.send({ kind: "activationFailed", service: "svc", epoch: 1, reason: "its lease ended" }),
    ),
  351: () => step(draining(), (rig) => rig.send({ kind: "exited", service: "svc", epoch: 1, reason: "0" })),
  352: () => step(draining(), (rig) => rig.send({ kind: "demoted", service: "svc", epoch: 1 })),
  353: () => step(draining(), (rig) => rig.elapse(LEASE_MS)),
};

function step(rig: Rig, act: (rig: Rig) => unknown): Rig {
  act(rig);
  return rig;
}

function draining(): Rig {
  const rig = active();
  rig.assign([]);
  return rig;
}

/** Stopped by SIGSTOP until long after the lease's end: only then does the timer fire. */
function late(rig: Rig): void {
  rig.pause(LEASE_MS * 3);
  rig.send({ kind: "timerFired" });
}

describe("the daemon's table", () => {
  test("numbers its rows once each, in rising order", () => {
    const ids = rows.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((one, other) => one - other));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each(rows.map((row) => [row.id, row] as const))("row %i is reached", (id, row) => {
    const story = stories[id];
    if (story === undefined) throw new Error(`row ${id} has no story in this test`);
    const rig = story();
    const logged = rig.all("log").map(({ text }) => text);
    expect(logged.some((text) => text.includes(`(row ${id})`) && text.includes(row.because))).toBe(true);
    expect(rig.phase).toBe(row.to);
    const acts = new Set<string>(row.acts);
    expect(rig.all("activate")).toHaveLength(acts.has("activate") ? 1 : 0);
    expect(rig.all("demote")).toHaveLength(acts.has("demote") || acts.has("drain") ? 1 : 0);
    expect(rig.all("fence")).toHaveLength(acts.has("fence") ? 1 : 0);
    expect(rig.state.failure !== null).toBe(acts.has("failed"));
  });

  test("an impossible cell ends the step", () => {
    let count = 0;
    for (const phase of HOLD_PHASES) {
      for (const event of HOLD_EVENTS) {
        if (HOLD_TABLE[phase][event] !== "impossible") continue;
        count += 1;
        expect(() => rowOf(phase, event)).toThrow(`${event} can't happen while ${phase}`);
      }
    }
    expect(count).toBe(HOLD_PHASES.length * HOLD_EVENTS.length - rows.length - ignored());
  });

  test("an ignored cell leaves the held service as it was", () => {
    for (const phase of HOLD_PHASES) {
      for (const event of HOLD_EVENTS) {
        if (phase === "idle" || HOLD_TABLE[phase][event] !== "ignore") continue;
        const rig = active();
        const held = rig.state.held.get("svc");
        if (held === undefined) throw new Error("it holds nothing");
        held.phase = phase;
        const at: Step = {
          state: rig.state,
          nowMs: rig.nowMs,
          tagOf: rig.env.tagOf,
          effects: [],
          changed: false,
        };
        expect(apply(at, held, event)).toBeNull();
        expect([held.phase, at.effects, at.changed]).toEqual([phase, [], false]);
      }
    }
  });
});

function ignored(): number {
  return HOLD_PHASES.flatMap((phase) => HOLD_EVENTS.filter((event) => HOLD_TABLE[phase][event] === "ignore"))
    .length;
}
