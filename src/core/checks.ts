/**
 * When a daemon is checked, what is said to it, and what a run of results means.
 *
 * A check *is* an assignment: one request carries the renewal, one answer the report. A daemon that
 * may still be a rightful holder, but that the arbiter isn't sure of, gets a mere probe, so that
 * asking never takes anything away from it. Failures count only while the arbiter itself was awake.
 */
import type { ArbiterEvent, CheckFailure } from "./arbiter-io.ts";
import type { ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { holdersIntervalMs } from "./lease.ts";
import { PROTOCOL, type Assignment, type ServiceAssignment } from "./messages.ts";
import { CLOCK_SLACK_MS, type ClusterModel } from "./model.ts";
import { noteSilence } from "./self-doubt.ts";
import { isLeading, setTimer, tell, type Step } from "./step.ts";

/** A refused connection is tried again this soon: the port of a restarted process opens any moment. */
const REFUSED_RETRY_MS = 50;
/** Late by more than this share of the interval: the arbiter doubts itself, not the daemon. */
const DOUBT_SHARE = 1 / 4;

export function checkIntervalMs(state: ArbiterState, daemon: DaemonView): number {
  let intervalMs = daemon.spec.checkIntervalMs;
  for (const name of state.holdings.get(daemon.spec.name) ?? []) {
    const view = state.services.get(name);
    if (view !== undefined) intervalMs = holdersIntervalMs(intervalMs, view.spec.leaseMs);
  }
  return intervalMs;
}

/** Sends the assignment now, or right after the check that is on its way. */
export function sendNow(step: Step, daemon: DaemonView, fresh = false): void {
  if (!isLeading(step.state)) return;
  if (daemon.inFlightSinceMs !== null) {
    daemon.sendAgain = true;
    return;
  }
  const { state, nowMs } = step;
  const assignment = assignmentFor(step, daemon);
  daemon.inFlightSinceMs = nowMs;
  daemon.lastCheckSentAtMs = nowMs;
  daemon.sendAgain = false;
  daemon.nextCheckAtMs = nowMs + checkIntervalMs(state, daemon);
  step.effects.push({
    kind: "assign",
    daemon: daemon.spec.name,
    url: daemon.spec.url,
    assignment,
    timeoutMs: daemon.spec.timeoutMs,
    fresh,
  });
}

function assignmentFor(step: Step, daemon: DaemonView): Assignment {
  const { state } = step;
  state.seq += 1;
  return {
    protocol: PROTOCOL,
    clusterId: state.clusterId,
    to: daemon.spec.name,
    leader: { name: state.options.name, url: state.options.url },
    arbiters: addressesOf(state.model),
    term: state.term,
    seq: state.seq,
    mapVersion: state.mapVersion,
    clockDrift: state.model.clockDrift,
    nonce: daemon.nonce,
    services: isProbe(state, daemon) ? null : wanted(step, daemon),
  };
}

/** The same list for each assignment: a model is never changed. */
const addresses = new WeakMap<ClusterModel, Assignment["arbiters"]>();

function addressesOf(model: ClusterModel): Assignment["arbiters"] {
  const known = addresses.get(model);
  if (known !== undefined) return known;
  const made = model.arbiters.map(({ name, url }) => ({ name, url }));
  addresses.set(model, made);
  return made;
}

/** A daemon of which the arbiter doesn't know enough to say what isn't wanted of it. */
function isProbe(state: ArbiterState, daemon: DaemonView): boolean {
  if (daemon.nonce === null || daemon.report === null) return true;
  for (const name of state.holdings.get(daemon.spec.name) ?? []) {
    const view = state.services.get(name);
    if (view === undefined || view.row.epoch <= view.knownCleared) continue;
    const isUnsure = view.phase === "vacant" || (view.phase === "fencing" && view.fencing === "silent");
    if (isUnsure && daemon.failedChecks > 0) return true;
  }
  return daemon.report.services.some((held) => {
    const view = state.services.get(held.service);
    return view !== undefined && held.epoch > view.row.epoch;
  });
}

function wanted(step: Step, daemon: DaemonView): ServiceAssignment[] {
  const list: ServiceAssignment[] = [];
  for (const name of step.state.holdings.get(daemon.spec.name) ?? []) {
    const view = step.state.services.get(name);
    if (view === undefined || !isRenewed(view) || view.row.holder !== daemon.spec.name) continue;
    const { row, spec } = view;
    const leaseMs = Math.min(spec.leaseMs, leaseMaxMs(step.state, view));
    list.push({
      service: name,
      epoch: row.epoch,
      cleared: row.cleared,
      bootId: row.bootId ?? "",
      leaseMs,
      drain: view.phase === "handing-over",
      candidates: row.candidates,
      config: spec.config,
    });
    // Noted before it is sent: a lease is outstanding from now on, answered or not (I1).
    view.boundMs = Math.max(view.boundMs, leaseBoundMs(step.state, daemon.nonceReceivedAtMs, leaseMs));
  }
  return list;
}

/** While a smaller one is being committed, nothing above it is granted. */
function leaseMaxMs(state: ArbiterState, view: ServiceView): number {
  const { row, pendingSideCommit } = view;
  if (pendingSideCommit === null) return row.leaseMaxMs;
  const pending = state.commits.get(pendingSideCommit)?.rows[row.service];
  return Math.min(row.leaseMaxMs, pending?.leaseMaxMs ?? row.leaseMaxMs);
}

/** While a commit is under way the service is neither renewed nor set back. */
function isRenewed(view: ServiceView): boolean {
  if (view.pendingCommit !== null || view.row.epoch <= view.knownCleared) return false;
  return view.phase !== "vacant" && view.phase !== "fencing";
}

/** When a lease counted from a nonce received then has ended for sure, on this arbiter's clock. */
export function leaseBoundMs(state: ArbiterState, receivedAtMs: number, leaseMs: number): number {
  return receivedAtMs + leaseMs * (1 + state.model.clockDrift) + CLOCK_SLACK_MS;
}

/** After an answer or a failure: when the next check goes out. */
export function scheduleNext(step: Step, daemon: DaemonView, fresh = false): void {
  daemon.inFlightSinceMs = null;
  if (daemon.sendAgain) {
    sendNow(step, daemon, fresh);
    return;
  }
  daemon.nextCheckAtMs = daemon.lastCheckSentAtMs + checkIntervalMs(step.state, daemon);
  setTimer(step, `check:${daemon.spec.name}`, Math.max(daemon.nextCheckAtMs, step.nowMs));
}

type FailedCheck = Extract<ArbiterEvent, { kind: "checkFailed" }>;

export function checkFailed(step: Step, event: FailedCheck): void {
  const daemon = step.state.daemons.get(event.daemon);
  if (daemon === undefined || !isLeading(step.state) || daemon.inFlightSinceMs === null) return;
  daemon.lastFailure = event.detail === "" ? event.cause : event.detail;
  if (isExcused(step.state, daemon, event.cause, event.sentAtMs)) {
    daemon.inFlightSinceMs = null;
    sendNow(step, daemon, true);
    return;
  }
  if (event.cause === "exhausted") {
    // Repeated at the next interval: at once it would only use up more of what is short.
    daemon.sendAgain = false;
    scheduleNext(step, daemon, true);
    return;
  }
  countFailure(step, daemon);
  if (event.cause === "refused") noteRefusal(step, daemon, event.sentAtMs);
  daemon.inFlightSinceMs = null;
  if (event.cause === "refused" && daemon.failedChecks < daemon.spec.maxCheckAttempts) {
    daemon.sendAgain = false;
    daemon.nextCheckAtMs = step.nowMs + Math.min(REFUSED_RETRY_MS, checkIntervalMs(step.state, daemon));
    setTimer(step, `check:${daemon.spec.name}`, daemon.nextCheckAtMs);
    return;
  }
  scheduleNext(step, daemon, true);
}

/**
 * `proof_by_refusal`: where the operator knows that nothing in between refuses on its behalf, a
 * closed port at the holder's own boot's last address is proof, since a daemon closes its port last.
 * Never of a launched command: the launcher's port says nothing of the child.
 */
function noteRefusal(step: Step, daemon: DaemonView, sentAtMs: number): void {
  const { report, spec } = daemon;
  if (!spec.proofByRefusal || report === null || report.launched || daemon.reportedUrl !== spec.url) return;
  for (const name of step.state.holdings.get(spec.name) ?? []) {
    const view = step.state.services.get(name);
    if (view === undefined || view.row.bootId !== report.bootId || view.row.stateId !== report.stateId)
      continue;
    if (sentAtMs <= view.committedAtMs) continue;
    const says = `nobody listens any more at ${spec.url}, where boot ${report.bootId} answered last`;
    view.proof = {
      epoch: view.row.epoch,
      planned: report.state === "leaving",
      evidence: { daemon: spec.name, says },
    };
  }
}

/** Repeated at once on a fresh connection, and not counted. */
function isExcused(state: ArbiterState, daemon: DaemonView, cause: CheckFailure, sentAtMs: number): boolean {
  if (cause === "stale-connection") return true;
  if (cause !== "timeout" && cause !== "reset") return false;
  const isLate = state.lastStallLateMs > checkIntervalMs(state, daemon) * DOUBT_SHARE;
  return isLate && state.lastStallEndMs >= sentAtMs;
}

/** As many as anybody reads; `max_check_attempts` is three. */
const FAILURES_KEPT = 10;

function countFailure(step: Step, daemon: DaemonView): void {
  if (daemon.failedChecks === 0) daemon.failures = [];
  daemon.failures.push({ atMs: step.nowMs, failure: daemon.lastFailure ?? "" });
  if (daemon.failures.length > FAILURES_KEPT) daemon.failures.shift();
  daemon.failedChecks += 1;
  noteSilence(step, daemon);
  daemon.healthySinceMs = null;
  const { name, maxCheckAttempts } = daemon.spec;
  if (daemon.failedChecks === maxCheckAttempts && !daemon.removed) {
    const hasLeft = daemon.report?.state === "leaving";
    tell(step, {
      type: hasLeft ? "daemon.left" : "daemon.down",
      daemon: name,
      text: hasLeft
        ? `${name} has stopped in good order.`
        : `${name} doesn't answer: ${maxCheckAttempts} checks failed, the last one with "${daemon.lastFailure}".`,
      evidence: { checks: daemon.failedChecks, lastFailure: daemon.lastFailure, url: daemon.spec.url },
    });
  }
  touch(step, name);
}

/** Everything that may look different now that something is known of this daemon. */
export function touch(step: Step, daemon: string): void {
  for (const name of step.state.holdings.get(daemon) ?? []) step.dirty.add(name);
  for (const name of step.state.candidateOf.get(daemon) ?? []) step.dirty.add(name);
}
