/**
 * The candidates of a service, as they are agreed with its holder.
 *
 * A holder in failsafe asks exactly those that it was told of. So a set is committed before it is
 * sent; an addition counts once the holder has acknowledged it, a removal once it is committed; and
 * who is eligible on expiry stands in each set that a holder above `cleared` may still be asking.
 */
import type { ArbiterState, ServiceView } from "./arbiter-state.ts";
import { boundOf } from "./lease.ts";
import type { Candidate, CandidateSet, ServiceRow } from "./model.ts";
import { changeRow, isOpen, mayCommit, type Step } from "./step.ts";

/**
 * Candidates whose `stateId` is known. One that this arbiter has not met yet keeps the `stateId`
 * that the store remembers: being unreachable is no reason to be left out of the asking.
 */
export function candidatesNow(step: Step, view: ServiceView): Candidate[] {
  const list: Candidate[] = [];
  for (const name of view.spec.candidates) {
    const daemon = step.state.daemons.get(name);
    const remembered = view.row.candidates.list.find((one) => one.name === name);
    const stateId = daemon?.report?.stateId ?? remembered?.stateId;
    const url = daemon?.spec.url ?? remembered?.url;
    if (stateId !== undefined && url !== undefined) list.push({ name, stateId, url });
  }
  return list;
}

/** The sets that still bind, with the present one among the past if its epoch isn't over. */
export function pastSetsWithPresent(view: ServiceView): ServiceRow["pastSets"] {
  const kept = view.row.pastSets.filter(
    ({ epoch, set }) =>
      epoch > view.knownCleared && !(epoch === view.row.epoch && set.version < view.acknowledgedSet),
  );
  if (!isOpen(view) || view.row.epoch === 0) return kept;
  return [...kept, { epoch: view.row.epoch, set: view.row.candidates }];
}

/** Until it is over it is the work of each of these masters, whatever its files say by now (I1). */
export function mastersWithPresent({ row, spec }: ServiceView): readonly string[] {
  const known = row.masters ?? [];
  const added = spec.masters.filter((name) => !known.includes(name));
  return added.length === 0 ? known : [...known, ...added];
}

/** Versions begin so far above one that the store doesn't know: its holder may have heard of a few more. */
const SETS_APART = 1000;

/**
 * A holder that the store doesn't know is adopted, with candidates that it can't take for those that it has.
 * Where the store knows nothing at all, nobody knows whom it asks either, until it has taken these (I1).
 */
export function adoptedSets(
  step: Step,
  view: ServiceView,
  held: { readonly epoch: number; readonly candidatesVersion: number },
): Pick<ServiceRow, "candidates" | "pastSets"> {
  const { epoch, candidatesVersion } = held;
  const version = Math.max(view.row.candidates.version, candidatesVersion) + SETS_APART;
  const unknown = { epoch, set: { version: candidatesVersion, list: [] } };
  return {
    candidates: { version, list: candidatesNow(step, view) },
    pastSets: [...pastSetsWithPresent(view), ...(view.row.epoch === 0 ? [unknown] : [])],
  };
}

/** A change of candidates or a longer lease for the present holder, committed before it is used. */
export function refreshCandidates(step: Step, view: ServiceView): void {
  if (view.phase !== "held" || !mayCommit(step.state)) return;
  if (view.pendingCommit !== null || view.pendingSideCommit !== null) return;
  const list = candidatesNow(step, view);
  const isLost = view.acknowledgedSet > view.row.candidates.version;
  const hasNewList = isLost || !isSameList(list, view.row.candidates.list);
  const leaseMaxMs = leaseMaxNow(step, view);
  if (!hasNewList && leaseMaxMs === view.row.leaseMaxMs) return;
  const candidates: CandidateSet = isLost
    ? { version: view.acknowledgedSet + SETS_APART, list }
    : hasNewList
      ? { version: view.row.candidates.version + 1, list }
      : view.row.candidates;
  const row: ServiceRow = {
    ...view.row,
    cleared: view.knownCleared,
    candidates,
    pastSets: hasNewList ? pastSetsWithPresent(view) : view.row.pastSets,
    leaseMaxMs,
  };
  changeRow(step, view, row, "side");
}

/** Rises before a longer lease is granted, falls once no longer one can be outstanding (I1). */
function leaseMaxNow(step: Step, view: ServiceView): number {
  const { leaseMs } = view.spec;
  if (leaseMs >= view.row.leaseMaxMs) return leaseMs;
  return shorterLeaseAtMs(step.state, view) <= step.nowMs ? leaseMs : view.row.leaseMaxMs;
}

/** When every lease that was longer than the present one has ended; 0: none was. */
export function shorterLeaseAtMs(state: ArbiterState, view: ServiceView): number {
  const { leaseMaxMs } = view.row;
  if (view.spec.leaseMs >= leaseMaxMs) return 0;
  return boundOf(view.shorterSinceMs, leaseMaxMs, state.model.clockDrift);
}

function isSameList(a: readonly Candidate[], b: readonly Candidate[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, index) => {
      const other = b[index];
      return one.name === other?.name && one.stateId === other.stateId && one.url === other.url;
    })
  );
}
