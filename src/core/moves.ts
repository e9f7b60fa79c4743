/**
 * Planned moves: when a service that is well held should go to another daemon, and why.
 *
 * In order of weight: what left the configuration, maintenance and a leaving daemon, an operator's
 * order, an unhealthy holder, failback. A pause stops what moves by itself; an operator's order
 * goes through.
 */
import type { DaemonView, ServiceView } from "./arbiter-state.ts";
import { mayFailBack } from "./failback-window.ts";
import { isSpent, type LossCause } from "./failover-budget.ts";
import type { Settings, WantedMove } from "./model.ts";
import { isReady, judge } from "./placement.ts";
import { daemonOf, isOpen, isPaused, mayCommit, type Step } from "./step.ts";

export interface Move {
  readonly reason: string;
  /** null: whoever ranks first. */
  readonly target: string | null;
  /** Nobody wanted it: it asks `failover_budget`. */
  readonly cause?: LossCause;
}

export function dueMove(step: Step, view: ServiceView): Move | null {
  const holder = daemonOf(step.state, view.row.holder);
  // Without the store nobody could be given the next epoch: don't take it away.
  if (holder === null || !mayCommit(step.state)) return null;
  if (view.removed) return { reason: "the service left the configuration", target: null };
  if (!view.spec.candidates.includes(holder.spec.name))
    return { reason: `${holder.spec.name} is no candidate any more`, target: null };
  if (step.state.settings.maintenance[holder.spec.name] !== undefined)
    return { reason: `${holder.spec.name} is in maintenance`, target: null };
  const ordered = step.state.settings.moves[view.spec.name];
  if (ordered !== undefined && ordered.doneAtBoots === null && ordered.verb !== "failover")
    return orderedMove(step, view, holder, ordered);
  if (holder.report?.state === "leaving") return { reason: `${holder.spec.name} is leaving`, target: null };
  if (isPaused(step.state, view)) return null;
  return unhealthyMove(step, view, holder) ?? failbackMove(step, view, holder);
}

/**
 * A failover that was ordered, and that is still to be carried out: the epoch that it is about is the
 * present one, and not over. What was ordered about an earlier one is done, whoever ended it (I4).
 */
export function dueFailover(settings: Settings, view: ServiceView): WantedMove | null {
  const move = settings.moves[view.spec.name];
  if (move === undefined || move.verb !== "failover" || move.doneAtBoots !== null) return null;
  return isAboutPast(move, view) || !isOpen(view) ? null : move;
}

export function isAboutPast({ epoch }: WantedMove, { row }: ServiceView): boolean {
  return epoch !== undefined && epoch < row.epoch;
}

/** It waits until somebody could take the service: an order is no reason for a vacancy. */
function orderedMove(step: Step, view: ServiceView, holder: DaemonView, ordered: WantedMove): Move | null {
  const isPossible = others(step, view, holder).some(
    (daemon) => (ordered.to === null || ordered.to === daemon.spec.name) && isFit(step, view, daemon),
  );
  return isPossible ? { reason: `${ordered.verb} ordered by ${ordered.by}`, target: ordered.to } : null;
}

function unhealthyMove(step: Step, view: ServiceView, holder: DaemonView): Move | null {
  if (holder.unhealthyReports < holder.spec.maxCheckAttempts) return null;
  const target = others(step, view, holder).find((daemon) => isReady(daemon) && isFit(step, view, daemon));
  if (target === undefined) return null;
  const cause = { address: holder.spec.address, atMs: step.nowMs };
  if (isSpent(step.state, cause, step.nowMs)) return null;
  return { reason: `${holder.spec.name} says that it is unhealthy`, target: target.spec.name, cause };
}

function failbackMove(step: Step, view: ServiceView, holder: DaemonView): Move | null {
  if (view.spec.failback !== "auto" || !mayFailBack(step.state, view, step.nowMs)) return null;
  const master = failbackTarget(step, view, holder);
  if (master === null || failbackDueAtMs(view, master) > step.nowMs) return null;
  // An operator put it where it is, and this master has not been away since.
  const done = step.state.settings.moves[view.spec.name]?.doneAtBoots?.[master.spec.name];
  if (done !== undefined && done === master.report?.bootId) return null;
  return {
    reason: `${master.spec.name} is back and has been well for its failback_delay`,
    target: master.spec.name,
  };
}

/** The best master of the service that is fit to have it back; null: none, or the holder is as good. */
export function failbackTarget(step: Step, view: ServiceView, holder: DaemonView): DaemonView | null {
  const holderIsMaster = view.spec.masters.includes(holder.spec.name);
  for (const name of view.spec.masters) {
    const master = step.state.daemons.get(name);
    if (master === undefined || master === holder || !isReady(master) || !isFit(step, view, master)) continue;
    if (holderIsMaster && master.spec.priority <= holder.spec.priority) continue;
    return master;
  }
  return null;
}

/** Why none of them is that, for whoever asked for it. */
export function mastersNow(step: Step, view: ServiceView): string {
  return view.spec.masters
    .map((name) => {
      const master = step.state.daemons.get(name);
      if (master === undefined) return `${name} (it is not in the configuration)`;
      const { because } = judge(step.state, view, master, {
        onProof: true,
        nowMs: step.nowMs,
        askedAfterMs: 0,
      });
      return because === "" && !isReady(master)
        ? `${name} (it is not ready: ${master.report?.reason ?? ""})`
        : `${name} (${because})`;
    })
    .join(", ");
}

/** Every unplanned loss within `failure_timeout` after the first doubles the delay, up to its maximum. */
export function failbackDueAtMs(view: ServiceView, master: DaemonView): number {
  if (master.healthySinceMs === null) return Infinity;
  const lastLossAtMs = master.lossesAtMs.at(-1) ?? -Infinity;
  const doublings = Math.max(0, master.lossesAtMs.length - 1);
  const longestMs = Math.max(view.spec.failbackDelayMs, view.spec.failbackDelayMaxMs);
  // A program that crashed under its launcher never left; its good health starts anew all the same.
  // And the present holder keeps it for as long, or a late failover would be two moves in a row.
  const goodSinceMs = Math.max(master.healthySinceMs, lastLossAtMs, view.committedAtMs);
  const dampedMs = goodSinceMs + Math.min(view.spec.failbackDelayMs * 2 ** doublings, longestMs);
  // A quiet `failure_timeout` resets it, also where `failback_delay_max` is longer.
  const quietMs = Math.max(
    lastLossAtMs + view.spec.failureTimeoutMs,
    goodSinceMs + view.spec.failbackDelayMs,
  );
  return Math.min(dampedMs, quietMs);
}

function others(step: Step, view: ServiceView, holder: DaemonView): DaemonView[] {
  return view.spec.candidates
    .map((name) => step.state.daemons.get(name))
    .filter((daemon): daemon is DaemonView => daemon !== undefined && daemon !== holder);
}

/** A planned move gives proof: the candidate only has to be well and free. */
export function isFit(step: Step, view: ServiceView, daemon: DaemonView): boolean {
  const options = { onProof: true, nowMs: step.nowMs, askedAfterMs: 0 };
  return judge(step.state, view, daemon, options).because === "";
}
