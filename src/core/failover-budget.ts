/**
 * How many causes may move services unplanned within a period: `failover_budget = 3 per 10m`.
 *
 * What moves by itself again and again is a sign that moving doesn't help: a bad release, a network
 * that comes and goes. Past the budget a service that was lost stays where it was: it is given back
 * to the daemon that had it, and to no other, until the period is over or an operator resumes it.
 *
 * What counts is the cause, not the services: all that one address loses in one moment is one cause,
 * so that the death of a host with ten services isn't ten. A cause is spent when the first of its
 * services goes elsewhere; what is lost and found again costs nothing. An operator's own moves ask no
 * budget and cost none. A new leader begins with a whole one: it knows the rows, not their past.
 */
import type { ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { tell, type Step } from "./step.ts";

export interface LossCause {
  /** The address whose daemons lost it. */
  readonly address: string;
  readonly atMs: number;
}

export interface SpentCause {
  readonly address: string;
  readonly lostAtMs: number;
  /** When the first of its services was given to another daemon. */
  readonly atMs: number;
}

/**
 * Losses of one address within this time are of one cause: leases that were granted in turn also end
 * in turn, and a host takes a while to fall silent as a whole.
 */
const ONE_CAUSE_MS = 10_000;

function isSame(spent: SpentCause, cause: LossCause): boolean {
  return spent.address === cause.address && Math.abs(spent.lostAtMs - cause.atMs) <= ONE_CAUSE_MS;
}

/** The holder was lost and nobody had planned it. The first loss stays the cause until it is held again. */
export function noteCause(step: Step, view: ServiceView, holder: DaemonView): void {
  view.lossCause ??= { address: holder.spec.address, atMs: step.nowMs };
}

function inPeriod(state: ArbiterState, nowMs: number): readonly SpentCause[] {
  const perMs = state.model.failoverBudget?.perMs ?? 0;
  return state.spentCauses.filter(({ atMs }) => atMs > nowMs - perMs);
}

/** Nothing of this cause may move by itself now. */
export function isSpent(state: ArbiterState, cause: LossCause | null, nowMs: number): boolean {
  const budget = state.model.failoverBudget;
  if (budget === undefined || cause === null) return false;
  // What a cause has begun may end: all that it took moves, or none of it.
  if (state.spentCauses.some((one) => isSame(one, cause))) return false;
  return inPeriod(state, nowMs).length >= budget.causes;
}

/** An operator wants it moved: that is planned, whatever came before. */
export function isHeldBack(state: ArbiterState, view: ServiceView, nowMs: number): boolean {
  if (view.target !== null || view.order !== null) return false;
  return isSpent(state, view.lossCause, nowMs);
}

/** A service goes to another daemon because of this. */
export function spend(step: Step, view: ServiceView, cause: LossCause | null): void {
  const { state, nowMs } = step;
  const budget = state.model.failoverBudget;
  view.isToldHeldBack = false;
  if (budget === undefined || cause === null) return;
  if (state.spentCauses.some((one) => isSame(one, cause))) return;
  const kept = state.spentCauses.filter(({ atMs }) => atMs > nowMs - Math.max(budget.perMs, ONE_CAUSE_MS));
  state.spentCauses = [...kept, { address: cause.address, lostAtMs: cause.atMs, atMs: nowMs }];
}

/** When time alone lets it move; null: it isn't held back. */
export function heldBackUntilMs(state: ArbiterState, view: ServiceView, nowMs: number): number | null {
  const budget = state.model.failoverBudget;
  if (budget === undefined || !isHeldBack(state, view, nowMs)) return null;
  const spent = inPeriod(state, nowMs).toSorted((a, b) => a.atMs - b.atMs);
  const next = spent[spent.length - budget.causes];
  return next === undefined ? null : next.atMs + budget.perMs;
}

/** Said once for each loss, by name and with the way out. */
export function tellHeldBack(step: Step, view: ServiceView): void {
  if (view.isToldHeldBack || (view.phase !== "vacant" && view.phase !== "fencing")) return;
  const untilMs = heldBackUntilMs(step.state, view, step.nowMs);
  if (untilMs === null) return;
  view.isToldHeldBack = true;
  const { name } = view.spec;
  const budget = step.state.model.failoverBudget;
  const seconds = Math.ceil((untilMs - step.nowMs) / 1000);
  tell(step, {
    type: "failover.held-back",
    service: name,
    ...(view.row.holder === null ? {} : { daemon: view.row.holder }),
    epoch: view.row.epoch,
    text:
      `${name} isn't moved: ${budget?.causes} causes have used up failover_budget. ` +
      `It goes back to ${view.row.holder ?? "nobody"} if that returns, and moves in ${seconds} s at the latest, or with \`arbiter resume ${name}\`.`,
    evidence: {
      causes: inPeriod(step.state, step.nowMs).map(({ address }) => address),
      untilInMs: Math.round(untilMs - step.nowMs),
    },
  });
}

/** An operator resumes: one service (which may move now, and costs nothing), or everything. */
export function liftBudget(step: Step, service: string | null): readonly string[] {
  const { state, nowMs } = step;
  const lifted: string[] = [];
  for (const [name, view] of state.services) {
    if (service !== null && service !== name) continue;
    if (!isHeldBack(state, view, nowMs)) continue;
    view.lossCause = null;
    lifted.push(name);
    step.dirty.add(name);
  }
  if (service === null) state.spentCauses = [];
  return lifted;
}
