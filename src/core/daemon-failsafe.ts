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
import type { Candidate, PromiseAnswer, PromiseRequest } from "./messages.ts";
import { PROTOCOL } from "./messages.ts";
import { CLOCK_SLACK_MS } from "./model.ts";

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
    if (held.away.size > 0 && step.nowMs < failsafeMs) nextMs = Math.min(nextMs, held.askAwayAtMs);
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
    if (held.away.size > 0 && step.nowMs >= held.askAwayAtMs && mayKeep(step, held)) askAway(step, held);
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
    missing: new Set(others.map(({ stateId }) => stateId).filter((stateId) => !isAway(held, stateId))),
    nextAtMs: step.nowMs + roundMs,
    before,
  };
  held.round = round;
  for (const candidate of others) {
    askOne(step, held, candidate, timeoutMs);
  }
  if (round.missing.size === 0) allPromised(step, held, round);
}

/** Whoever left behind a promise without end is to know it, and to be asked again: also while renewals come. */
function askAway(step: Step, held: HeldService): void {
  held.roundNumber += 1;
  held.askAwayAtMs = step.nowMs + held.leaseMs / 2;
  for (const candidate of held.candidates.list) {
    if (held.away.has(candidate.stateId)) askOne(step, held, candidate, roundMsOf(held.leaseMs));
  }
}

/**
 * In the newest round. Who is back drops its promise without end for one of a length, which has to reach
 * as far as the lease does by now, perhaps from a time of longer leases (I1).
 */
function askOne(step: Step, held: HeldService, candidate: Candidate, timeoutMs: number): void {
  const restsOnPromises = held.leaseEndMs > held.grantedEndMs;
  const reachMs = (held.leaseEndMs - step.nowMs) * (1 + held.clockDrift) + CLOCK_SLACK_MS;
  const request: PromiseRequest = {
    protocol: PROTOCOL,
    clusterId: step.state.clusterId ?? "",
    to: candidate.name,
    toStateId: candidate.stateId,
    round: held.roundNumber,
    service: held.service,
    holder: step.state.options.name,
    epoch: held.epoch,
    forMs:
      restsOnPromises && held.away.has(candidate.stateId) ? Math.max(held.leaseMs, reachMs) : held.leaseMs,
    released: !isAway(held, candidate.stateId),
  };
  step.effects.push({ kind: "askPromise", candidate, request, timeoutMs });
}

export function promiseAnswered(step: Step, event: EventOf<"promiseAnswered">): void {
  const held = step.state.held.get(event.service);
  if (held === undefined || held.epoch !== event.epoch) return;
  const { answer, candidate } = event;
  // Under another name or state it is nobody's promise.
  if (answer === null || answer.name !== candidate.name || answer.stateId !== candidate.stateId) return;
  if (answer.service !== held.service || answer.epoch !== held.epoch || answer.round !== event.round) return;
  const wasAway = isAway(held, answer.stateId);
  if (!answer.promised || !noteAway(held, answer, step.nowMs)) return;
  const round = openRound(held, event.round);
  if (round !== null && round.missing.delete(answer.stateId) && round.missing.size === 0)
    allPromised(step, held, round);
  // It waits to hear that it is heard.
  if (!wasAway && isAway(held, answer.stateId) && mayKeep(step, held)) askAway(step, held);
}

/**
 * Whether an answer counts. A promise without end does in the newest round alone: in a later one the
 * candidate was perhaps told that it isn't needed any more, and has dropped it.
 */
function noteAway(held: HeldService, { stateId, round, withoutEnd }: PromiseAnswer, nowMs: number): boolean {
  if (withoutEnd === true) {
    if (round !== held.roundNumber) return false;
    held.away.set(stateId, { saidIn: round, backIn: null });
    held.askAwayAtMs = nowMs + held.leaseMs / 2;
    return true;
  }
  const away = held.away.get(stateId);
  if (away === undefined || round <= away.saidIn) return true;
  if (away.backIn === null) away.backIn = held.roundNumber;
  else if (round > away.backIn) held.away.delete(stateId);
  return true;
}

/** It need not be asked: its promise has no end. */
function isAway(held: HeldService, stateId: string): boolean {
  return held.away.get(stateId)?.backIn === null;
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
