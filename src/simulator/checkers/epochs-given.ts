/**
 * I2: what is assigned was committed before, for that daemon and that boot, and no epoch is given to two.
 *
 * A store that is restored from a copy forgets what was committed since. Of an epoch that nobody was
 * given meanwhile nobody can know any more, so it may be committed once more, for another one. From then
 * on whoever is given it first has it: a leader that hears so late of the commit that was lost that it
 * gives the epoch away a second time is found.
 */
import type { ServiceRow } from "../../core/model.ts";

interface Committed {
  readonly holder: string;
  readonly bootId: string;
  /** Of the store: it rises when everything is forgotten, and then even the epochs may begin anew. */
  readonly past: number;
  /** It was assigned. */
  isGiven: boolean;
  /** The store was restored to a time before it. */
  isLost: boolean;
}

export class EpochsGiven {
  /** Every epoch that was ever committed, by cluster, service and epoch. */
  readonly #committed = new Map<string, Committed[]>();
  #past = 0;
  /** By service, what was last asked for: each renewal asks for the same. */
  readonly #latest = new Map<
    string,
    { readonly clusterId: string; readonly epoch: number; readonly to: string; readonly one: Committed }
  >();

  /** Null: everything is forgotten. Else what the copy knows. */
  restored(rows: readonly ServiceRow[] | null): void {
    this.#latest.clear();
    if (rows === null) {
      this.#past += 1;
      return;
    }
    const kept = new Set(rows.map(({ service, epoch }) => `${service}@${epoch}`));
    for (const [key, all] of this.#committed) {
      if (kept.has(key.slice(key.indexOf(" ") + 1))) continue;
      for (const one of all) if (!one.isGiven) one.isLost = true;
    }
  }

  /** False: it was committed before. */
  committed(clusterId: string, { service, epoch, holder, bootId }: ServiceRow): boolean {
    const key = `${clusterId} ${service}@${epoch}`;
    const known = this.#committed.get(key) ?? [];
    const isKnown = known.some(({ past, isLost }) => past === this.#past && !isLost);
    if (holder === null || bootId === null || isKnown) return false;
    const one = { holder, bootId, past: this.#past, isGiven: false, isLost: false };
    this.#committed.set(key, [...known, one]);
    this.#latest.delete(service);
    return true;
  }

  /** It is assigned to that boot: for whom it was committed; null: for nobody. */
  given(clusterId: string, service: string, epoch: number, to: string): Committed | null {
    const latest = this.#latest.get(service);
    if (latest?.epoch === epoch && latest.to === to && latest.clusterId === clusterId) return latest.one;
    const known = this.#committed.get(`${clusterId} ${service}@${epoch}`) ?? [];
    const one = known.findLast(({ bootId }) => bootId === to) ?? known[0];
    if (one === undefined) return null;
    const other = known.find(({ past, isGiven }) => past === one.past && isGiven);
    if (other !== undefined) return other;
    one.isGiven = one.bootId === to;
    if (one.isGiven) this.#latest.set(service, { clusterId, epoch, to, one });
    return one;
  }
}
