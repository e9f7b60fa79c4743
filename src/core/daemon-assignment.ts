/**
 * What a daemon does with an assignment: whether it takes it at all, and then, service by service,
 * whether it takes, renews, winds up or refuses.
 *
 * An assignment states the whole of what is wanted; what isn't listed isn't wanted. It is taken only
 * in the order of (term, seq) (I3). An epoch is *seen* in the step in which it is taken or refused
 * for good, so that a report that shows it seen and not held is proof. What is refused only for now
 * ("busy", "no-lease") isn't seen: to the arbiter it is as if that part had been lost.
 */
import { hearArbiter } from "./daemon-farewell.ts";
import { apply, extendLease, grant, persist } from "./daemon-hold.ts";
import type { AssignmentProblem } from "./daemon-io.ts";
import { policyOf, saysTheSame } from "./daemon-policy.ts";
import type { DaemonState, HeldService, Step } from "./daemon-state.ts";
import { endPromise, livePromise } from "./daemon-promise.ts";
import { demoteAtOf, leaseEndOf, readNonce, restsOnProof } from "./lease.ts";
import type { Assignment, Refusal, RefusalReason, ServiceAssignment } from "./messages.ts";

export interface Problem {
  readonly code: AssignmentProblem;
  readonly text: string;
}

/** Why the assignment as a whole is refused; null if it was taken. */
export function takeAssignment(step: Step, assignment: Assignment): Problem | null {
  const { state } = step;
  const problem = problemOf(state, assignment);
  if (problem !== null) return problem;
  const isJoining = state.clusterId !== assignment.clusterId;
  const isNews = learn(step, assignment);
  const seenBefore = state.seenEpochs;
  if (assignment.services === null) {
    state.failure = null;
  } else {
    takeServices(step, assignment, assignment.services);
  }
  if (isJoining) {
    // Synced: after a power failure, too, it must not be anybody else's.
    state.nextToken += 1;
    persist(step, state.nextToken - 1);
  } else if (isNews || state.seenEpochs !== seenBefore) persist(step);
  return null;
}

function problemOf(state: DaemonState, assignment: Assignment): Problem | null {
  const { name } = state.options;
  if (assignment.to !== name) {
    return { code: "not-addressed", text: `This is ${name}; the assignment is for ${assignment.to}.` };
  }
  // Also one that holds nothing now: its cluster counts on it to take nothing from anybody else (I1).
  if (state.clusterId !== null && assignment.clusterId !== state.clusterId) {
    return {
      code: "other-cluster",
      text:
        `${name} belongs to cluster ${state.clusterId}; ` +
        `the assignment is of cluster ${assignment.clusterId}. Stop it and start it with --forget-cluster to move it.`,
    };
  }
  const { term, seq } = assignment;
  if (term < state.term || (term === state.term && seq <= state.assignmentSeq)) {
    return {
      code: "outdated",
      text: `Term ${term}, number ${seq} is not above term ${state.term}, number ${state.assignmentSeq}.`,
    };
  }
  return null;
}

/** A probe teaches this much, too. Returns whether there is something to write down. */
function learn(step: Step, assignment: Assignment): boolean {
  const { state } = step;
  const isNews =
    state.clusterId !== assignment.clusterId ||
    state.term !== assignment.term ||
    !sameAddresses(state.arbiters, assignment.arbiters);
  state.clusterId = assignment.clusterId;
  state.term = assignment.term;
  state.assignmentSeq = assignment.seq;
  hearArbiter(step);
  state.arbiters = assignment.arbiters;
  state.leader = assignment.leader;
  return isNews;
}

function sameAddresses(one: Assignment["arbiters"], other: Assignment["arbiters"]): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  return one.every((address, at) => address.name === other[at]?.name && address.url === other[at]?.url);
}

function takeServices(step: Step, assignment: Assignment, items: readonly ServiceAssignment[]): void {
  const { state } = step;
  const { bootId } = state.options;
  const env = { tagOf: step.tagOf };
  const issuedMs = readNonce(assignment.nonce, bootId, step.nowMs, env);
  const { failure } = state;
  if (failure !== null && !items.some((item) => isSame(item, failure))) state.failure = null;
  for (const held of state.held.values()) {
    if (!items.some((item) => item.service === held.service)) windUp(step, held, "unwanted");
  }
  const refusals: Refusal[] = [];
  for (const item of items) {
    endPromise(step, item.service, item.cleared);
    const held = state.held.get(item.service);
    if (held !== undefined && held.epoch === item.epoch && item.bootId === bootId) {
      renew(step, held, item, issuedMs, assignment.clockDrift);
    } else {
      const because = offer(step, item, issuedMs, assignment.clockDrift);
      if (because !== null) refusals.push({ service: item.service, epoch: item.epoch, because });
    }
  }
  state.refusals = refusals;
}

function isSame(item: ServiceAssignment, other: { service: string; epoch: number }): boolean {
  return item.service === other.service && item.epoch === other.epoch;
}

/** The epoch held is listed: its lease is renewed, or drained, or it turns out to be over. */
function renew(
  step: Step,
  held: HeldService,
  item: ServiceAssignment,
  issuedMs: number | null,
  clockDrift: number,
): void {
  if (item.cleared >= held.epoch) {
    windUp(step, held, "epochOver");
    return;
  }
  held.leaseMs = item.leaseMs;
  if (!saysTheSame(held.config, item.config)) held.policy = policyOf(step.state.options, item.config);
  held.config = item.config;
  held.clockDrift = clockDrift;
  if (item.candidates.version > held.candidates.version) {
    // A round that didn't ask the newcomers proves nothing about them.
    held.candidates = item.candidates;
    held.round = null;
  }
  extendLease(step, held, issuedMs === null ? 0 : leaseEndOf(issuedMs, item.leaseMs), true);
  apply(step, held, item.drain ? "drainAsked" : "renewed");
}

/** Given up for a reason that no promise may put off, also if it drains already. */
function windUp(step: Step, held: HeldService, event: "unwanted" | "epochOver" | "superseded"): void {
  held.wanted = false;
  held.round = null;
  apply(step, held, event);
}

/** An epoch that isn't held: taken, or the reason why not. */
function offer(
  step: Step,
  item: ServiceAssignment,
  issuedMs: number | null,
  clockDrift: number,
): RefusalReason | null {
  const { state } = step;
  const held = state.held.get(item.service);
  const because = refusalOf(step, item, issuedMs);
  // A lower epoch than the one held is old: nothing old is obeyed (I3).
  if (held !== undefined && item.epoch >= held.epoch) windUp(step, held, "superseded");
  if (because !== "busy" && because !== "no-lease") see(state, item);
  if (because === null && issuedMs !== null) {
    grant(step, item, leaseEndOf(issuedMs, item.leaseMs), clockDrift);
  }
  return because;
}

function see(state: DaemonState, item: ServiceAssignment): void {
  if ((state.seenEpochs[item.service] ?? 0) >= item.epoch) return;
  state.seenEpochs = { ...state.seenEpochs, [item.service]: item.epoch };
}

function refusalOf(step: Step, item: ServiceAssignment, issuedMs: number | null): RefusalReason | null {
  const { state, nowMs } = step;
  if (item.bootId !== state.options.bootId) return "other-boot";
  if (item.epoch <= (state.seenEpochs[item.service] ?? 0) || item.cleared >= item.epoch) return "old-epoch";
  if (state.leaving !== null) return "leaving";
  if (state.held.has(item.service)) return "busy";
  if (livePromise(state, item.service, nowMs) !== null) return "promised";
  if (nowMs < state.refusesExpiryUntilMs && !restsOnProof(item)) return "young";
  if (issuedMs === null) return "no-lease";
  const endMs = leaseEndOf(issuedMs, item.leaseMs);
  const { margins } = policyOf(state.options, item.config);
  return nowMs < demoteAtOf(endMs, item.leaseMs, margins) ? null : "no-lease";
}
