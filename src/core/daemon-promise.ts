/**
 * The candidate's side of failsafe: "I shall not activate this service before that time".
 *
 * A holder that no arbiter reaches keeps its lease on the strength of these promises, so they must
 * outlive everything: while one is live, no assignment of the service that rests on expiry is taken;
 * and because a reboot forgets them, a longer one is given only after its length is on disk, and a
 * new boot refuses for that long what rests on expiry.
 */
import { bidFarewell, endByAsking, isGivenWithoutEnd } from "./daemon-farewell.ts";
import { persist } from "./daemon-hold.ts";
import type { DaemonState, EventOf, GivenPromise, Step } from "./daemon-state.ts";
import { promiseEndOf } from "./lease.ts";
import type { PromiseRequest } from "./messages.ts";
import { PROTOCOL } from "./messages.ts";

/** The live promise about a service; null if there is none, or no more. */
export function livePromise(state: DaemonState, service: string, nowMs: number): GivenPromise | null {
  const endless = state.endless.get(service);
  if (endless !== undefined) return { ...endless, untilMs: Number.POSITIVE_INFINITY };
  const promise = state.promises.get(service);
  return promise !== undefined && promise.untilMs > nowMs ? promise : null;
}

/** Proof ends a promise, also one without end: its epoch is over for good. */
export function endPromise(step: Step, service: string, cleared: number): void {
  const { promises, endless } = step.state;
  const promise = promises.get(service);
  if (promise !== undefined && promise.epoch <= cleared) promises.delete(service);
  const lasting = endless.get(service);
  if (lasting === undefined || lasting.epoch > cleared) return;
  endless.delete(service);
  persist(step);
}

export function promiseAsked(step: Step, event: EventOf<"promiseAsked">): void {
  const { state } = step;
  const { requestId, request } = event;
  const refusal = refusalOf(state, request, step.nowMs);
  if (refusal !== null) {
    answer(step, requestId, request, refusal);
    return;
  }
  if (state.farewell !== null) {
    const token = bidFarewell(step, request);
    if (token === null) answer(step, requestId, request, null, true);
    else state.unsynced.set(token, { requestId, request });
    return;
  }
  if (request.forMs <= state.syncedPromiseMs) {
    give(step, requestId, request);
    return;
  }
  const token = state.nextToken;
  state.nextToken += 1;
  state.unsynced.set(token, { requestId, request });
  state.longestPromiseMs = Math.max(state.longestPromiseMs, request.forMs);
  persist(step, token);
}

/** The length is on disk. Much may have happened meanwhile, so it is judged afresh, and counts from now. */
export function promiseSynced(step: Step, token: number): void {
  const { state } = step;
  const waiting = state.unsynced.get(token);
  if (waiting === undefined) return;
  state.unsynced.delete(token);
  if (isGivenWithoutEnd(state, waiting.request)) {
    answer(step, waiting.requestId, waiting.request, null, true);
    return;
  }
  state.syncedPromiseMs = Math.max(state.syncedPromiseMs, waiting.request.forMs);
  const refusal = refusalOf(state, waiting.request, step.nowMs);
  if (refusal !== null) answer(step, waiting.requestId, waiting.request, refusal);
  else give(step, waiting.requestId, waiting.request);
}

function refusalOf(state: DaemonState, request: PromiseRequest, nowMs: number): string | null {
  const { name, stateId } = state.options;
  const { service, epoch } = request;
  if (request.protocol !== PROTOCOL) return `this daemon speaks protocol ${PROTOCOL}`;
  const isMeant = request.to === name && (request.toStateId === null || request.toStateId === stateId);
  if (!isMeant) return `this is ${name}, state ${stateId}`;
  if (request.holder === name) return "a daemon needs no promise of its own";
  if (state.clusterId !== null && request.clusterId !== state.clusterId) {
    return `this daemon belongs to cluster ${state.clusterId}`;
  }
  if (!(request.forMs > 0 && Number.isFinite(request.forMs))) return "the promise has no length";
  const held = state.held.get(service);
  if (held !== undefined) return `this daemon is ${held.phase} on it at epoch ${held.epoch}`;
  const seen = state.seenEpochs[service] ?? 0;
  if (seen > epoch) return `epoch ${seen} has been seen`;
  const given = livePromise(state, service, nowMs);
  if (given !== null && given.epoch > epoch) return `epoch ${given.epoch} has been promised`;
  return null;
}

function give(step: Step, requestId: string, request: PromiseRequest): void {
  const { state, nowMs } = step;
  const { service, epoch, holder } = request;
  endByAsking(step, request);
  const given = state.promises.get(service);
  const untilMs = Math.max(given?.untilMs ?? 0, promiseEndOf(nowMs, request.forMs));
  state.promises.set(service, { epoch, holder, untilMs });
  if (state.clusterId === null) {
    // From here on it is bound to that cluster, also if no arbiter has ever spoken to this boot.
    state.clusterId = request.clusterId;
    persist(step);
  }
  answer(step, requestId, request, null);
}

function answer(
  step: Step,
  requestId: string,
  request: PromiseRequest,
  refusal: string | null,
  withoutEnd = false,
): void {
  const { name, stateId } = step.state.options;
  step.effects.push({
    kind: "answerPromise",
    requestId,
    answer: {
      protocol: PROTOCOL,
      name,
      stateId,
      round: request.round,
      service: request.service,
      epoch: request.epoch,
      promised: refusal === null,
      because: refusal ?? "",
      withoutEnd,
    },
  });
}
