/**
 * Carries out rows of the daemon's table on one service, and moves its lease.
 *
 * The order of effects is the point: the lease's end is handed over before anything is started, and
 * a service disappears from the report only when nothing of it runs any more (proof rests on that).
 */
import type { DaemonMemory } from "./daemon-io.ts";
import { policyOf } from "./daemon-policy.ts";
import type { HeldService, Step } from "./daemon-state.ts";
import { memoryOf } from "./daemon-state.ts";
import type { HoldAct, HoldEvent, HoldRow } from "./daemon-table.ts";
import { rowOf } from "./daemon-table.ts";
import { fenceAtOf } from "./lease.ts";
import type { ServiceAssignment } from "./messages.ts";

/** Applies an event to a held service. Returns the row, or null if the event changes nothing. */
export function apply(step: Step, held: HeldService, event: HoldEvent, reason?: string): HoldRow | null {
  const row = rowOf(held.phase, event);
  if (row === null) return null;
  const from = held.phase;
  const because = reason === undefined ? row.because : `${row.because}: ${reason}`;
  if (row.to === "idle") step.state.held.delete(held.service);
  else held.phase = row.to;
  if (event === "restarting") held.restartReason = because;
  if (event === "activated") held.restartReason = "";
  for (const act of row.acts) carryOut(step, held, act, because);
  step.changed = true;
  log(step, row, held, from, because);
  return row;
}

/** Takes a new epoch: the row from `idle`. */
export function grant(step: Step, item: ServiceAssignment, leaseEndMs: number, clockDrift: number): void {
  const row = rowOf("idle", "granted");
  if (row === null || row.to === "idle") throw new Error("daemon table: a grant must begin an activation");
  const held: HeldService = {
    service: item.service,
    epoch: item.epoch,
    phase: row.to,
    restartReason: "",
    leaseMs: item.leaseMs,
    policy: policyOf(step.state.options, item.config),
    config: item.config,
    clockDrift,
    leaseEndMs,
    grantedEndMs: leaseEndMs,
    candidates: item.candidates,
    agreedVersion: item.candidates.version,
    wanted: true,
    fenced: false,
    demoteDeadlineMs: Number.POSITIVE_INFINITY,
    away: new Map(),
    askAwayAtMs: 0,
    roundNumber: 0,
    round: null,
  };
  step.state.held.set(item.service, held);
  showLease(step, held);
  step.effects.push({
    kind: "activate",
    service: held.service,
    epoch: held.epoch,
    leaseEndMs,
    config: item.config,
  });
  step.changed = true;
  log(step, row, held, "idle", row.because);
}

function carryOut(step: Step, held: HeldService, act: HoldAct, reason: string): void {
  const { service, epoch } = held;
  switch (act) {
    case "activate":
      throw new Error("daemon table: only a grant activates");
    case "drain":
      held.demoteDeadlineMs = step.nowMs + held.policy.drainTimeoutMs;
      step.effects.push({ kind: "demote", service, epoch, reason, deadlineMs: held.demoteDeadlineMs });
      return;
    case "demote":
      held.wanted = false;
      held.demoteDeadlineMs = fenceAt(held);
      step.effects.push({ kind: "demote", service, epoch, reason, deadlineMs: held.demoteDeadlineMs });
      return;
    case "fence":
      held.wanted = false;
      held.fenced = true;
      step.effects.push({ kind: "fence", service, epoch, reason });
      return;
    case "failed":
      step.state.failure = { service, epoch, reason };
  }
}

/** When what still runs of it is to be killed. */
export function fenceAt(held: HeldService): number {
  return fenceAtOf(held.leaseEndMs, held.leaseMs, held.policy.margins);
}

/** Moves the lease's end forward, never back. One that has run out isn't brought back to life. */
export function extendLease(step: Step, held: HeldService, endMs: number, isGranted: boolean): void {
  if (held.fenced) return;
  if (isGranted && endMs > held.grantedEndMs) held.grantedEndMs = endMs;
  if (endMs > held.leaseEndMs) {
    held.leaseEndMs = endMs;
    showLease(step, held);
  }
  if (held.grantedEndMs >= held.leaseEndMs) held.agreedVersion = held.candidates.version;
}

export function showLease(step: Step, held: HeldService): void {
  step.effects.push({
    kind: "leaseSet",
    service: held.service,
    epoch: held.epoch,
    leaseEndMs: held.leaseEndMs,
    fenceAtMs: fenceAt(held),
  });
}

/** Written without waiting: what is lost of it is protected by the boot that epochs are bound to. */
export function persist(step: Step, token: number | null = null): void {
  const memory: DaemonMemory = memoryOf(step.state);
  step.effects.push({ kind: "persist", token, memory });
}

function log(step: Step, row: HoldRow, held: HeldService, from: string, because: string): void {
  const to = row.to === "idle" ? "waiting" : row.to;
  const isBad = row.acts.some((act) => act === "fence" || act === "failed");
  step.effects.push({
    kind: "log",
    level: isBad ? "warn" : "info",
    text: `${held.service} epoch ${held.epoch}: ${from === "idle" ? "waiting" : from} → ${to}, because ${because} (row ${row.id})`,
  });
}
