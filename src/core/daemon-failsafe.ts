/**
 * The holder's side of failsafe: with less than half of its lease left and no renewal, it asks every
 * other candidate to promise that it won't activate the service. Only if *all* of them promise in
 * one round is the lease extended, counted from when the first was asked (I1, I4).
 *
 * The clock decides, not the timer: `passTime` is called in every step.
 */
import { apply, extendLease, fenceAt } from "./daemon-hold.ts";
import type { EventOf, FailsafeRound, HeldService, Step } from "./daemon-state.ts";
import { demoteAtOf, extensionEndOf, failsafeAtOf, roundMsOf } from "./lease.ts";
import type { Candidate, PromiseRequest } from "./messages.ts";
import { PROTOCOL } from "./messages.ts";

/**
 * A new round begins while answers of the last ones may still come: on a busy machine each may take
 * longer than one round, and a late answer is a promise all the same, counted from when it was asked
 * for. One more connection than this is kept to each fellow.
 */
const OPEN_ROUNDS = 3;

/** Before an event: a lease that has run out is over, whatever the event would have brought. */
export function endLapsedLeases(step: Step): void {
  for (const held of step.state.held.values()) {
    if (!held.fenced && step.nowMs >= held.leaseEndMs) apply(step, held, "fenceDue");
  }
}

/** After an event: what the clock says about each lease now. */
export function passTime(step: Step): void {
  for (const held of step.state.held.values()) {
    if (held.fenced) continue;
    if (step.nowMs >= fenceDueAt(held)) apply(step, held, "fenceDue");
    else if (held.phase !== "draining" && step.nowMs >= demoteAt(held)) apply(step, held, "leaseShort");
    else keepLease(step, held);
  }
}

/** The earliest instant at which `passTime` has something to do; null: none. */
export function nextInstant(step: Step): number | null {
  let nextMs = Number.POSITIVE_INFINITY;
  for (const held of step.state.held.values()) {
    if (held.fenced) continue;
    nextMs = Math.min(nextMs, fenceDueAt(held));
    if (held.phase !== "draining") nextMs = Math.min(nextMs, demoteAt(held));
    if (!mayKeep(step, held)) continue;
    const failsafeMs = failsafeAtOf(held.leaseEndMs, held.leaseMs);
    nextMs = Math.min(nextMs, held.round?.nextAtMs ?? failsafeMs);
  }
  return nextMs === Number.POSITIVE_INFINITY ? null : nextMs;
}

function fenceDueAt(held: HeldService): number {
  return Math.min(fenceAt(held), held.demoteDeadlineMs);
}

function demoteAt(held: HeldService): number {
  return demoteAtOf(held.leaseEndMs, held.leaseMs, held.policy.margins);
}

/** An unhealthy holder asks nobody: the others shall be free to take over. */
function mayKeep(step: Step, held: HeldService): boolean {
  const { onArbiterLoss } = held.policy;
  if (!held.wanted || onArbiterLoss === "demote") return false;
  return onArbiterLoss === "hold" || step.state.health.healthy;
}

function keepLease(step: Step, held: HeldService): void {
  if (step.nowMs < failsafeAtOf(held.leaseEndMs, held.leaseMs)) {
    held.round = null;
    return;
  }
  if (!mayKeep(step, held)) return;
  if (held.policy.onArbiterLoss === "hold") {
    extendLease(step, held, step.nowMs + held.leaseMs, false);
    return;
  }
  if (held.round === null || step.nowMs >= held.round.nextAtMs) ask(step, held);
}

function ask(step: Step, held: HeldService): void {
  const { options } = step.state;
  const others = held.candidates.list.filter((candidate) => candidate.stateId !== options.stateId);
  held.roundNumber += 1;
  const roundMs = roundMsOf(held.leaseMs);
  const timeoutMs = roundMs * OPEN_ROUNDS;
  const before = held.round;
  if (before?.before != null) before.before.before = null;
  const round: FailsafeRound = {
    number: held.roundNumber,
    askedAtMs: step.nowMs,
    forMs: held.leaseMs,
    missing: new Set(others.map((candidate) => candidate.stateId)),
    nextAtMs: step.nowMs + roundMs,
    before,
  };
  held.round = round;
  for (const candidate of others) {
    const request = requestFor(step, held, round, candidate);
    step.effects.push({ kind: "askPromise", candidate, request, timeoutMs });
  }
  if (others.length === 0) allPromised(step, held, round);
}

function requestFor(
  step: Step,
  held: HeldService,
  round: FailsafeRound,
  candidate: Candidate,
): PromiseRequest {
  return {
    protocol: PROTOCOL,
    clusterId: step.state.clusterId ?? "",
    to: candidate.name,
    toStateId: candidate.stateId,
    round: round.number,
    service: held.service,
    holder: step.state.options.name,
    epoch: held.epoch,
    forMs: round.forMs,
  };
}

export function promiseAnswered(step: Step, event: EventOf<"promiseAnswered">): void {
  const held = step.state.held.get(event.service);
  if (held === undefined || held.epoch !== event.epoch) return;
  const round = openRound(held, event.round);
  if (round === null) return;
  const { answer, candidate } = event;
  // Under another name or state it is nobody's promise.
  if (answer === null || answer.name !== candidate.name || answer.stateId !== candidate.stateId) return;
  if (answer.service !== held.service || answer.epoch !== held.epoch || answer.round !== round.number) return;
  if (!answer.promised) return;
  if (round.missing.delete(answer.stateId) && round.missing.size === 0) allPromised(step, held, round);
}

function openRound({ round: newest }: HeldService, number: number): FailsafeRound | null {
  let round = newest;
  while (round !== null && round.number !== number) round = round.before;
  return round;
}

function allPromised(step: Step, held: HeldService, round: FailsafeRound): void {
  const endMs = extensionEndOf(round.askedAtMs, round.forMs, held.clockDrift);
  if (endMs <= held.leaseEndMs) return;
  extendLease(step, held, endMs, false);
  held.agreedVersion = held.candidates.version;
}
