/**
 * Every sequence of events up to a length, on a small world: one service, epochs 1 to 3, a promise,
 * hooks that may answer at any time, a clock that moves a little or past the lease's end.
 *
 * After each step: what the daemon holds, what it says and what it asked for must agree.
 */
import { describe, expect, test } from "vitest";
import type { DaemonEffect } from "../../../src/core/daemon-io.ts";
import { LEASE_MS, Rig } from "./daemon-rig.ts";

const MOVES: Readonly<Record<string, (rig: Rig) => unknown>> = {
  "assign 1": (rig) => rig.assign([rig.item()]),
  "assign 2 on proof": (rig) => rig.assign([rig.item({ epoch: 2, cleared: 1 })]),
  "assign 3 on expiry": (rig) => rig.assign([rig.item({ epoch: 3, cleared: 0 })]),
  "drain 2": (rig) => rig.assign([rig.item({ epoch: 2, cleared: 1, drain: true })]),
  "over 1": (rig) => rig.assign([rig.item({ cleared: 1 })]),
  nothing: (rig) => rig.assign([]),
  activated: (rig) => onHeld(rig, "activated"),
  demoted: (rig) => onHeld(rig, "demoted"),
  exited: (rig) => onHeld(rig, "exited"),
  promise: (rig) => rig.ask({ epoch: 2 }),
  "a while": (rig) => rig.elapse(LEASE_MS * 0.6),
  paused: (rig) => rig.pause(LEASE_MS * 1.5),
  stop: (rig) => rig.send({ kind: "stopRequested", reason: "" }),
};

/** `demoted` comes only where it was asked for, as from a real workload; a stale epoch is possible. */
function onHeld(rig: Rig, kind: "activated" | "demoted" | "exited"): void {
  const epoch = rig.state.held.get("svc")?.epoch ?? 1;
  if (kind === "demoted" && rig.phase !== "draining") return;
  if (kind === "exited") rig.send({ kind, service: "svc", epoch, reason: "" });
  else rig.send({ kind, service: "svc", epoch });
}

interface Seen {
  readonly highest: number;
  readonly reportSeq: number;
}

/** Half a million steps: a plain comparison, as `expect` would take most of the time. */
function must(isSo: boolean, text: string): void {
  if (!isSo) throw new Error(text);
}

/** Checks one step, and returns what the next one may build on. */
function check(rig: Rig, before: Seen, effects: readonly DaemonEffect[]): Seen {
  const { state } = rig;
  const held = state.held.get("svc");
  for (const effect of effects) {
    if (effect.kind === "activate") {
      // I3: an epoch is taken once, and above all that were taken or refused before.
      must(effect.epoch > before.highest, "an epoch was taken that had been seen");
      const given = state.promises.get("svc");
      must(given === undefined || given.untilMs <= rig.nowMs, "activated against a live promise");
      const lease = effects.findIndex((other) => other.kind === "leaseSet" && other.epoch === effect.epoch);
      must(lease >= 0 && lease < effects.indexOf(effect), "activated before the lease was set");
    }
    // What is said is what is so: held until nothing runs, seen as soon as taken or refused.
    if (effect.kind === "answer" || effect.kind === "sendReport") {
      must(effect.report.seq > before.reportSeq, "a report's number was used twice");
      for (const { epoch } of effect.report.services) {
        must((effect.report.seenEpochs["svc"] ?? 0) >= epoch, "holds what it hasn't seen");
      }
    }
    if (effect.kind === "answerPromise" && effect.answer.promised) {
      must(held === undefined, "promised what it holds");
    }
    if (effect.kind === "left") must(state.held.size === 0, "left while it held something");
  }
  const highest = state.seenEpochs["svc"] ?? 0;
  must(highest >= before.highest, "forgot what it had seen");
  if (held !== undefined && !held.fenced) {
    // Self-fencing always has an instant set, and not behind the lease's end.
    const { timerAtMs } = state;
    must(timerAtMs !== null && timerAtMs < held.leaseEndMs, "nothing would end its lease");
  }
  return { highest, reportSeq: state.reportSeq };
}

describe("every sequence of five events", () => {
  const names = Object.keys(MOVES);
  // One test for each first event, so that a failure is near its cause.
  test.each(names)("that begins with: %s", (first) => {
    const depth = 4;
    const path: string[] = [first];
    const total = names.length ** depth;
    for (let number = 0; number < total; number++) {
      path.length = 1;
      for (let rest = number, at = 0; at < depth; at++, rest = Math.floor(rest / names.length)) {
        path.push(names[rest % names.length] ?? "");
      }
      run(path);
    }
    expect(path).toHaveLength(depth + 1);
  });
});

function run(path: readonly string[]): void {
  const rig = new Rig();
  let seen: Seen = { highest: 0, reportSeq: 0 };
  let at = "";
  // A move may take several steps: each is checked.
  rig.onStep = (effects) => {
    seen = check(rig, seen, effects);
  };
  try {
    for (const name of path) {
      at = name;
      MOVES[name]?.(rig);
    }
  } catch (error) {
    throw new Error(`at "${at}" of: ${path.join(" → ")}`, { cause: error });
  }
}
