/**
 * Takes in a report: orders it, notes what it says of the daemon, and finds what it proves.
 *
 * A report is a report, however it came; but only an answer to this arbiter's own request says when
 * it must have been made, and so only such a one may speak for another boot.
 */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { DaemonView, ServiceView } from "./arbiter-state.ts";
import { checkFailed, sendNow, touch } from "./checks.ts";
import { takeNewTerm } from "./leadership.ts";
import type { Report } from "./messages.ts";
import { boundOf } from "./lease.ts";
import { raisedBy } from "./plausible.ts";
import { noteAnswer } from "./self-doubt.ts";
import { isLeading, isOpen, tell, type Step } from "./step.ts";

type Reported = Extract<ArbiterEvent, { kind: "reported" }>;

/** Returns whether a check was answered, which the caller schedules anew once all is evaluated. */
export function takeReport(step: Step, event: Reported): DaemonView | null {
  const { report } = event;
  const daemon = step.state.daemons.get(report.name);
  if (daemon === undefined || !isLeading(step.state)) return null;
  const isAnswer = event.via === "check";
  if (isForeign(step, daemon, report)) {
    daemon.isForeign = true;
    // What it said before it belonged there is no word of this cluster.
    daemon.report = null;
    daemon.nonce = null;
    if (isAnswer) refuse(step, daemon, event, "it belongs to another cluster");
    return null;
  }
  daemon.isForeign = false;
  if (isAnswer) noteOutdated(step, daemon, event);
  const before = daemon.report;
  const isNews = order(daemon, event);
  switch (isNews) {
    case "stale":
      break;
    case "other-boot":
      // It may come from an older boot: it only causes a check at once. The one that it answers is over.
      if (isAnswer) daemon.inFlightSinceMs = null;
      sendNow(step, daemon, true);
      return null;
    case "newer":
      accept(step, daemon, event);
      break;
  }
  if (!isAnswer) {
    // It waits to hear whether an arbiter is there: then nobody needs its promise without end.
    if (report.state === "leaving" && report.services.length === 0) sendNow(step, daemon);
    return null;
  }
  daemon.inFlightSinceMs = null;
  // Its answer brought the nonce that was missing: the same once more, without waiting an interval.
  // Once: one that goes on saying so (or whose answers are out of date) would be asked without pause.
  if (isNews === "newer" && lacksLease(report) && (before === null || !lacksLease(before)))
    daemon.sendAgain = true;
  return daemon;
}

/** So many answers in a row, and no copy of an earlier request explains it any more. */
const OUTDATED_ANSWERS = 3;

/** It has heard this term's numbers before: the store has lost its past, and a term is led twice. */
function noteOutdated(step: Step, daemon: DaemonView, event: Reported): void {
  const { term } = step.state;
  if (event.isOutdated !== true || event.report.term !== term) {
    daemon.obeyedTerm = term;
    daemon.outdatedAnswers = 0;
    return;
  }
  daemon.outdatedAnswers += 1;
  if (daemon.obeyedTerm === term && daemon.outdatedAnswers < OUTDATED_ANSWERS) return;
  daemon.outdatedAnswers = 0;
  takeNewTerm(step, true);
}

function lacksLease(report: Report): boolean {
  return report.refusals.some(({ because }) => because === "no-lease");
}

function isForeign(step: Step, daemon: DaemonView, report: Report): boolean {
  return (
    report.clusterId !== null && report.clusterId !== step.state.clusterId && daemon.spec.name === report.name
  );
}

function refuse(step: Step, daemon: DaemonView, event: Reported, detail: string): void {
  checkFailed(step, {
    kind: "checkFailed",
    nowMs: step.nowMs,
    wallMs: step.wallMs,
    daemon: daemon.spec.name,
    sentAtMs: event.sentAtMs ?? step.nowMs,
    cause: "wrong-daemon",
    detail,
  });
}

function order(daemon: DaemonView, event: Reported): "stale" | "other-boot" | "newer" {
  const known = daemon.report;
  if (known === null) return event.via === "check" ? "newer" : "other-boot";
  if (known.bootId === event.report.bootId && known.stateId === event.report.stateId)
    return event.report.seq > known.seq ? "newer" : "stale";
  // Sent after the older boot last spoke, so whoever answers started later.
  const isLater = event.via === "check" && event.sentAtMs !== null && event.sentAtMs >= daemon.reportedAtMs;
  return isLater ? "newer" : "other-boot";
}

function accept(step: Step, daemon: DaemonView, event: Reported): void {
  const { report } = event;
  const { nowMs } = step;
  // To an arbiter that has just taken the lead every daemon is new, however long it has been running.
  const isRestart = daemon.report !== null && daemon.report.bootId !== report.bootId;
  const isNewBoot = daemon.report?.bootId !== report.bootId;
  const wasDown = daemon.report === null || daemon.failedChecks >= daemon.spec.maxCheckAttempts;
  if (isNewBoot) daemon.healthySinceMs = null;
  daemon.report = report;
  daemon.reportedAtMs = nowMs;
  if (event.via === "check" && event.sentAtMs !== null) {
    daemon.reportedUrl = daemon.spec.url;
    daemon.roundTripMs = nowMs - event.sentAtMs;
    // Only an answer ends a run of failures: an unasked report says nothing of the way back.
    daemon.failedChecks = 0;
    noteAnswer(step.state, daemon.spec.name);
    daemon.lastFailure = null;
  }
  if (report.nonce !== "") {
    daemon.nonce = report.nonce;
    daemon.nonceReceivedAtMs = nowMs;
  }
  noteHealth(step, daemon, report);
  notePromises(daemon, report, nowMs);
  if (wasDown && daemon.failedChecks === 0)
    tell(step, {
      type: "daemon.up",
      daemon: report.name,
      text: `${report.name} answers${isRestart ? " (a new start)" : ""}: ${report.state}.`,
      evidence: { state: report.state, bootId: report.bootId },
    });
  for (const held of report.services) noteLease(step, held);
  for (const name of step.state.holdings.get(report.name) ?? []) {
    const view = step.state.services.get(name);
    if (view !== undefined) noteHolding(view, event);
  }
  // Another leads, or the store has lost its past: nothing is committed in a term that isn't obeyed.
  if (raisedBy(step.state.term, report.term) > step.state.term) takeNewTerm(step, true);
  touch(step, report.name);
}

function noteHealth(step: Step, daemon: DaemonView, report: Report): void {
  const wasUnhealthy = daemon.unhealthyReports > 0;
  if (report.healthy) {
    daemon.unhealthyReports = 0;
    daemon.healthySinceMs ??= step.nowMs;
  } else {
    daemon.unhealthyReports += 1;
    daemon.healthySinceMs = null;
  }
  if (wasUnhealthy === report.healthy)
    tell(step, {
      type: report.healthy ? "daemon.healthy" : "daemon.unhealthy",
      daemon: report.name,
      text: report.healthy
        ? `${report.name} says that it is healthy again.`
        : `${report.name} says that it is unhealthy: ${report.reason === "" ? "no reason given" : report.reason}.`,
      evidence: { reason: report.reason },
    });
}

function notePromises(daemon: DaemonView, report: Report, nowMs: number): void {
  const promises: DaemonView["promisesUntilMs"] = {};
  for (const { service, epoch, holder, forMs } of report.promises)
    promises[service] = { epoch, holder, untilMs: forMs === null ? Infinity : nowMs + forMs };
  daemon.promisesUntilMs = promises;
  daemon.refusesExpiryUntilMs = report.refusesExpiryForMs > 0 ? nowMs + report.refusesExpiryForMs : 0;
}

/**
 * Whoever says that it has a lease has one, also if the store doesn't know the epoch, or that leases
 * were ever so long (it may have lost its past): the bound is no earlier than its end (I1). The report
 * was made before it arrived, so the lease ends before that.
 */
function noteLease({ state, nowMs }: Step, held: Report["services"][number]): void {
  const view = state.services.get(held.service);
  if (view === undefined || held.epoch <= view.knownCleared) return;
  if (held.epoch <= view.row.epoch && held.leaseRemainingMs <= view.row.leaseMaxMs) return;
  view.boundMs = Math.max(view.boundMs, boundOf(nowMs, held.leaseRemainingMs, state.model.clockDrift));
}

/** What the report of a committed holder says of the service: still held, acknowledged, or over. */
function noteHolding(view: ServiceView, event: Reported): void {
  const { report } = event;
  const { row } = view;
  if (report.stateId !== row.stateId) return;
  const held = report.services.find((one) => one.service === view.spec.name && one.epoch === row.epoch);
  if (report.bootId === row.bootId && held !== undefined) {
    if (held.state === "active") view.shownActive = true;
    view.acknowledgedSet = Math.max(view.acknowledgedSet, held.candidatesVersion);
    return;
  }
  if (!isOpen(view)) return;
  const evidence = provenOver(view, event, held !== undefined);
  if (evidence === null) return;
  const planned = report.state === "leaving" || view.phase === "handing-over";
  view.proof = { epoch: row.epoch, planned, evidence };
}

/** The cases in which a report proves that the epoch isn't held, and no others; see PROTOCOL.md. */
function provenOver(view: ServiceView, event: Reported, isHeld: boolean): Record<string, unknown> | null {
  const { report } = event;
  const { row } = view;
  const evidence = { daemon: report.name, boot: report.bootId, report: report.seq, via: event.via };
  if (report.bootId === row.bootId) {
    const seen = report.seenEpochs[view.spec.name] ?? 0;
    if (seen < row.epoch || isHeld) return null;
    return {
      ...evidence,
      says: `it has seen epoch ${seen} and doesn't hold ${row.epoch}`,
      reason: report.reason,
    };
  }
  const isSentAfterCommit =
    event.via === "check" && event.sentAtMs !== null && event.sentAtMs > view.committedAtMs;
  if (!isSentAfterCommit) return null;
  return { ...evidence, says: `it was started anew (boot ${report.bootId} instead of ${row.bootId})` };
}
