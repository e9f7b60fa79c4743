/**
 * The invariants I1 to I8 as predicates over what can be seen from outside: what daemons believe,
 * what the store holds, what messages say. Each returns null, or what is wrong in one sentence.
 *
 * The simulator checks them after each step that could break one; production asserts those that it
 * can see by itself. A broken one ends the process: its lease runs out, and that is safe.
 */
import type { Assignment } from "./messages.ts";
import type { ServiceRow } from "./model.ts";

/** A daemon that does a service's work, or could at this instant. */
export interface Belief {
  readonly service: string;
  readonly daemon: string;
  readonly epoch: number;
}

/** I1: at no instant do two daemons both believe that they hold the same service. */
export function oneHolder(beliefs: readonly Belief[]): string | null {
  for (const [at, one] of beliefs.entries()) {
    for (const other of beliefs.slice(at + 1)) {
      if (one.service !== other.service) continue;
      return (
        `I1: ${one.daemon} (epoch ${one.epoch}) and ${other.daemon} (epoch ${other.epoch}) ` +
        `both believe that they hold ${one.service}`
      );
    }
  }
  return null;
}

/** I2: an epoch strictly rises with every change of holder and is never reused; `cleared` never falls. */
export function epochRises(before: ServiceRow | null, after: ServiceRow): string | null {
  const from = `I2: ${after.service} goes`;
  if (before === null) return null;
  if (after.epoch < before.epoch) return `${from} back from epoch ${before.epoch} to ${after.epoch}`;
  if (after.cleared < before.cleared)
    return `${from} back from cleared ${before.cleared} to ${after.cleared}`;
  const isSameHolder =
    after.holder === before.holder && after.stateId === before.stateId && after.bootId === before.bootId;
  if (after.epoch === before.epoch && !isSameHolder && before.holder !== null) {
    return `${from} from ${before.holder} to ${after.holder ?? "nobody"} within epoch ${after.epoch}`;
  }
  return null;
}

/** I2: `cleared` says what is over, so it can't reach above what was ever committed. */
export function clearedIsPast(row: ServiceRow): string | null {
  return row.cleared <= row.epoch
    ? null
    : `I2: ${row.service} cleared ${row.cleared} above epoch ${row.epoch}`;
}

/** I2: what an assignment carries was committed before, for that daemon and that boot. */
export function committedFirst(
  assignment: Assignment,
  committed: (
    service: string,
    epoch: number,
    bootId: string,
  ) => { readonly holder: string; readonly bootId: string } | null,
): string | null {
  for (const { service, epoch, bootId } of assignment.services ?? []) {
    const known = committed(service, epoch, bootId);
    if (known !== null && known.holder === assignment.to && known.bootId === bootId) continue;
    return `I2: ${assignment.to} is assigned ${service} at epoch ${epoch}, which wasn't committed for it`;
  }
  return null;
}

/** I3: a daemon refuses a lower term or epoch than it has seen. */
export function nothingOld(
  seen: { readonly term: number; readonly epoch: number },
  taken: { readonly term: number; readonly epoch: number },
): string | null {
  if (taken.term < seen.term) return `I3: term ${taken.term} was obeyed after term ${seen.term}`;
  if (taken.epoch <= seen.epoch) return `I3: epoch ${taken.epoch} was taken after epoch ${seen.epoch}`;
  return null;
}

/** I3: assignments of a term are counted once: daemons ignore a count that begins anew. */
export function countsOn(term: number, lastSeq: number, seq: number): string | null {
  return seq > lastSeq ? null : `I3: term ${term} sends number ${seq} after number ${lastSeq}`;
}

/** I4: without arbiters and store, whoever was active and reaches its fellow candidates still is. */
export function staysActive(before: readonly Belief[], now: readonly Belief[]): string | null {
  const key = (belief: Belief): string => `${belief.service} at ${belief.daemon}, epoch ${belief.epoch}`;
  const left = new Set(now.map(key));
  const lost = before.find((belief) => !left.has(key(belief)));
  return lost === undefined ? null : `I4: ${key(lost)} was given up without an arbiter`;
}

/** I5: events carry consecutive numbers, and none that was acknowledged is missing. */
export function consecutive(seqs: readonly number[]): string | null {
  for (const [at, seq] of seqs.entries()) {
    const before = seqs[at - 1];
    if (before !== undefined && seq !== before + 1) return `I5: event ${seq} follows event ${before}`;
  }
  return null;
}

/** I6: a refused edit leaves what is in force as it was. */
export function sameConfiguration(before: { hash: string }, after: { hash: string }): string | null {
  return before.hash === after.hash ? null : `I6: ${before.hash} became ${after.hash} by a refused edit`;
}

/** I7: a healthy candidate is reachable, so the service has a holder within the bound. */
export function recovers(service: string, vacantForMs: number, boundMs: number): string | null {
  if (vacantForMs <= boundMs) return null;
  return `I7: ${service} has had no holder for ${Math.round(vacantForMs)} ms, with ${Math.round(boundMs)} ms allowed`;
}

/** I8: whoever has seen a version of the cluster map is never answered with an older one. */
export function neverBack(seenVersion: number, answeredVersion: number): string | null {
  if (answeredVersion >= seenVersion) return null;
  return `I8: version ${answeredVersion} was answered after version ${seenVersion}`;
}
