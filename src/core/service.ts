/**
 * Moves one service as far as what is known allows: guards → event → table → effects, again and
 * again until no guard has anything to say. A commit or a missing answer ends the round.
 */
import type { ServicePhase, ServiceView } from "./arbiter-state.ts";
import { alreadyCounted, backOff, countLoss, isShortHold, isWithoutFault } from "./back-off.ts";
import {
  adoptedSets,
  candidatesNow,
  mastersWithPresent,
  pastSetsWithPresent,
  refreshCandidates,
  shorterLeaseAtMs,
} from "./candidates.ts";
import { sendNow } from "./checks.ts";
import { heldBackUntilMs, noteCause, spend, tellHeldBack } from "./failover-budget.ts";
import type { ServiceRow } from "./model.ts";
import type { ClearedBy, MoveMeasure } from "./move-measure.ts";
import { beginGap, endGap, gapWords, NOT_MEASURED } from "./move-measure.ts";
import { dueMove, failbackDueAtMs, isAboutPast } from "./moves.ts";
import { choose } from "./placement.ts";
import { canRaiseCleared, judgeOptions, nextEpoch, nextEvent, type Found } from "./service-guards.ts";
import { cell, type ServiceEffect, type ServiceTransition } from "./service-table.ts";
import { hold } from "./service-view.ts";
import {
  changeRow,
  daemonOf,
  isLeading,
  isOpen,
  journal,
  mayCommit,
  setTimer,
  tell,
  type Step,
} from "./step.ts";

/** More rows than this in one step would be a loop between guards and table: a programming error. */
const MOST_ROWS_A_STEP = 12;
/** Transitions kept of each service for `explain` and the status page. */
const HISTORY = 50;
export function evaluate(step: Step, view: ServiceView): void {
  if (!isLeading(step.state)) return;
  learnEmptyPast(step, view);
  for (let rows = 0; ; rows += 1) {
    if (rows === MOST_ROWS_A_STEP) throw new Error(`service ${view.spec.name} does not settle`);
    const found = nextEvent(step, view);
    if (found === null) break;
    const transition = cell(view.phase, found.event);
    if (transition === "impossible")
      throw new Error(`impossible: ${found.event} while ${view.phase} (service ${view.spec.name})`);
    if (transition === "ignore") break;
    take(step, view, transition, found);
  }
  if (view.phase !== "vacant" && view.pendingCommit === null && !isOpen(view))
    throw new Error(`service ${view.spec.name} is ${view.phase}, but epoch ${view.row.epoch} is over`);
  if (view.phase === "vacant") view.order = null;
  rememberHolderState(step, view);
  settle(step, view);
  const lookAtMs = nextLookAtMs(step, view);
  if (lookAtMs === view.lookAtMs) return;
  view.lookAtMs = lookAtMs;
  setTimer(step, `service:${view.spec.name}`, lookAtMs);
}

/** Epoch 0 rests on proof only if every candidate has answered and has seen no epoch. */
function learnEmptyPast(step: Step, view: ServiceView): void {
  const { name, candidates } = view.spec;
  if (view.knownCleared !== -1 || view.row.epoch !== 0 || view.phase !== "vacant") return;
  for (const candidate of candidates) {
    const report = step.state.daemons.get(candidate)?.report;
    if (report === null || report === undefined || report.seenEpochs[name] !== undefined) return;
    if (report.services.some((one) => one.service === name)) return;
    if (report.promises.some((one) => one.service === name)) return;
  }
  view.knownCleared = 0;
  endBound(view);
}

/** One row: the phase first, then its effects, then what people and the journal are told. */
export function take(step: Step, view: ServiceView, transition: ServiceTransition, found: Found): void {
  const from = view.phase;
  enter(step, view, transition.to, found);
  const reason = view.moveReason;
  for (const effect of transition.effects) perform(step, view, effect, found);
  const evidence = { ...found.evidence, ...(reason === null ? {} : { move: reason }) };
  const { id, because } = transition;
  view.history.push({
    atMs: step.nowMs,
    atWallMs: step.wallMs,
    row: id,
    from,
    to: view.phase,
    because,
    epoch: view.row.epoch,
    evidence,
  });
  if (view.history.length > HISTORY) view.history.shift();
  const event = transition.event ?? "";
  journal(step, {
    service: view.spec.name,
    row: id,
    from,
    to: view.phase,
    because,
    evidence,
    cleared: view.knownCleared,
    epoch: view.row.epoch,
    event,
  });
  if (event !== "") announce(step, view, { transition, evidence, reason, said: saidOfItsEnd(found) });
  if (found.event === "restartedInPlace") view.holderState = "activating";
  if (found.event === "restartDone" || found.event === "goodReport") view.holderState = "active";
  if (view.phase === "held") {
    view.moveReason = null;
    view.target = null;
  }
}

/** Why the program ended or is restarted, in its daemon's words: what an operator asks first. */
function saidOfItsEnd({ event, evidence }: Found): string {
  const isAnEnd = event === "provenOver" || event === "restartedInPlace";
  const said = evidence["reason"];
  return isAnEnd && typeof said === "string" && said !== "" ? `: ${said}` : "";
}

interface Announcement {
  readonly transition: ServiceTransition;
  readonly evidence: Readonly<Record<string, unknown>>;
  /** Of the move, where it is one. */
  readonly reason: string | null;
  readonly said: string;
}

function announce(step: Step, view: ServiceView, told: Announcement): void {
  const { transition, evidence, said } = told;
  const change = step.changes.find((one) => one.view === view && one.kind === "main");
  const row = change?.row ?? view.row;
  const reason = told.reason === null ? said : ` (${told.reason})`;
  const measure = transition.effects.includes("measureGap") ? view.lastMove : NOT_MEASURED;
  tell(step, {
    type: transition.event ?? "",
    service: view.spec.name,
    ...(row.holder === null ? {} : { daemon: row.holder }),
    epoch: row.epoch,
    row: transition.id,
    text: `${sentence(view, row, measure)}: ${transition.because}${reason}.`,
    evidence: { ...evidence, ...known(measure) },
  });
}

function known(measure: MoveMeasure): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(measure).filter(([, value]) => value !== null));
}

/** Service and holder often have the same name: say which is which. */
function sentence(view: ServiceView, row: ServiceRow, measure: MoveMeasure): string {
  const service = view.spec.name;
  const holder = `${row.holder ?? "nobody"} (epoch ${row.epoch})`;
  switch (view.phase) {
    case "vacant":
      return row.holder === null
        ? `service ${service} is vacant`
        : `service ${service} is vacant, last held by ${holder}`;
    case "activating":
      return `service ${service} goes to ${holder}`;
    case "held":
      return `service ${service} is held by ${holder}${measure.gapMs === null ? "" : ` after a gap of ${gapWords(measure)}`}`;
    case "suspect":
      return `service ${service} is suspect on ${holder}`;
    case "fencing":
      return `service ${service} is fenced off ${holder}`;
    case "handing-over":
      return `service ${service} is handed over by ${holder}${view.target === null ? "" : ` to ${view.target}`}`;
  }
}

function enter(step: Step, view: ServiceView, phase: ServicePhase, found: Found): void {
  if (view.phase !== phase) {
    view.phaseSinceMs = step.nowMs;
    view.phaseSinceWallMs = step.wallMs;
  }
  if (phase !== "fencing") view.fencing = null;
  if (phase === "activating") view.activationDeadlineMs = step.nowMs + view.spec.activationTimeoutMs;
  if (phase === "handing-over" && view.phase !== "handing-over") {
    const move = dueMove(step, view);
    view.moveReason = move?.reason ?? "the holder drains";
    view.target = move?.target ?? null;
    view.lossCause = move?.cause ?? null;
    if (move?.cause !== undefined) spend(step, view, move.cause);
    view.drainDeadlineMs = step.nowMs + view.spec.drainTimeoutMs;
  }
  if (phase === "vacant" && view.phase !== "vacant" && isOpen(view)) beginGap(step, view, found.event);
  view.phase = phase;
}

function perform(step: Step, view: ServiceView, effect: ServiceEffect, found: Found): void {
  const holder = daemonOf(step.state, view.row.holder);
  switch (effect) {
    case "commitHolder":
      return commitHolder(step, view);
    case "commitAdoption":
      return commitAdoption(step, view, String(found.evidence["daemon"]));
    case "raiseCleared":
      if (canRaiseCleared(view)) clear(step, view, "proof");
      return;
    case "clearByOrder":
      return clear(step, view, "order");
    case "clearByTime":
      return clear(step, view, "time");
    case "drain":
      if (holder !== null) sendNow(step, holder);
      return;
    case "awaitSilent":
      view.fencing = "silent";
      return;
    case "unwant":
      view.fencing = "unwanted";
      if (view.order?.kind === "failover") view.target = view.order.to;
      view.order = null;
      if (holder !== null) sendNow(step, holder);
      return;
    case "countLoss":
      if (holder !== null && view.proof?.planned !== true) noteCause(step, view, holder);
      if (holder === null || view.proof?.planned === true || alreadyCounted(view, holder)) return;
      countLoss(step, view, holder);
      if (isShortHold(step, view)) backOff(step, holder);
      else if (view.heldSinceMs !== null) holder.backOffMs = 0;
      return;
    case "backOff":
      if (holder === null || isWithoutFault(view, holder, found)) return;
      noteCause(step, view, holder);
      backOff(step, holder);
      if (!alreadyCounted(view, holder)) countLoss(step, view, holder);
      return;
    case "measureGap":
      endGap(step, view);
      view.lossCause = null;
      view.isToldHeldBack = false;
      view.heldSinceMs = step.nowMs;
      return;
    case "checkNow":
      for (const name of view.spec.candidates) {
        const daemon = step.state.daemons.get(name);
        if (daemon !== undefined && daemon !== holder) sendNow(step, daemon);
      }
      return;
  }
}

/** Everything up to the committed epoch is over: no lease of it binds any more. */
function clear(step: Step, view: ServiceView, by: ClearedBy): void {
  view.knownCleared = view.row.epoch;
  view.clearedBy = by;
  endBound(view);
  view.proof = null;
  view.order = null;
  if (view.row.holder !== null) step.state.holdings.get(view.row.holder)?.delete(view.spec.name);
}

/** Where the store has lost its past, leases of epochs that it doesn't know may be outstanding (I1). */
function endBound(view: ServiceView): void {
  if (!view.isPastLost) view.boundMs = 0;
}

function commitHolder(step: Step, view: ServiceView): void {
  const { chosen } = choose(step.state, view, judgeOptions(step, view));
  const report = chosen?.report;
  if (chosen === null || report === null || report === undefined)
    throw new Error("candidateReady without a candidate");
  if (chosen.spec.name !== view.row.holder && view.target === null) spend(step, view, view.lossCause);
  const epoch = nextEpoch(step, view);
  const restsOnProof = view.knownCleared === epoch - 1;
  const row: ServiceRow = {
    service: view.spec.name,
    holder: chosen.spec.name,
    stateId: report.stateId,
    bootId: report.bootId,
    epoch,
    cleared: view.knownCleared,
    // It falls only with an epoch that rests on proof.
    leaseMaxMs: restsOnProof ? view.spec.leaseMs : Math.max(view.row.leaseMaxMs, view.spec.leaseMs),
    candidates: { version: view.row.candidates.version + 1, list: candidatesNow(step, view) },
    pastSets: restsOnProof ? [] : pastSetsWithPresent(view),
    masters: restsOnProof ? view.spec.masters : mastersWithPresent(view),
    sinceWallMs: step.wallMs,
  };
  changeRow(step, view, row, "main");
  hold(step.state, chosen.spec.name, view.spec.name);
  endMove(step, view);
}

/**
 * An operator's move is done with the commit that names the new holder: one write for both. It is
 * remembered, so that failback doesn't undo it; a move that nobody ordered makes it forgotten.
 */
function endMove(step: Step, view: ServiceView): void {
  const settings = step.settings ?? step.state.settings;
  const service = view.spec.name;
  const { [service]: move, ...moves } = settings.moves;
  if (move === undefined) return;
  if (move.doneAtBoots !== null || isAboutPast(move, view)) {
    step.settings = { ...settings, moves };
    return;
  }
  const doneAtBoots: Record<string, string> = {};
  for (const name of view.spec.masters) {
    const bootId = step.state.daemons.get(name)?.report?.bootId;
    if (bootId !== undefined) doneAtBoots[name] = bootId;
  }
  step.settings = { ...settings, moves: { ...moves, [service]: { ...move, doneAtBoots } } };
}

function commitAdoption(step: Step, view: ServiceView, daemonName: string): void {
  const report = step.state.daemons.get(daemonName)?.report;
  const held = report?.services.find((one) => one.service === view.spec.name);
  if (report === null || report === undefined || held === undefined)
    throw new Error("adoption without a holder");
  const row: ServiceRow = {
    ...view.row,
    holder: daemonName,
    stateId: report.stateId,
    bootId: report.bootId,
    epoch: held.epoch,
    cleared: Math.min(view.knownCleared, held.epoch - 1),
    leaseMaxMs: Math.max(view.row.leaseMaxMs, view.spec.leaseMs),
    ...adoptedSets(step, view, held),
    masters: mastersWithPresent(view),
    sinceWallMs: step.wallMs,
  };
  changeRow(step, view, row, "main");
  hold(step.state, daemonName, view.spec.name);
}

function rememberHolderState(step: Step, view: ServiceView): void {
  const holder = daemonOf(step.state, view.row.holder);
  if (holder === null || holder.report === null || holder.failedChecks > 0) return;
  if (holder.report.bootId !== view.row.bootId) return;
  const held = holder.report.services.find(
    (one) => one.service === view.spec.name && one.epoch === view.row.epoch,
  );
  if (held !== undefined) view.holderState = held.state;
}

/** What is to be committed although nothing moves. */
function settle(step: Step, view: ServiceView): void {
  tellHeldBack(step, view);
  refreshCandidates(step, view);
  if (view.pendingCommit !== null || view.pendingSideCommit !== null || !mayCommit(step.state)) return;
  // Kept where the next leader finds it, too: what tells of it is soon overtaken.
  if (view.isPastLost && view.row.pastLost !== true) {
    changeRow(step, view, { ...view.row, pastLost: true }, "side");
    return;
  }
  if (view.phase === "vacant" && view.knownCleared > view.row.cleared)
    changeRow(step, view, { ...view.row, cleared: view.knownCleared, pastSets: [] }, "main");
  if (view.phase === "fencing" || (view.phase === "vacant" && isOpen(view))) askAfterBound(step, view);
}

/** Promises given late must be seen: everyone is asked once more after the last lease's end. */
function askAfterBound(step: Step, view: ServiceView): void {
  if (step.nowMs < view.boundMs) return;
  for (const name of view.spec.candidates) {
    const daemon = step.state.daemons.get(name);
    if (daemon !== undefined && daemon.lastCheckSentAtMs < view.boundMs) sendNow(step, daemon);
  }
}

/** When time alone may change something for this service; null: only a message can. */
function nextLookAtMs(step: Step, view: ServiceView): number | null {
  const { nowMs } = step;
  const instants: number[] = [];
  if (view.phase === "activating") instants.push(view.activationDeadlineMs);
  if (view.phase === "handing-over") instants.push(view.drainDeadlineMs);
  if (view.phase === "fencing" || view.phase === "vacant") {
    instants.push(view.boundMs);
    for (const name of view.spec.candidates) {
      const daemon = step.state.daemons.get(name);
      if (daemon === undefined) continue;
      instants.push(daemon.backOffUntilMs, daemon.refusesExpiryUntilMs);
      const promise = daemon.promisesUntilMs[view.spec.name];
      if (promise !== undefined) instants.push(promise.untilMs);
    }
  }
  instants.push(heldBackUntilMs(step.state, view, nowMs) ?? 0);
  if (view.phase === "held") {
    instants.push(shorterLeaseAtMs(step.state, view));
    for (const name of view.spec.masters) {
      const master = step.state.daemons.get(name);
      if (master !== undefined && name !== view.row.holder) instants.push(failbackDueAtMs(view, master));
    }
  }
  const next = Math.min(...instants.filter((atMs) => atMs > nowMs && atMs !== Infinity), Infinity);
  return next === Infinity ? null : next;
}
