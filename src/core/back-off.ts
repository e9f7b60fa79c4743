/**
 * What a loss or a failed activation means for a daemon: it counts against it for a while, and after a
 * failure it isn't given anything new until its back-off is over (1 s, doubling).
 *
 * What isn't the daemon's fault doesn't count, and once it has done well the back-off starts anew.
 */
import type { DaemonView, ServiceView } from "./arbiter-state.ts";
import type { Found } from "./service-guards.ts";
import type { Step } from "./step.ts";

/** First back-off after a failed activation, doubling up to the limit. */
const BACK_OFF_MS = 1000;
const BACK_OFF_MAX_MS = 60_000;
/** Held for less than this, a loss counts like a failed activation. */
const SHORT_HOLD_MS = 1000;

export function countLoss(step: Step, view: ServiceView, holder: DaemonView): void {
  const recent = holder.lossesAtMs.filter((atMs) => atMs > step.nowMs - view.spec.failureTimeoutMs);
  holder.lossesAtMs = [...recent, step.nowMs];
}

/** A program that crashes right after its start would else bounce between the daemons without end. */
export function isShortHold(step: Step, view: ServiceView): boolean {
  return view.heldSinceMs !== null && step.nowMs - view.heldSinceMs < SHORT_HOLD_MS;
}

export function backOff(step: Step, holder: DaemonView): void {
  if (hasDoneWell(step, holder)) holder.backOffMs = 0;
  holder.backOffMs = Math.min(Math.max(BACK_OFF_MS, holder.backOffMs * 2), BACK_OFF_MAX_MS);
  holder.backOffUntilMs = step.nowMs + holder.backOffMs;
}

/** Since its last back-off it has held something for a while, or nothing has gone wrong for long. */
function hasDoneWell(step: Step, holder: DaemonView): boolean {
  if (step.nowMs - holder.backOffUntilMs > BACK_OFF_MAX_MS) return true;
  for (const name of step.state.holdings.get(holder.spec.name) ?? []) {
    const sinceMs = step.state.services.get(name)?.heldSinceMs ?? null;
    if (sinceMs !== null && sinceMs > holder.backOffUntilMs && step.nowMs - sinceMs > SHORT_HOLD_MS)
      return true;
  }
  return false;
}

/** One loss of one holding counts once, however many rows it takes to find out. */
export function alreadyCounted(view: ServiceView, holder: DaemonView): boolean {
  return holder.lossesAtMs.some((atMs) => atMs >= view.committedAtMs);
}

/**
 * A refusal by promise, youth or order is no failure of the daemon's; nor is a lease that ran out
 * before it was active: then the same boot waits in good health, and says nothing of a failure.
 */
export function isWithoutFault(view: ServiceView, holder: DaemonView, found: Found): boolean {
  const { report } = holder;
  if (report === null) return false;
  const refusal = report.refusals.find(
    (one) => one.service === view.spec.name && one.epoch === view.row.epoch,
  );
  if (refusal !== undefined)
    return refusal.because === "promised" || refusal.because === "young" || refusal.because === "busy";
  const isSameBoot = report.bootId === view.row.bootId;
  return found.event === "provenOver" && isSameBoot && report.state !== "failed" && report.healthy;
}
