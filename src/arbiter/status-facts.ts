/**
 * Facts that both the status and its list of problems are made of: who is paused, and through whom
 * a holder that no arbiter reaches is still seen.
 */
import type { ArbiterState, ServiceView } from "../core/arbiter-state.ts";
import type { Drift } from "./sync/drift.ts";
import type { Pause } from "../core/model.ts";
import type { UndeliveredAlerts } from "./alerts/alerts.ts";

/** What the process knows beside the core's state. */
export interface Surroundings {
  readonly nowMs: number;
  readonly wallMs: number;
  /** Events that wait for the store. */
  readonly undelivered: number;
  /** By service: how old its last good drill may be. (Default: none is to be drilled) */
  readonly drillMaxAgesMs?: Readonly<Record<string, number>>;
  /** By daemon: a hash of what its process reads from its own file, as the arbiter's has it. (Default: none is known) */
  readonly ownConfigs?: Readonly<Record<string, string>>;
  /** Other arbiters that don't answer this one. (Default: none) */
  readonly silent?: readonly string[];
  /** Arbiters whose files aren't those in force. */
  readonly drift: readonly Pick<Drift, "arbiter" | "text">[];
  /** Alerts that were tried in vain so far. (Default: none) */
  readonly alerts?: readonly UndeliveredAlerts[];
}

export interface PauseStatus {
  readonly by: string;
  readonly reason: string;
  readonly until: string | null;
  /** The pause covers everything, not this service alone. */
  readonly all: boolean;
}

/**
 * Who promised the holder, at its present epoch, not to become active, and was asked for it just now. A
 * promise without end, left behind by a candidate that was stopped, says nothing of the holder.
 */
export function seenThrough(state: ArbiterState, view: ServiceView, nowMs: number): readonly string[] {
  if (view.phase !== "suspect" && view.phase !== "fencing") return [];
  const names: string[] = [];
  for (const [name, { promisesUntilMs }] of state.daemons) {
    if (!Object.hasOwn(promisesUntilMs, view.row.service)) continue;
    const promise = promisesUntilMs[view.row.service];
    if (promise?.epoch !== view.row.epoch || promise.untilMs === Infinity) continue;
    if (promise.untilMs > nowMs) names.push(name);
  }
  return names;
}

export function pauseOf(state: ArbiterState, service: string, wallMs: number): PauseStatus | null {
  const { pauses } = state.settings;
  const own = live(Object.hasOwn(pauses, service) ? pauses[service] : undefined, wallMs);
  const pause = own ?? live(pauses["*"], wallMs);
  if (pause === null) return null;
  return {
    by: pause.by,
    reason: pause.reason,
    until: pause.untilWallMs === null ? null : iso(pause.untilWallMs),
    all: own === null,
  };
}

function live(pause: Pause | undefined, wallMs: number): Pause | null {
  if (pause === undefined) return null;
  return pause.untilWallMs === null || pause.untilWallMs > wallMs ? pause : null;
}

export function iso(wallMs: number): string {
  return new Date(Math.round(wallMs)).toISOString();
}
