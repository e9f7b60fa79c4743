/**
 * A candidate that leaves in good order while a holder may need its word (I4).
 *
 * A holder in failsafe goes on for as long as every other candidate promises. One that is stopped can't
 * promise any more, and the holder would have to stop for no other reason than that. So before it goes
 * it leaves a promise behind that has no end: on disk first, then said. The holder need not ask it from
 * then on, for this one epoch. Back again, it takes nothing of the service that rests on expiry until the
 * holder has asked it anew and knows that it does, or until proof ends the epoch.
 *
 * The price: a holder that dies for good in the meantime is mourned by nobody but an operator; see
 * docs/decisions/0006.
 *
 * Nobody waits for it who need not: an arbiter that still speaks goes on renewing, and where none has
 * spoken for a lease, a holder would have asked by now.
 *
 * What must never happen: that the holder goes by a promise that is no more. So it counts in the newest
 * round alone (`daemon-failsafe.ts`), and nothing that was sent in that round or before it ends it (I1).
 */
import { persist } from "./daemon-hold.ts";
import type { EndlessPromise } from "./daemon-io.ts";
import type { DaemonState, Farewell, Step } from "./daemon-state.ts";
import { CHECKS_A_LEASE } from "./lease.ts";
import type { PromiseRequest } from "./messages.ts";

/** In so many leases a holder that lost its arbiter just now asks twice: to hear it, and to show that it did. */
const STAY_LEASES = 2;
/**
 * An arbiter on the same host that is being stopped with it may speak once more. One that answers this
 * much later isn't.
 */
const ASK_AGAIN_SHARE = 1 / 8;
const LONGEST_ASK_AGAIN_MS = 250;
/** SIGTERM is to end it in a reasonable time, whatever the leases. */
const LONGEST_STAY_MS = 10_000;

/** Where nobody ever asked: a lease is so many intervals of an arbiter's checks, or less. */
function leaseMsOf({ longestPromiseMs, heardEveryMs }: DaemonState): number {
  return longestPromiseMs === 0 ? heardEveryMs * CHECKS_A_LEASE : longestPromiseMs;
}

/** An arbiter spoke. */
export function hearArbiter({ state, nowMs }: Step): void {
  const { heardAtMs, farewell } = state;
  // One that speaks at once, now and then, says nothing of the interval.
  if (heardAtMs !== null) state.heardEveryMs = Math.max(nowMs - heardAtMs, state.heardEveryMs / 2);
  state.heardAtMs = nowMs;
  if (farewell !== null && nowMs >= farewell.askAgainAtMs) farewell.isHeard = true;
}

/** It leaves and holds nothing any more. */
export function beginFarewell({ state, nowMs }: Step): Farewell {
  const leaseMs = leaseMsOf(state);
  return {
    askAgainAtMs: nowMs + Math.min(leaseMs * ASK_AGAIN_SHARE, LONGEST_ASK_AGAIN_MS),
    hasAskedAgain: false,
    isHeard: false,
    quietAtMs: (state.heardAtMs ?? Number.NEGATIVE_INFINITY) + leaseMs,
    stayUntilMs: nowMs + Math.min(STAY_LEASES * leaseMs, LONGEST_STAY_MS),
    given: new Set(),
    confirmed: new Set(),
  };
}

/** To the arbiters, once more: one that is there answers a daemon that leaves at once. */
export function askAgain(step: Step, farewell: Farewell): void {
  if (farewell.hasAskedAgain || step.nowMs < farewell.askAgainAtMs) return;
  farewell.hasAskedAgain = true;
  step.changed = true;
}

export function mayLeave({ state, nowMs }: Step, farewell: Farewell): boolean {
  if (nowMs >= farewell.stayUntilMs) return true;
  if (liveUntilMs(state, farewell, nowMs) !== null) return false;
  return farewell.confirmed.size > 0 || farewell.isHeard || nowMs >= farewell.quietAtMs;
}

/** When the clock alone has something to do. */
export function farewellInstant({ state, nowMs }: Step, farewell: Farewell): number {
  const { stayUntilMs, quietAtMs, askAgainAtMs, hasAskedAgain } = farewell;
  const liveMs = liveUntilMs(state, farewell, nowMs);
  return Math.min(
    stayUntilMs,
    liveMs ?? Math.max(quietAtMs, nowMs),
    hasAskedAgain ? Number.POSITIVE_INFINITY : askAgainAtMs,
  );
}

/** Until then a holder may go by a promise that it has of this daemon; null: none does, or it is told. */
function liveUntilMs(state: DaemonState, { given, confirmed }: Farewell, nowMs: number): number | null {
  if (given.size > 0) return Number.POSITIVE_INFINITY;
  let lastMs: number | null = null;
  for (const [service, { untilMs }] of state.promises) {
    if (untilMs > nowMs && !confirmed.has(service)) lastMs = Math.max(lastMs ?? 0, untilMs);
  }
  return lastMs;
}

/** A holder asks one that leaves. Returns what is to be on disk first; null: it is. */
export function bidFarewell(step: Step, request: PromiseRequest): number | null {
  const { state } = step;
  const { service, epoch, holder, round } = request;
  const known = state.endless.get(service);
  if (known?.epoch === epoch && request.released !== true && round > known.round) {
    // It says that it goes by it: it was asked for on disk before, or it couldn't know.
    state.farewell?.given.delete(service);
    state.farewell?.confirmed.add(service);
    say(step, `${service} epoch ${epoch}: ${holder} goes on without this daemon, which may leave`);
    return null;
  }
  state.endless.set(service, { service, epoch, holder, round });
  state.farewell?.given.add(service);
  state.clusterId ??= request.clusterId;
  const token = state.nextToken;
  state.nextToken += 1;
  persist(step, token);
  say(step, `${service} epoch ${epoch}: promises ${holder} without end not to take it, as it leaves`);
  return token;
}

/** It is on disk by now, and still what was asked for. */
export function isGivenWithoutEnd(state: DaemonState, { service, epoch, round }: PromiseRequest): boolean {
  const given: EndlessPromise | undefined = state.endless.get(service);
  return state.farewell !== null && given?.epoch === epoch && given.round === round;
}

/** The holder asks again in each round and says so, or another epoch is held: then this one is over. */
export function endByAsking(step: Step, request: PromiseRequest): void {
  const { endless } = step.state;
  const given = endless.get(request.service);
  if (given === undefined) return;
  const isAskedAnew = request.released === true && request.round > given.round;
  if (request.epoch < given.epoch || (request.epoch === given.epoch && !isAskedAnew)) return;
  endless.delete(request.service);
  persist(step);
  say(step, `${request.service} epoch ${given.epoch}: released from the promise to ${given.holder}`);
}

function say(step: Step, text: string): void {
  step.effects.push({ kind: "log", level: "info", text });
}
