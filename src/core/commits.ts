/**
 * What follows from the store's answers: rows that are committed are in force, and only then is
 * anything assigned (I2).
 */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { PendingCommit, ServiceView } from "./arbiter-state.ts";
import { sendNow, touch } from "./checks.ts";
import { applySettings } from "./commands.ts";
import { storeIsDown, transfer } from "./leadership.ts";
import type { ServiceRow } from "./model.ts";
import { applyModel, keepEdit } from "./reconfigure.ts";
import { take } from "./service.ts";
import { cell } from "./service-table.ts";
import { hold, indexHoldings } from "./service-view.ts";
import { daemonOf, setTimer, type Step } from "./step.ts";

type Committed = Extract<ArbiterEvent, { kind: "committed" }>;
type CommitFailed = Extract<ArbiterEvent, { kind: "commitFailed" }>;

/** A commit that the store certainly refused is tried again after this. */
const RETRY_MS = 250;

export function committed(step: Step, event: Committed): void {
  const { state } = step;
  const pending = state.commits.get(event.commitId);
  if (pending === undefined) return;
  state.commits.delete(event.commitId);
  state.mapVersion = Math.max(state.mapVersion, event.revision);
  for (const row of Object.values(pending.rows)) {
    state.rows.set(row.service, row);
    const view = state.services.get(row.service);
    if (view !== undefined) rowCommitted(step, view, row, event.commitId);
  }
  if (pending.settings !== null) applySettings(step, pending.settings);
  if (pending.members !== null) applyModel(step, pending.members);
  if (pending.configuration !== null) {
    state.configuration = pending.configuration.version;
    applyModel(step, pending.configuration.model);
  }
  for (const { id, text, eventIndex } of pending.commands) {
    const eventSeq = event.events[eventIndex]?.seq ?? null;
    step.effects.push({ kind: "answer", id, answer: { status: 202, text, eventSeq } });
  }
  step.effects.push({ kind: "changed", mapVersion: state.mapVersion });
  if (pending.transfer !== null) transfer(step, pending.transfer.to);
}

function rowCommitted(step: Step, view: ServiceView, row: ServiceRow, commitId: number): void {
  const isNewEpoch = row.epoch !== view.row.epoch;
  const before = view.row.holder;
  view.row = row;
  if (view.pendingCommit === commitId) view.pendingCommit = null;
  if (view.pendingSideCommit === commitId) view.pendingSideCommit = null;
  step.dirty.add(row.service);
  // Its successor waits for that.
  if (view.removed) for (const name of step.state.services.keys()) step.dirty.add(name);
  const holder = daemonOf(step.state, row.holder);
  if (!isNewEpoch) {
    // New candidates go out with the next renewal.
    return;
  }
  view.committedAtMs = step.nowMs;
  view.isPastLost = false;
  view.shownActive = false;
  view.holderState = null;
  view.heldSinceMs = null;
  view.acknowledgedSet = 0;
  view.proof = null;
  // It was about whoever had it before (I1).
  view.order = null;
  view.activationDeadlineMs = step.nowMs + view.spec.activationTimeoutMs;
  if (row.cleared === row.epoch - 1) view.boundMs = 0;
  if (before !== null && before !== row.holder) step.state.holdings.get(before)?.delete(row.service);
  if (row.holder !== null) hold(step.state, row.holder, row.service);
  if (holder !== null) sendNow(step, holder);
}

export function commitFailed(step: Step, event: CommitFailed): void {
  const { state } = step;
  const pending = state.commits.get(event.commitId);
  if (pending === undefined) return;
  const text = `Nothing was changed: ${event.detail}`;
  for (const { id } of pending.commands)
    step.effects.push({ kind: "answer", id, answer: { status: 503, text, eventSeq: null } });
  keepEdit(state, pending);
  if (event.outcome === "unknown") {
    // A late write of this term must be refused before anything else is decided: a new term. What
    // the commit concerned stays as it is until then.
    state.leadership.needsNewTerm = true;
    storeIsDown(step, event.detail);
    setTimer(step, "leadership", step.nowMs);
    return;
  }
  state.commits.delete(event.commitId);
  // Fenced: either another leads, or a row is not as it is believed to be. A new term tells which,
  // and loads the rows anew.
  if (event.outcome === "fenced") state.leadership.needsNewTerm = true;
  else storeIsDown(step, event.detail);
  undo(step, pending, event.detail);
  setTimer(step, "leadership", step.nowMs + (event.outcome === "fenced" ? 0 : RETRY_MS));
}

/** As if it had not been tried: certainly nothing of it is in the store. */
function undo(step: Step, pending: PendingCommit, detail: string): void {
  for (const name of pending.services) {
    const view = step.state.services.get(name);
    if (view === undefined) continue;
    const wasMain = view.pendingCommit === pending.commitId;
    if (wasMain) view.pendingCommit = null;
    if (view.pendingSideCommit === pending.commitId) view.pendingSideCommit = null;
    if (!wasMain || view.phase !== "activating") continue;
    const transition = cell(view.phase, "commitRefused");
    if (typeof transition === "object")
      take(step, view, transition, { event: "commitRefused", evidence: { detail } });
  }
  indexHoldings(step.state);
  for (const name of step.state.daemons.keys()) touch(step, name);
}
