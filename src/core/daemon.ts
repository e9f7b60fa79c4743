/**
 * A daemon's core: one event and the time go in, effects come out.
 *
 * It decides when a service is started and stopped here, and it doubts itself before anyone else
 * does: without a lease that is valid on its own clock it stops, whatever its arbiters, its timers or
 * its own hooks are doing. The state is changed in place; nothing else remembers anything.
 *
 * Order within a step: leases that have run out first, then the event, then what the clock says, then
 * the report (so that it shows what the step did), then the timer.
 */
import { takeAssignment } from "./daemon-assignment.ts";
import { endLapsedLeases, nextInstant, passTime, promiseAnswered } from "./daemon-failsafe.ts";
import { askAgain, beginFarewell, farewellInstant, mayLeave } from "./daemon-farewell.ts";
import { apply } from "./daemon-hold.ts";
import type { DaemonEffect, DaemonEnvironment, DaemonEvent } from "./daemon-io.ts";
import { promiseAsked, promiseSynced } from "./daemon-promise.ts";
import type { DaemonState, EventOf, HeldService, Step } from "./daemon-state.ts";
import { reportOf } from "./daemon-state.ts";
import { issueNonce } from "./lease.ts";
import type { Report } from "./messages.ts";

export { createDaemon, memoryOf, reportOf } from "./daemon-state.ts";
export type { DaemonState } from "./daemon-state.ts";

export function stepDaemon(
  state: DaemonState,
  event: DaemonEvent,
  env: DaemonEnvironment,
): readonly DaemonEffect[] {
  const step: Step = { state, nowMs: event.nowMs, tagOf: env.tagOf, effects: [], changed: false };
  // What has stopped by itself needs no fencing, even if the news of it comes after the lease's end.
  if (event.kind !== "demoted" && event.kind !== "exited") endLapsedLeases(step);
  if (event.kind === "assigned") {
    assigned(step, event);
  } else {
    handle(step, event);
    passTime(step);
    if (state.farewell !== null) askAgain(step, state.farewell);
    if (step.changed) step.effects.push({ kind: "sendReport", report: speak(step) });
  }
  leaveIfDone(step);
  setTimer(step);
  return step.effects;
}

/** The answer carries the report, so it isn't sent once more, unless the clock changed something too. */
function assigned(step: Step, event: EventOf<"assigned">): void {
  const changedBefore = step.changed;
  const problem = takeAssignment(step, event.assignment);
  step.changed = changedBefore;
  passTime(step);
  step.effects.push({ kind: "answer", requestId: event.requestId, problem, report: speak(step) });
  if (step.changed) step.effects.push({ kind: "sendReport", report: speak(step) });
}

function handle(step: Step, event: Exclude<DaemonEvent, EventOf<"assigned">>): void {
  const { state } = step;
  switch (event.kind) {
    case "started":
      step.changed = true;
      return;
    case "promiseAsked":
      promiseAsked(step, event);
      return;
    case "promiseAnswered":
      promiseAnswered(step, event);
      return;
    case "activated":
    case "demoted":
      applyTo(step, event, event.kind);
      return;
    case "activationFailed":
    case "exited":
    case "restarting":
      applyTo(step, event, event.kind, event.reason);
      return;
    case "healthChanged":
      healthChanged(step, event);
      return;
    case "stopRequested":
      stopRequested(step, event.reason);
      return;
    case "persisted":
      promiseSynced(step, event.token);
      return;
    case "timerFired":
      // Fired for good: also if it came early, it is set again.
      state.timerAtMs = null;
  }
}

/** A hook's result about an epoch that is no longer held is old news. */
function applyTo(
  step: Step,
  event: { readonly service: string; readonly epoch: number },
  as: "activated" | "activationFailed" | "demoted" | "exited" | "restarting",
  reason?: string,
): void {
  const held: HeldService | undefined = step.state.held.get(event.service);
  if (held !== undefined && held.epoch === event.epoch) apply(step, held, as, reason);
}

function healthChanged(step: Step, event: EventOf<"healthChanged">): void {
  const { state } = step;
  const { healthy, ready, reason } = event;
  if (state.health.healthy !== healthy || state.health.ready !== ready) step.changed = true;
  state.health = { healthy, ready, reason };
  // Promises that were asked for in good health don't keep an unhealthy holder.
  if (!healthy) for (const held of state.held.values()) held.round = null;
}

function stopRequested(step: Step, reason: string): void {
  const { state } = step;
  if (state.leaving !== null) {
    // Asked twice: whoever it is doesn't want to wait for a holder that may not be there.
    if (state.farewell !== null) state.farewell.stayUntilMs = step.nowMs;
    return;
  }
  state.leaving = reason;
  step.changed = true;
  for (const held of state.held.values()) apply(step, held, "stopAsked", reason);
}

function leaveIfDone(step: Step): void {
  const { state } = step;
  if (state.leaving === null || state.left || state.held.size > 0) return;
  state.farewell ??= beginFarewell(step);
  if (!mayLeave(step, state.farewell)) return;
  state.left = true;
  step.effects.push({ kind: "left" });
}

function setTimer(step: Step): void {
  const { farewell, left } = step.state;
  const atMs = farewell === null || left ? nextInstant(step) : farewellInstant(step, farewell);
  if (atMs === step.state.timerAtMs) return;
  step.state.timerAtMs = atMs;
  step.effects.push({ kind: "timer", atMs });
}

/** A report that counts: with its number and a fresh nonce. */
function speak(step: Step): Report {
  const { state, nowMs } = step;
  state.reportSeq += 1;
  const nonce = issueNonce(state.options.bootId, nowMs, { tagOf: step.tagOf });
  return reportOf(state, nowMs, nonce);
}
