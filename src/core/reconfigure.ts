/**
 * Applies a configuration as a difference: holders that it doesn't concern notice nothing.
 *
 * What leaves the configuration while it is held stays in the map, and checked, until it is over.
 */
import type { ArbiterState, DaemonView, PendingCommit } from "./arbiter-state.ts";
import { mastersWithPresent } from "./candidates.ts";
import { sendNow } from "./checks.ts";
import type { ClusterModel, DaemonSpec } from "./model.ts";
import { indexCandidates, serviceView, unknownRow } from "./service-view.ts";
import { noteAnswer } from "./self-doubt.ts";
import {
  changeRow,
  configurationIsBusy,
  isLeading,
  isOpen,
  mayCommit,
  setTimer,
  tell,
  type Step,
} from "./step.ts";

type Edit = NonNullable<ArbiterState["waitingModel"]>;

export function daemonView(spec: DaemonSpec): DaemonView {
  return {
    spec,
    removed: false,
    report: null,
    reportedAtMs: 0,
    reportedUrl: null,
    nonce: null,
    nonceReceivedAtMs: 0,
    failedChecks: 0,
    lastFailure: null,
    failures: [],
    inFlightSinceMs: null,
    sendAgain: false,
    nextCheckAtMs: 0,
    lastCheckSentAtMs: -Infinity,
    roundTripMs: null,
    healthySinceMs: null,
    unhealthyReports: 0,
    lossesAtMs: [],
    backOffUntilMs: 0,
    backOffMs: 0,
    promisesUntilMs: {},
    refusesExpiryUntilMs: 0,
    isForeign: false,
    outdatedAnswers: 0,
    obeyedTerm: 0,
  };
}

export function applyModel(step: Step, model: ClusterModel): void {
  step.state.model = model;
  applyDaemons(step, model);
  applyServices(step, model);
  indexCandidates(step.state);
  dropRemoved(step);
}

/** Daemons that came, went or moved. Services are looked at apart. */
export function applyDaemons(step: Step, model: ClusterModel): void {
  const { state } = step;
  const kept = new Set<string>();
  for (const spec of model.daemons) {
    kept.add(spec.name);
    const view = state.daemons.get(spec.name);
    if (view === undefined) {
      const added = daemonView(spec);
      state.daemons.set(spec.name, added);
      if (isLeading(state)) sendNow(step, added);
      continue;
    }
    const hasMoved = view.spec.url !== spec.url;
    view.spec = spec;
    view.removed = false;
    if (hasMoved) {
      step.effects.push({ kind: "forget", daemon: spec.name });
      view.inFlightSinceMs = null;
      sendNow(step, view, true);
    }
  }
  for (const [name, view] of state.daemons) {
    if (kept.has(name)) continue;
    view.removed = true;
    state.hasRemoved = true;
  }
}

function applyServices(step: Step, model: ClusterModel): void {
  const { state } = step;
  const kept = new Set<string>();
  for (const spec of model.services) {
    kept.add(spec.name);
    const view = state.services.get(spec.name);
    if (view === undefined)
      state.services.set(
        spec.name,
        serviceView(step, spec, state.rows.get(spec.name) ?? unknownRow(spec), false),
      );
    else {
      if (spec.leaseMs < view.spec.leaseMs) view.shorterSinceMs = step.nowMs;
      view.spec = spec;
      view.removed = false;
    }
    step.dirty.add(spec.name);
  }
  for (const [name, view] of state.services) {
    if (kept.has(name)) continue;
    view.removed = true;
    state.hasRemoved = true;
    step.dirty.add(name);
  }
}

/** Called after each step that may have ended something: what is over and removed is let go. */
export function dropRemoved(step: Step): void {
  const { state } = step;
  if (!state.hasRemoved) return;
  state.hasRemoved = false;
  for (const [name, view] of state.services) {
    if (!view.removed) continue;
    state.hasRemoved = true;
    if (isOpen(view) || view.pendingCommit !== null || view.knownCleared > view.row.cleared) continue;
    state.services.delete(name);
    setTimer(step, `service:${name}`, null);
    indexCandidates(state);
  }
  for (const [name, view] of state.daemons) {
    if (!view.removed) continue;
    state.hasRemoved = true;
    if ((state.holdings.get(name)?.size ?? 0) > 0) continue;
    state.daemons.delete(name);
    noteAnswer(state, name);
    setTimer(step, `check:${name}`, null);
    step.effects.push({ kind: "forget", daemon: name });
  }
}

/**
 * An edit: committed with a new version before it is applied; put off while the store is away, or still has
 * the one before it: of two edits the newer one is in force in the end.
 */
export function takeConfiguration(step: Step, edit: Edit): void {
  const { state } = step;
  if (isLeading(state) && !mayCommit(state)) {
    state.waitingModel = edit;
    tell(step, {
      type: "config.waiting",
      text: "A valid edit waits for the store; the running configuration stays in force.",
    });
    return;
  }
  if (isLeading(state) && (configurationIsBusy(step) || mastersAreBusy(step, edit.model))) {
    state.waitingModel = edit;
    return;
  }
  state.waitingModel = null;
  state.refusedEdit = null;
  if (!isLeading(state)) {
    state.configuration = edit.configuration;
    applyModel(step, edit.model);
    return;
  }
  const version = { ...edit.configuration, version: state.configuration.version + 1 };
  step.configuration = { model: edit.model, version, plan: edit.plan };
  keepMasters(step, edit.model);
  tell(step, {
    type: "config.applied",
    text: `Configuration version ${version.version} is in force: ${edit.plan.length === 0 ? "nothing moves" : edit.plan.join("; ")}.`,
    evidence: { version: version.version, hash: version.hash, by: version.by },
  });
}

/** It isn't known to be in force: it is taken once that can be known, unless a newer one came. */
export function keepEdit(state: ArbiterState, { configuration }: PendingCommit): void {
  if (configuration === null || state.waitingModel !== null) return;
  const { model, version, plan } = configuration;
  state.waitingModel = { model, configuration: version, plan };
}

/**
 * I1: whose work a service is stands in its row before the files say something else, in the same commit. A
 * leader that comes new to it would not know a renamed service for the same work.
 */
export function keepMasters(step: Step, model: ClusterModel): void {
  const masters = mastersBy(model);
  for (const [name, view] of step.state.services) {
    if (!isOpen(view) || view.row.epoch === 0) continue;
    if (view.pendingCommit !== null || view.pendingSideCommit !== null) continue;
    const known = view.row.masters ?? [];
    const all = new Set([...mastersWithPresent(view), ...(masters.get(name) ?? [])]);
    if (all.size > known.length) changeRow(step, view, { ...view.row, masters: [...all] }, "side");
  }
}

/** A row is being written whose masters would have to change with the files. Only those are looked at. */
export function mastersAreBusy({ state, changes }: Step, model: ClusterModel): boolean {
  const written = new Set(changes.map(({ row }) => row.service));
  for (const { services } of state.commits.values()) for (const name of services) written.add(name);
  if (written.size === 0) return false;
  return model.services.some(({ name, masters }) => {
    const known = written.has(name) ? state.services.get(name)?.spec.masters : undefined;
    return known !== undefined && masters.some((master) => !known.includes(master));
  });
}

function mastersBy(model: ClusterModel): Map<string, readonly string[]> {
  return new Map(model.services.map(({ name, masters }) => [name, masters]));
}

/** I6: the running configuration stays in force, and everybody can see why. */
export function refuseConfiguration(step: Step, errors: readonly string[]): void {
  step.state.refusedEdit = { atWallMs: step.wallMs, errors };
  tell(step, {
    type: "config.refused",
    text: `An edit of the configuration was refused; the running one stays in force. ${errors[0] ?? ""}${errors.length > 1 ? ` (and ${errors.length - 1} more)` : ""}`,
    evidence: { errors: errors.slice(0, 20) },
  });
  step.effects.push({ kind: "changed", mapVersion: step.state.mapVersion });
}
