/**
 * One service on one daemon, as that daemon sees it: phase × event → what happens, and why.
 *
 * The guards (`daemon-assignment.ts`, `daemon.ts`) turn an assignment, a hook's result or the passing
 * of time into one of these events first; the table only says what follows. `because` is what is
 * logged. The compiler rejects a missing cell. "ignore" changes nothing; "impossible" is a cell that
 * the guards never reach: it ends the process, the lease runs out, and that is safe.
 *
 * Row numbers are stable and have gaps, so that a bug report can say "row 331".
 */

/** `idle`: the daemon doesn't hold the service. The others stand in its report. */
export const HOLD_PHASES = ["idle", "activating", "active", "draining"] as const;
export type HoldPhase = (typeof HOLD_PHASES)[number];

export const HOLD_EVENTS = [
  /** An assignment gives a new epoch, and no guard refuses it. */
  "granted",
  /** An assignment lists the epoch held. */
  "renewed",
  /** The same, with `drain`. */
  "drainAsked",
  /** An assignment doesn't list the service. */
  "unwanted",
  /** An assignment says that the epoch held is over (`cleared`). */
  "epochOver",
  /** An assignment names another epoch or boot for it. */
  "superseded",
  /** SIGTERM and the like. */
  "stopAsked",
  "activated",
  "activationFailed",
  /** A restart in place has begun. */
  "restarting",
  /** The program ended by itself, and nothing of it is left. */
  "exited",
  /** `demote` has finished. */
  "demoted",
  /** `drain_margin` before the lease's end. */
  "leaseShort",
  /** `kill_grace` before the lease's end, or the deadline of `demote` has passed. */
  "fenceDue",
] as const;
export type HoldEvent = (typeof HOLD_EVENTS)[number];

/**
 * - `activate`: the lease's end is set, then the service is started.
 * - `drain`: stopped with `drain_timeout`, while the lease goes on being renewed.
 * - `demote`: stopped by the lease's end.
 * - `fence`: ended at once.
 * - `failed`: the daemon's state is `failed` until an assignment no longer lists the epoch.
 */
export type HoldAct = "activate" | "drain" | "demote" | "fence" | "failed";

export interface HoldRow {
  readonly id: number;
  readonly to: HoldPhase;
  readonly because: string;
  readonly acts: readonly HoldAct[];
}
export type HoldCell = HoldRow | "ignore" | "impossible";
export type HoldTable = Readonly<Record<HoldPhase, Readonly<Record<HoldEvent, HoldCell>>>>;

const table = {
  idle: {
    granted: { id: 301, to: "activating", because: "an arbiter gave it the service", acts: ["activate"] },
    renewed: "impossible",
    drainAsked: "impossible",
    unwanted: "impossible",
    epochOver: "impossible",
    superseded: "impossible",
    stopAsked: "impossible",
    activated: "impossible",
    activationFailed: "impossible",
    restarting: "impossible",
    exited: "impossible",
    demoted: "impossible",
    leaseShort: "impossible",
    fenceDue: "impossible",
  },
  activating: {
    granted: "impossible",
    renewed: "ignore",
    drainAsked: { id: 311, to: "draining", because: "the arbiter moves the service", acts: ["drain"] },
    unwanted: { id: 312, to: "draining", because: "the arbiter no longer wants it here", acts: ["demote"] },
    epochOver: { id: 313, to: "draining", because: "its epoch is over", acts: ["demote"] },
    superseded: { id: 314, to: "draining", because: "a newer epoch was committed", acts: ["demote"] },
    stopAsked: { id: 315, to: "draining", because: "it was asked to stop", acts: ["drain"] },
    activated: { id: 316, to: "active", because: "the service runs", acts: [] },
    activationFailed: { id: 317, to: "idle", because: "its activation failed", acts: ["failed"] },
    restarting: "ignore",
    exited: { id: 318, to: "idle", because: "the program ended", acts: ["failed"] },
    demoted: "impossible",
    leaseShort: { id: 319, to: "draining", because: "its lease nears the end", acts: ["demote"] },
    fenceDue: { id: 320, to: "draining", because: "its lease has run out", acts: ["fence"] },
  },
  active: {
    granted: "impossible",
    renewed: "ignore",
    drainAsked: { id: 331, to: "draining", because: "the arbiter moves the service", acts: ["drain"] },
    unwanted: { id: 332, to: "draining", because: "the arbiter no longer wants it here", acts: ["demote"] },
    epochOver: { id: 333, to: "draining", because: "its epoch is over", acts: ["demote"] },
    superseded: { id: 334, to: "draining", because: "a newer epoch was committed", acts: ["demote"] },
    stopAsked: { id: 335, to: "draining", because: "it was asked to stop", acts: ["drain"] },
    activated: "ignore",
    activationFailed: { id: 336, to: "idle", because: "its restart in place failed", acts: ["failed"] },
    restarting: { id: 337, to: "activating", because: "it is restarted in place", acts: [] },
    exited: { id: 338, to: "idle", because: "the program ended", acts: ["failed"] },
    demoted: "impossible",
    leaseShort: { id: 339, to: "draining", because: "its lease nears the end", acts: ["demote"] },
    fenceDue: { id: 340, to: "draining", because: "its lease has run out", acts: ["fence"] },
  },
  draining: {
    granted: "impossible",
    renewed: "ignore",
    drainAsked: "ignore",
    unwanted: "ignore",
    epochOver: "ignore",
    superseded: "ignore",
    stopAsked: "ignore",
    activated: "ignore",
    activationFailed: {
      id: 350,
      to: "idle",
      because: "its activation failed while it was being stopped",
      acts: [],
    },
    restarting: "ignore",
    exited: { id: 351, to: "idle", because: "the program ended while it was being stopped", acts: [] },
    demoted: { id: 352, to: "idle", because: "the service has stopped", acts: [] },
    leaseShort: "impossible",
    fenceDue: { id: 353, to: "draining", because: "it didn't stop in time", acts: ["fence"] },
  },
} as const satisfies HoldTable;

export const HOLD_TABLE: HoldTable = table;

/** The cell as a row, or null for "ignore". An impossible one is a defect of the guards. */
export function rowOf(phase: HoldPhase, event: HoldEvent): HoldRow | null {
  const cell = HOLD_TABLE[phase][event];
  if (cell === "impossible") throw new Error(`daemon table: ${event} can't happen while ${phase}`);
  return cell === "ignore" ? null : cell;
}
