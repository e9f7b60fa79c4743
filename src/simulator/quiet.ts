/**
 * Whether nothing but checks, renewals and beats is going on: each service held by an active daemon,
 * each daemon well and answering, nothing broken, nothing under way.
 *
 * Then each check leaves both cores as it found them, but for instants and counters; see
 * `fast-forward.ts`, which rests on every line of this. When in doubt, it isn't quiet.
 */
import type { ArbiterState, DaemonView, ServiceView } from "../core/arbiter-state.ts";
import type { DaemonState } from "../core/daemon.ts";
import type { HeldService } from "../core/daemon-state.ts";
import type { ArbiterHost } from "./arbiter-host.ts";
import type { DaemonHost } from "./daemon-host.ts";
import type { Process } from "./machine.ts";
import type { Simulation } from "./simulation.ts";

/** A daemon and what its arbiter thinks of it, in perfect agreement. */
export interface QuietDaemon {
  readonly host: DaemonHost;
  readonly process: Process;
  readonly state: DaemonState;
  readonly view: DaemonView;
  readonly held: readonly { readonly held: HeldService; readonly view: ServiceView }[];
}

export interface Quiet {
  readonly host: ArbiterHost;
  readonly process: Process;
  readonly state: ArbiterState;
  readonly daemons: readonly QuietDaemon[];
}

/** Null: it isn't quiet. */
export function quietOf(simulation: Simulation): Quiet | null {
  const { network, store, arbiters, daemons } = simulation;
  // A standby's look at the record falls where it falls between two beats: not for now.
  const [host] = arbiters;
  if (arbiters.length !== 1 || host === undefined || !network.isQuiet || !store.isQuiet) return null;
  const { process, state } = host;
  if (process === null || process.isPaused || state === null || !isArbiterQuiet(simulation, state))
    return null;
  if (host.crashAfterEffects !== null) return null;
  for (const view of state.services.values()) if (!isServiceQuiet(view)) return null;
  const quiet: QuietDaemon[] = [];
  for (const daemon of daemons) {
    // One that no file names is asked nothing.
    if (!state.daemons.has(daemon.name)) continue;
    const one = quietDaemon(state, daemon);
    if (one === null) return null;
    quiet.push(one);
  }
  return quiet.length === state.daemons.size ? { host, process, state, daemons: quiet } : null;
}

function isArbiterQuiet(simulation: Simulation, state: ArbiterState): boolean {
  const { leadership } = state;
  return (
    leadership.mode === "leading" &&
    !leadership.calling &&
    !leadership.needsNewTerm &&
    leadership.storeDownSinceMs === null &&
    leadership.unconfirmed.length === 0 &&
    leadership.transfer === null &&
    leadership.record === simulation.store.record &&
    state.waitingModel === null &&
    state.commits.size === 0 &&
    !state.hasRemoved &&
    state.model === simulation.model
  );
}

function isServiceQuiet(view: ServiceView): boolean {
  return (
    view.phase === "held" &&
    view.holderState === "active" &&
    view.pendingCommit === null &&
    view.pendingSideCommit === null &&
    view.proof === null &&
    view.order === null &&
    view.acknowledgedSet === view.row.candidates.version
  );
}

function quietDaemon(arbiter: ArbiterState, host: DaemonHost): QuietDaemon | null {
  const { process, state } = host;
  const view = arbiter.daemons.get(host.name);
  if (process === null || process.isPaused || state === null || view === undefined) return null;
  if (host.crashAfterEffects !== null || host.url !== view.spec.url) return null;
  if (!isDaemonQuiet(state, process.nowMs()) || !isViewQuiet(arbiter, view, state)) return null;
  if (state.term !== arbiter.term || state.clusterId !== arbiter.clusterId) return null;
  const held: { held: HeldService; view: ServiceView }[] = [];
  for (const one of state.held.values()) {
    const service = arbiter.services.get(one.service);
    if (service === undefined || !isHoldQuiet(one, service, host)) return null;
    held.push({ held: one, view: service });
  }
  const holdings = arbiter.holdings.get(host.name)?.size ?? 0;
  return held.length === holdings ? { host, process, state, view, held } : null;
}

function isDaemonQuiet(state: DaemonState, nowMs: number): boolean {
  for (const promise of state.promises.values()) if (promise.untilMs > nowMs) return false;
  return (
    state.health.healthy &&
    state.health.ready &&
    state.unsynced.size === 0 &&
    state.endless.size === 0 &&
    state.refusals.length === 0 &&
    state.failure === null &&
    state.leaving === null &&
    state.refusesExpiryUntilMs <= nowMs
  );
}

function isViewQuiet(arbiter: ArbiterState, view: DaemonView, state: DaemonState): boolean {
  const { report } = view;
  return (
    report !== null &&
    report.bootId === state.options.bootId &&
    report.seq === state.reportSeq &&
    report.healthy &&
    report.refusesExpiryForMs === 0 &&
    report.promises.length === 0 &&
    report.nonce === view.nonce &&
    view.failedChecks === 0 &&
    view.inFlightSinceMs === null &&
    !view.sendAgain &&
    !view.removed &&
    arbiter.seq >= state.assignmentSeq
  );
}

function isHoldQuiet(held: HeldService, view: ServiceView, host: DaemonHost): boolean {
  return (
    held.phase === "active" &&
    held.wanted &&
    !held.fenced &&
    held.round === null &&
    held.away.size === 0 &&
    held.leaseEndMs === held.grantedEndMs &&
    held.epoch === view.row.epoch &&
    view.row.holder === host.name &&
    held.candidates === view.row.candidates &&
    held.agreedVersion === held.candidates.version &&
    held.leaseMs === Math.min(view.spec.leaseMs, view.row.leaseMaxMs) &&
    held.config === view.spec.config &&
    host.workOf(held.service)?.work.epoch === held.epoch
  );
}
