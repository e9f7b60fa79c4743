/**
 * Turns what is known of one service into the event that its table understands.
 *
 * The guards are level-triggered: they look at what is true now, not at what has just arrived, so
 * that a lost or repeated message changes nothing. Each event that a guard produces leads to a
 * change that makes the guard false.
 */
import type { ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { dueMove } from "./moves.ts";
import { raisedBy } from "./plausible.ts";
import { choose, isWitness, type JudgeOptions } from "./placement.ts";
import type { ServiceEvent } from "./service-table.ts";
import { configurationIsBusy, daemonOf, isOpen, mayCommit, settingsAreBusy, type Step } from "./step.ts";

export interface Found {
  readonly event: ServiceEvent;
  readonly evidence: Readonly<Record<string, unknown>>;
}

export function nextEvent(step: Step, view: ServiceView): Found | null {
  // While a commit is under way the service is neither renewed nor set back.
  if (view.pendingCommit !== null) return null;
  const ordered = orderedEvent(view);
  if (ordered !== null) return ordered;
  const proven = provenEvent(view);
  if (proven !== null) return proven;
  const reported = reportedEvent(step, view);
  if (reported !== null) return reported;
  const checked = checkedEvent(step, view);
  if (checked !== null) return checked;
  return view.removed && isUnheld(view) ? endedByTime(step, view) : timedEvent(step, view);
}

const isUnheld = ({ phase }: ServiceView): boolean => phase === "vacant" || phase === "fencing";

function orderedEvent(view: ServiceView): Found | null {
  const { order } = view;
  if (order === null) return null;
  const evidence = { by: order.by, epoch: view.row.epoch };
  if (order.kind === "declared-dead") return isOpen(view) ? { event: "declaredDead", evidence } : null;
  if (view.phase === "vacant" || (view.phase === "fencing" && view.fencing === "unwanted")) return null;
  return { event: "failoverOrdered", evidence };
}

function provenEvent(view: ServiceView): Found | null {
  const { proof, row } = view;
  if (proof === null || proof.epoch !== row.epoch || !isOpen(view)) return null;
  if (view.phase === "vacant" && !canRaiseCleared(view)) return null;
  return { event: "provenOver", evidence: proof.evidence };
}

/** Proof about an epoch that was never active says nothing of the one before it. */
export function canRaiseCleared(view: ServiceView): boolean {
  return isOpen(view) && (view.knownCleared === view.row.epoch - 1 || view.shownActive);
}

function reportedEvent(step: Step, view: ServiceView): Found | null {
  const stranger = unknownHolder(step, view);
  if (stranger !== null) return stranger;
  const holder = daemonOf(step.state, view.row.holder);
  const held = holder === null ? null : holding(view, holder);
  if (holder === null || held === null || !isOpen(view)) return null;
  const evidence = {
    daemon: holder.spec.name,
    state: held.state,
    epoch: held.epoch,
    leaseRemainingMs: Math.round(held.leaseRemainingMs),
    report: holder.report?.seq,
  };
  switch (held.state) {
    case "active":
      if (view.phase === "held" && view.holderState === "activating")
        return { event: "restartDone", evidence };
      return isSettled(view, "held") ? null : { event: "goodReport", evidence };
    case "activating":
      if (view.phase === "held")
        return view.holderState === "active"
          ? { event: "restartedInPlace", evidence: { ...evidence, reason: holder.report?.reason ?? "" } }
          : null;
      if (view.phase === "activating" || view.phase === "handing-over") return null;
      return view.fencing === "unwanted" ? null : { event: "startingReport", evidence };
    case "draining":
      return view.phase === "held" || view.phase === "suspect" ? { event: "drainingReport", evidence } : null;
  }
}

function isSettled(view: ServiceView, phase: "held"): boolean {
  // A holder that was asked to drain goes on reporting itself active for a moment.
  return view.phase === phase || view.phase === "handing-over" || view.fencing === "unwanted";
}

/** What the holder's newest report says of the committed epoch, if it answers and is that boot. */
function holding(
  view: ServiceView,
  holder: DaemonView,
): {
  readonly state: "activating" | "active" | "draining";
  readonly epoch: number;
  readonly leaseRemainingMs: number;
} | null {
  const { report } = holder;
  if (report === null || holder.failedChecks > 0) return null;
  if (report.bootId !== view.row.bootId || report.stateId !== view.row.stateId) return null;
  return (
    report.services.find((one) => one.service === view.spec.name && one.epoch === view.row.epoch) ?? null
  );
}

/** The store lost or restored its past: a lone holder that it doesn't know is adopted. */
function unknownHolder(step: Step, view: ServiceView): Found | null {
  if (view.phase !== "vacant" || !mayCommit(step.state) || view.pendingSideCommit !== null) return null;
  let found: DaemonView | null = null;
  for (const name of view.spec.candidates) {
    const daemon = step.state.daemons.get(name);
    if (daemon === undefined || daemon.failedChecks > 0) continue;
    // What it said to this arbiter in an earlier term may be long over.
    if (daemon.reportedAtMs <= view.committedAtMs) continue;
    const held = daemon.report?.services.find((one) => one.service === view.spec.name);
    if (held === undefined || raisedBy(view.row.epoch, held.epoch) === view.row.epoch) continue;
    if (found !== null) return null;
    found = daemon;
  }
  if (found === null) return null;
  return { event: "unknownHolder", evidence: { daemon: found.spec.name, storedEpoch: view.row.epoch } };
}

function checkedEvent(step: Step, view: ServiceView): Found | null {
  if (view.phase === "vacant" || view.phase === "fencing") return null;
  const holder = daemonOf(step.state, view.row.holder);
  // It left the files, and where it was isn't known: nobody asks it, so its lease isn't renewed.
  if (holder === null)
    return view.phase !== "held" && step.nowMs > view.boundMs
      ? { event: "silent", evidence: { daemon: view.row.holder, lastFailure: "it left the configuration" } }
      : null;
  if (holder.failedChecks === 0) return replacedEvent(view, holder);
  const evidence = {
    daemon: holder.spec.name,
    failedChecks: holder.failedChecks,
    of: holder.spec.maxCheckAttempts,
    lastFailure: holder.lastFailure,
    checks: holder.failures.map(({ atMs, failure }) => ({ agoMs: Math.round(step.nowMs - atMs), failure })),
  };
  if (view.phase === "held") return { event: "checkFailed", evidence };
  const isSilent = holder.failedChecks >= holder.spec.maxCheckAttempts || step.nowMs > view.boundMs;
  return isSilent ? { event: "silent", evidence } : null;
}

/**
 * Another state answers under the holder's name (a new machine, a lost state folder). It says nothing
 * of the holder, which is silent as long as that lasts; renewals would only reach the other one.
 */
function replacedEvent(view: ServiceView, holder: DaemonView): Found | null {
  const stateId = holder.report?.stateId;
  if (stateId === undefined || stateId === view.row.stateId) return null;
  const evidence = { daemon: holder.spec.name, answers: stateId, instead: view.row.stateId };
  return { event: view.phase === "held" ? "checkFailed" : "silent", evidence };
}

function timedEvent(step: Step, view: ServiceView): Found | null {
  switch (view.phase) {
    case "activating":
      return step.nowMs >= view.activationDeadlineMs
        ? { event: "overdue", evidence: { timeoutMs: view.spec.activationTimeoutMs } }
        : null;
    case "handing-over":
      return step.nowMs >= view.drainDeadlineMs
        ? { event: "overdue", evidence: { timeoutMs: view.spec.drainTimeoutMs } }
        : null;
    case "held":
      return movedEvent(step, view);
    case "vacant":
      return candidateEvent(step, view, "candidateReady");
    case "fencing":
      return step.nowMs >= view.boundMs ? candidateEvent(step, view, "boundPassed") : null;
    case "suspect":
      return null;
  }
}

function movedEvent(step: Step, view: ServiceView): Found | null {
  const move = dueMove(step, view);
  if (move === null) return null;
  return { event: "moveWanted", evidence: { reason: move.reason, target: move.target } };
}

function candidateEvent(
  step: Step,
  view: ServiceView,
  event: "candidateReady" | "boundPassed",
): Found | null {
  if (!mayCommit(step.state) || view.pendingSideCommit !== null) return null;
  // Who its masters are is about to change, and stands in the row (I1).
  if (configurationIsBusy(step)) return null;
  // The commit ends an operator's move, and settings are written one after another.
  if (step.state.settings.moves[view.spec.name] !== undefined && settingsAreBusy(step.state)) return null;
  if (isPastElsewhere(step, view) || hasPredecessor(step.state, view)) return null;
  const options = judgeOptions(step, view);
  if (!options.onProof && step.nowMs < view.boundMs) return null;
  const { chosen, judgements } = choose(step.state, view, options);
  if (chosen === null) return null;
  return {
    event,
    evidence: {
      chosen: chosen.spec.name,
      restsOn: options.onProof ? "proof" : "expiry",
      ...(options.onProof ? {} : { waitedUntilMs: Math.round(view.boundMs) }),
      rejected: judgements
        .filter(({ because }) => because !== "")
        .map(({ daemon, because }) => `${daemon.spec.name}: ${because}`),
    },
  };
}

/**
 * One that left the configuration is given to nobody, so that no new epoch shows that the old one is over. It
 * is, by the time at which it could be given away: every lease of the arbiters' has ended, and a candidate
 * whose promise each holder needs was asked after that, and has promised nothing. A lease that has run out
 * isn't brought back to life. That is committed, or the next leader would renew the old holder beside
 * whoever has the new name (I1, I7).
 */
function endedByTime(step: Step, view: ServiceView): Found | null {
  if (!isOpen(view) || !mayCommit(step.state) || view.pendingSideCommit !== null) return null;
  if (step.nowMs < view.boundMs) return null;
  const options = { onProof: false, nowMs: step.nowMs, askedAfterMs: view.boundMs };
  const witness = view.spec.candidates.find((name) => {
    const daemon = step.state.daemons.get(name);
    return daemon !== undefined && isWitness(view, daemon, options);
  });
  if (witness === undefined) return null;
  return { event: "leasesOver", evidence: { waitedUntilMs: Math.round(view.boundMs), witness } };
}

/**
 * Nothing is known of the past, and a candidate belongs to another cluster: that one may have a holder
 * of which nobody here could ever hear. Two arbiters were given two stores (I1).
 */
function isPastElsewhere(step: Step, view: ServiceView): boolean {
  if (view.row.epoch > 0 || view.knownCleared >= 0) return false;
  return view.spec.candidates.some((name) => step.state.daemons.get(name)?.isForeign === true);
}

/**
 * A rename is a removal and an addition, and so is taking it back: a service isn't given to anybody while
 * another one, that left the configuration and is the same work, may still be held (I1). That one is over
 * by proof, or once an operator says that its holder is dead.
 */
export function hasPredecessor(state: ArbiterState, view: ServiceView): boolean {
  if (!state.hasRemoved) return false;
  for (const other of state.services.values()) {
    if (other.removed && mayBeHeld(other) && isSameWork(view, other)) return true;
  }
  return false;
}

/**
 * I1: from the commit on that gives it away, not from the store's answer (the store may have taken it, and
 * once it says so the new epoch is assigned, whatever has become of the configuration), until it is committed
 * that it is over: the next leader would renew its holder.
 */
function mayBeHeld({ row, phase, isPastLost }: ServiceView): boolean {
  if (phase !== "vacant") return true;
  // One that was never given away, as far as a store knows that has not lost its past.
  if (row.epoch === 0 && !isPastLost) return false;
  return row.cleared < row.epoch;
}

/** By a master in common. Where the store doesn't tell, one that a candidate holds, or is to hold, may be. */
function isSameWork(view: ServiceView, { spec, row, pendingCommit }: ServiceView): boolean {
  const masters = new Set([...view.spec.masters, ...(view.row.masters ?? [])]);
  const known = [...spec.masters, ...(row.masters ?? [])];
  const isKnown = known.length > 0;
  if ((isKnown ? known : spec.candidates).some((name) => masters.has(name))) return true;
  if (isKnown && view.row.epoch > 0) return false;
  // Whom a commit under way names is in no row yet: it may be any candidate.
  const holders = pendingCommit === null ? [row.holder] : [row.holder, ...spec.candidates];
  return holders.some((name) => name !== null && view.spec.candidates.includes(name));
}

/** Whether the next epoch would rest on proof, and since when a candidate must have been asked. */
export function judgeOptions(step: Step, view: ServiceView): JudgeOptions {
  return {
    onProof: view.knownCleared === nextEpoch(step, view) - 1,
    nowMs: step.nowMs,
    askedAfterMs: view.boundMs,
  };
}

/** No term commits so many epochs of one service: those that a store lost are not used twice (I2). */
const EPOCHS_A_TERM = 1000;

/** Above the stored one, and above every one that any candidate has seen (a store may be restored). */
export function nextEpoch(step: Step, view: ServiceView): number {
  let highest = view.row.epoch;
  for (const name of view.spec.candidates) {
    const daemon = step.state.daemons.get(name);
    const seen = daemon?.report?.seenEpochs[view.spec.name];
    if (seen !== undefined) highest = raisedBy(highest, seen);
    // A promise tells of the holder that it was given to.
    const promised = daemon?.promisesUntilMs[view.spec.name]?.epoch;
    if (promised !== undefined) highest = raisedBy(highest, promised);
  }
  if (!view.isPastLost) return highest + 1;
  // Terms rise whatever the store forgets. What it calls over says nothing of the epochs that it lost,
  // so this one leaves a gap, and doesn't rest on proof (I1).
  return Math.max(highest, step.state.term * EPOCHS_A_TERM) + 2;
}
