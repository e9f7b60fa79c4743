/**
 * Asked not to lead, since the leader can't reach the store: does the store answer *here*?
 *
 * If it does, the leader alone is cut off from it, and its going on by promises would keep every
 * failover from happening for as long as that lasts. So a standby that is asked writes the record
 * as it is once more (a compare-and-set that changes nothing, and is refused if anything moved), and
 * from the next question on it doesn't promise while such writes succeed: the leader's right runs
 * out, and this arbiter leads. Reading wouldn't do: a store whose disk is full can still be read.
 *
 * Safety never rests on it (I1): not to promise is always allowed.
 */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { ArbiterState } from "./arbiter-state.ts";
import type { Step } from "./step.ts";
import { isInLine } from "./succession.ts";

type Touched = Extract<ArbiterEvent, { kind: "storeTouched" }>;

/** The leader has asked for a promise. */
export function touchStore(step: Step): void {
  const { state } = step;
  const { leadership } = state;
  const { record } = leadership;
  if (record === null || leadership.touching || leadership.mode !== "standing-by" || !isInLine(state)) return;
  leadership.touching = true;
  step.effects.push({ kind: "touchStore", record });
}

export function storeTouched({ state }: Step, { isWritten, beganAtMs }: Touched): void {
  state.leadership.touching = false;
  if (isWritten) state.leadership.touchedAtMs = beganAtMs;
}

/** It wrote within the last time-to-live, and could lead once the beat has stood still. */
export function couldLeadInstead(state: ArbiterState, nowMs: number): boolean {
  const { touchedAtMs } = state.leadership;
  return isInLine(state) && nowMs - touchedAtMs < state.model.arbiterLeaseMs;
}
