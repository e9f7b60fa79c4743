/**
 * The newest cluster map that this arbiter knows, and where reads are answered from (I8).
 *
 * Only the leader makes maps. It makes one of each version, at most, and that one is never changed.
 * A standby has those that the leader sent it; when a newer one is wanted and none comes, it makes
 * the same one from what the leader has committed to the store.
 */
import type { ArbiterState } from "../core/arbiter-state.ts";
import type { Settings } from "../core/model.ts";
import type { Store } from "../store/contract.ts";
import { clusterMap, isLeading, mapOfRows } from "./cluster-map.ts";
import type { ClusterMap } from "./cluster-map.ts";

/** Readers that come together share one look into the store. */
const LOOK_EVERY_MS = 200;

export class MapBoard {
  readonly #state: ArbiterState;
  readonly #store: Pick<Store, "load">;
  readonly #waiting = new Set<() => void>();
  #newest: ClusterMap | null = null;
  #settings: Settings | null = null;
  #looking: Promise<void> | null = null;
  #lookedAtMs = -Infinity;

  constructor(state: ArbiterState, store: Pick<Store, "load">) {
    this.#state = state;
    this.#store = store;
  }

  get newest(): ClusterMap | null {
    this.#make();
    return this.#newest;
  }

  /** Of the map; while this arbiter leads, of everything that it answers. */
  get version(): number {
    return Math.max(this.newest?.version ?? 0, isLeading(this.#state) ? this.#state.mapVersion : 0);
  }

  /** Pauses and the like, as the store had them when it was last read; null: it wasn't. */
  get settings(): Settings | null {
    return this.#settings;
  }

  /** One that the leader sent. Resolves nothing, keeps the newer one. */
  offer(map: ClusterMap): void {
    this.#take(map);
  }

  /** The state has changed: whoever waits for a version may have it now. */
  look(): void {
    if (this.#waiting.size === 0) return;
    for (const look of this.#waiting) look();
  }

  /** Reads the store, if this arbiter stands by. Never rejects: what can't be read changes nothing. */
  refresh(): Promise<void> {
    if (isLeading(this.#state)) return Promise.resolve();
    if (performance.now() - this.#lookedAtMs < LOOK_EVERY_MS && this.#looking === null)
      return Promise.resolve();
    this.#looking ??= this.#read().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  /** Waits until the map has this version or a newer one; false: the time was over first. */
  async until(version: number, timeoutMs: number): Promise<boolean> {
    if (this.version >= version) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = (): void => {
      if (this.version >= version) resolve(true);
    };
    const timer = setTimeout(() => resolve(false), timeoutMs);
    const again = setInterval(() => void this.refresh(), LOOK_EVERY_MS);
    this.#waiting.add(look);
    void this.refresh();
    const isThere = await promise;
    clearTimeout(timer);
    clearInterval(again);
    this.#waiting.delete(look);
    return isThere;
  }

  async #read(): Promise<void> {
    const state = this.#state;
    this.#lookedAtMs = performance.now();
    try {
      const { revision, rows, settings } = await this.#store.load();
      const { record } = state.leadership;
      if (isLeading(state) || record === null) return;
      this.#settings = settings;
      this.#take(
        mapOfRows(state, { version: revision, clusterId: record.clusterId, term: record.term, rows }),
      );
    } catch {
      // The store is away: the leadership says so, and what is known goes on being answered.
    }
  }

  /** While this arbiter leads: the map of the present version, once. */
  #make(): void {
    const state = this.#state;
    if (!isLeading(state) || state.mapVersion === 0) return;
    const known = this.#newest;
    const isMade =
      known !== null &&
      known.version >= state.mapVersion &&
      known.term === state.term &&
      known.clusterId === state.clusterId;
    if (!isMade) this.#take(clusterMap(state));
  }

  #take(map: ClusterMap): void {
    const known = this.#newest;
    // Numbers of another cluster say nothing about this one's.
    const isOther = known !== null && known.clusterId !== map.clusterId;
    if (isOther && this.#state.clusterId !== map.clusterId) return;
    if (known !== null && !isOther) {
      if (map.version < known.version) return;
      // The same version is the same map: only a leader says it again, in its own term.
      if (map.version === known.version && map.term <= known.term) return;
    }
    this.#newest = map;
    this.look();
  }
}
