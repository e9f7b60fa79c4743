/**
 * What this client knows of each service: who holds it, and the highest epoch that it has heard of.
 * That epoch only rises, and a holder of an older one is never given to anybody, whoever names it.
 *
 * The arbiters are asked. Where none of them answers, the daemons' cluster maps are: the newest one
 * that isn't older than what was seen. Without arbiters nothing moves, so it stays true.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ArbiterError } from "../protocol/errors.ts";
import { stateIn, stateInMap } from "./answers.ts";
import type { Holder, ServiceState } from "./answers.ts";
import type { Arbiters } from "./arbiters.ts";

/** While nobody answers who could tell of a change. */
const PAUSE_MS = 500;
/** How often addresses of further arbiters and daemons are learned. */
const LEARN_EVERY_MS = 30_000;

interface Known {
  state: ServiceState | null;
  highestEpoch: number;
  /** A look-up under way, for all who want one at this moment. */
  asking: Promise<ServiceState> | null;
}

export class Holders {
  readonly #arbiters: Arbiters;
  readonly #known = new Map<string, Known>();
  readonly #listeners = new Set<(service: string, epoch: number) => void>();
  #learnAtMs = 0;

  constructor(arbiters: Arbiters) {
    this.#arbiters = arbiters;
  }

  /** Asked now. Rejects with what `Cluster.resolve` documents, vacancy aside. */
  async ask(service: string, signal: AbortSignal | null): Promise<ServiceState> {
    const path = pathOf(service);
    try {
      const state = stateIn(service, await this.#arbiters.read(path, signal));
      this.#learn();
      return this.#take(service, state);
    } catch (error) {
      if (!(error instanceof ArbiterError) || error.code !== "ERR_ARB_UNREACHABLE") throw error;
      const map = await this.#arbiters.readMaps(signal);
      if (map === null) throw error;
      return this.#take(service, stateInMap(service, map));
    }
  }

  /** As `ask`, shared with whoever asks in this moment. */
  async refresh(service: string): Promise<ServiceState> {
    const known = this.#of(service);
    known.asking ??= this.ask(service, null).finally(() => {
      known.asking = null;
    });
    return await known.asking;
  }

  /** The next change of the cluster map, as it shows in this service; null: none for a moment. */
  async next(service: string, signal: AbortSignal | null): Promise<ServiceState | null> {
    try {
      const answer = await this.#arbiters.readNewer(pathOf(service), signal);
      return answer === null ? null : this.#take(service, stateIn(service, answer));
    } catch (error) {
      if (!(error instanceof ArbiterError) || error.code !== "ERR_ARB_UNREACHABLE") throw error;
      await sleep(PAUSE_MS, undefined, signal === null ? {} : { signal });
      const map = await this.#arbiters.readMaps(signal);
      return map === null ? null : this.#take(service, stateInMap(service, map));
    }
  }

  /** The last one known that may be used without asking. */
  holder(service: string): Holder | null {
    const { state, highestEpoch } = this.#of(service);
    return state !== null && state.holder !== null && state.epoch >= highestEpoch ? state : null;
  }

  highestEpoch(service: string): number {
    return this.#of(service).highestEpoch;
  }

  /** It didn't do what a holder does: ask before it is used again. */
  doubt(service: string, holder: Holder): void {
    const known = this.#of(service);
    if (known.state === holder) known.state = null;
  }

  /** Somebody has said that there is such an epoch. */
  hear(service: string, epoch: number): void {
    const known = this.#of(service);
    if (epoch <= known.highestEpoch) return;
    known.highestEpoch = epoch;
    for (const listener of this.#listeners) listener(service, epoch);
  }

  onNewerEpoch(listener: (service: string, epoch: number) => void): void {
    this.#listeners.add(listener);
  }

  #of(service: string): Known {
    const known = this.#known.get(service) ?? { state: null, highestEpoch: 0, asking: null };
    this.#known.set(service, known);
    return known;
  }

  #take(service: string, state: ServiceState): ServiceState {
    const known = this.#of(service);
    if (state.epoch < known.highestEpoch) {
      throw new ArbiterError(
        "ERR_ARB_STALE_MAP",
        `The answer names epoch ${state.epoch} of ${service}, and ${known.highestEpoch} has been seen.`,
      );
    }
    // Two look-ups may end in another order than they began.
    if (known.state === null || state.version >= known.state.version) known.state = state;
    this.hear(service, state.epoch);
    return state;
  }

  #learn(): void {
    const nowMs = performance.now();
    if (nowMs < this.#learnAtMs) return;
    this.#learnAtMs = nowMs + LEARN_EVERY_MS;
    void this.#arbiters.learn().then((hasLearned) => {
      if (!hasLearned) this.#learnAtMs = 0;
    });
  }
}

function pathOf(service: string): string {
  return `/v1/services/${encodeURIComponent(service)}`;
}
