/**
 * One step of the arbiter's core: what happens in it is gathered here and leaves as a list of
 * effects in a fixed order.
 *
 * Changes of rows and the events that tell of them leave in one commit, so that the log never says
 * what the store doesn't hold. Whatever follows from a commit (an assignment) waits for the
 * `committed` event (I2).
 */
import type { ArbiterEffect, ConfigurationVersion, JournalEntry } from "./arbiter-io.ts";
import type { ArbiterState, DaemonView, ServiceView, WaitingCommand } from "./arbiter-state.ts";
import type { ClusterModel, EventDraft, ServiceRow, Settings } from "./model.ts";

export interface RowChange {
  readonly view: ServiceView;
  readonly row: ServiceRow;
  /** main: holder, epoch or cleared; side: candidates or `leaseMax` alone. */
  readonly kind: "main" | "side";
}

export interface Step {
  readonly state: ArbiterState;
  readonly nowMs: number;
  readonly wallMs: number;
  readonly effects: ArbiterEffect[];
  /** Services to look at before the step ends. */
  readonly dirty: Set<string>;
  readonly events: EventDraft[];
  readonly changes: RowChange[];
  settings: Settings | null;
  configuration: {
    readonly model: ClusterModel;
    readonly version: ConfigurationVersion;
    readonly plan: readonly string[];
  } | null;
  /** Daemons joined or left: in force once the settings are committed. */
  members: ClusterModel | null;
  readonly commands: WaitingCommand[];
  transfer: { readonly to: string | null } | null;
}

/** Has a row committed with this step; until the answer the service is neither renewed nor set back. */
export function changeRow(step: Step, view: ServiceView, row: ServiceRow, kind: RowChange["kind"]): void {
  if (kind === "main") view.pendingCommit = step.state.nextCommitId;
  else view.pendingSideCommit = step.state.nextCommitId;
  step.changes.push({ view, row, kind });
}

export function beginStep(state: ArbiterState, nowMs: number, wallMs: number): Step {
  return {
    state,
    nowMs,
    wallMs,
    effects: [],
    dirty: new Set(),
    events: [],
    changes: [],
    settings: null,
    configuration: null,
    members: null,
    commands: [],
    transfer: null,
  };
}

/** Leads, and has loaded what the store holds: may assign. */
export function isLeading(state: ArbiterState): boolean {
  return state.leadership.mode === "leading";
}

/** May change the store: leads, and the store answered last time. */
export function mayCommit(state: ArbiterState): boolean {
  const { mode, storeDownSinceMs, needsNewTerm } = state.leadership;
  return mode === "leading" && storeDownSinceMs === null && !needsNewTerm;
}

/**
 * A commit of settings is under way. They are written whole, so the next one has to know what became of
 * it: made before, it would undo what an operator was told is done (I5).
 */
export function settingsAreBusy({ commits }: ArbiterState): boolean {
  for (const { settings } of commits.values()) if (settings !== null) return true;
  return false;
}

/** An edit is being written, alone or with the daemons that have joined: what it says counts once it is known. */
export function configurationIsBusy({ state, configuration, members }: Step): boolean {
  if (configuration !== null || members !== null) return true;
  for (const commit of state.commits.values())
    if (commit.configuration !== null || commit.members !== null) return true;
  return false;
}

export function tell(step: Step, draft: Omit<EventDraft, "atWallMs" | "term">): void {
  step.events.push({ ...draft, atWallMs: step.wallMs, term: step.state.term });
}

export function journal(step: Step, entry: Omit<JournalEntry, "atMs" | "atWallMs" | "term">): void {
  step.effects.push({
    kind: "journal",
    entry: { ...entry, atMs: step.nowMs, atWallMs: step.wallMs, term: step.state.term },
  });
}

export function setTimer(step: Step, key: string, atMs: number | null): void {
  step.effects.push({ kind: "timer", key, atMs });
}

/** Turns what the step gathered into one commit, or into events alone. */
export function flush(step: Step): void {
  const { state } = step;
  const hasChange =
    step.changes.length > 0 ||
    step.settings !== null ||
    step.configuration !== null ||
    step.transfer !== null ||
    step.commands.length > 0;
  if (hasChange) {
    emitCommit(step);
  } else if (step.events.length > 0) {
    if (isLeading(state)) {
      step.effects.push({ kind: "record", term: state.term, events: [...step.events] });
    } else {
      // Kept until this arbiter leads; bounded, oldest first out.
      state.notes.push(...step.events);
      state.notes.splice(0, Math.max(0, state.notes.length - 1000));
    }
  }
}

function emitCommit(step: Step): void {
  const { state } = step;
  const commitId = state.nextCommitId;
  state.nextCommitId += 1;
  const rows: Record<string, ServiceRow> = {};
  for (const { row } of step.changes) rows[row.service] = row;
  state.commits.set(commitId, {
    commitId,
    sentAtMs: step.nowMs,
    services: step.changes.map(({ row }) => row.service),
    rows,
    settings: step.settings,
    configuration: step.configuration,
    members: step.members,
    commands: [...step.commands],
    transfer: step.transfer,
  });
  step.effects.push({
    kind: "commit",
    commit: {
      commitId,
      term: state.term,
      changes: step.changes.map(({ view, row }) => ({ row, expectedEpoch: view.row.epoch })),
      settings: step.settings,
      configuration: step.configuration?.version ?? null,
      events: [...step.events],
      revisionAbove: Math.max(state.mapVersion, state.mapSeenVersion),
    },
  });
}

/** Daemon views in the model's order. */
export function daemonOf(state: ArbiterState, name: string | null): DaemonView | null {
  return name === null ? null : (state.daemons.get(name) ?? null);
}

/** Whether the epoch of the row may still be held by someone. */
export function isOpen(view: ServiceView): boolean {
  return view.row.epoch > view.knownCleared;
}

/** Nothing of it moves by itself. */
export function isPaused(state: ArbiterState, view: ServiceView): boolean {
  const { pauses } = state.settings;
  return pauses["*"] !== undefined || pauses[view.spec.name] !== undefined;
}
