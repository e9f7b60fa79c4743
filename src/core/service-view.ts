/**
 * A service's view at its birth: when the lead is taken, or when the configuration brings it.
 */
import type { ArbiterState, ServiceView } from "./arbiter-state.ts";
import { leaseBoundMs } from "./checks.ts";
import type { ServiceRow, ServiceSpec } from "./model.ts";
import { NOT_MEASURED } from "./move-measure.ts";
import type { Step } from "./step.ts";

/** Nothing is known of its past: not even epoch 0 is over, unless every candidate says so. */
export function unknownRow(spec: ServiceSpec): ServiceRow {
  return {
    service: spec.name,
    holder: null,
    stateId: null,
    bootId: null,
    epoch: 0,
    cleared: -1,
    leaseMaxMs: spec.leaseMs,
    candidates: { version: 0, list: [] },
    pastSets: [],
    sinceWallMs: 0,
  };
}

/**
 * The last leader may have granted a lease just before its end: the bound is a whole `leaseMax`
 * from now, whatever this arbiter's own files say (I1).
 */
export function serviceView(step: Step, spec: ServiceSpec, row: ServiceRow, removed: boolean): ServiceView {
  const isOpen = row.epoch > row.cleared && row.holder !== null;
  return {
    spec,
    removed,
    phase: isOpen ? "suspect" : "vacant",
    row,
    committedAtMs: step.nowMs,
    phaseSinceMs: step.nowMs,
    phaseSinceWallMs: row.holder === null ? step.wallMs : row.sinceWallMs,
    boundMs: leaseBoundMs(step.state, step.nowMs, Math.max(row.leaseMaxMs, spec.leaseMs)),
    isPastLost:
      row.pastLost === true || step.state.hasLostPast || (row.epoch === 0 && step.state.hasEverLostPast),
    shorterSinceMs: step.nowMs,
    knownCleared: row.cleared,
    proof: null,
    holderState: null,
    order: null,
    shownActive: false,
    acknowledgedSet: 0,
    fencing: null,
    target: null,
    moveReason: null,
    drainDeadlineMs: 0,
    activationDeadlineMs: 0,
    lookAtMs: null,
    pendingCommit: null,
    pendingSideCommit: null,
    history: [],
    heldSinceMs: null,
    lostAtMs: null,
    lostIs: "measured",
    clearedBy: null,
    lastMove: NOT_MEASURED,
    lossCause: null,
    isToldHeldBack: false,
  };
}

/** Derived indexes, made anew when the model, the rows or the holders change. */
export function indexHoldings(state: ArbiterState): void {
  state.holdings.clear();
  for (const [name, view] of state.services) {
    if (view.row.holder === null || view.row.epoch <= view.knownCleared) continue;
    hold(state, view.row.holder, name);
  }
}

export function hold(state: ArbiterState, daemon: string, service: string): void {
  const held = state.holdings.get(daemon);
  if (held === undefined) state.holdings.set(daemon, new Set([service]));
  else held.add(service);
}

export function indexCandidates(state: ArbiterState): void {
  const index = new Map<string, string[]>();
  for (const [name, view] of state.services) {
    for (const candidate of view.spec.candidates) {
      const list = index.get(candidate);
      if (list === undefined) index.set(candidate, [name]);
      else list.push(name);
    }
  }
  state.candidateOf = index;
}
