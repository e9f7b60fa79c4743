/**
 * Which of the other arbiters don't answer. Services notice nothing of it, and that is why it has to be said:
 * whoever believes in two arbiters and has one is as far from an outage as with one.
 */

/** So many comparisons in a row, a second each: longer than a restart takes. */
export const SILENT_TIMES = 5;

export interface SilenceNews {
  readonly type: "arbiter.down" | "arbiter.up";
  readonly arbiter: string;
  readonly text: string;
}

export class PeerSilence {
  /** In a row, by name; absent: the last one was answered. */
  readonly #missed = new Map<string, number>();
  readonly #told = new Set<string>();

  note(name: string, answered: boolean): void {
    if (answered) this.#missed.delete(name);
    else this.#missed.set(name, this.missed(name) + 1);
  }

  /** How many comparisons in a row it hasn't answered. */
  missed(name: string): number {
    return this.#missed.get(name) ?? 0;
  }

  /** Who left the configuration isn't missed. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#missed.keys()) if (!names.has(name)) this.#missed.delete(name);
    for (const name of this.#told) if (!names.has(name)) this.#told.delete(name);
  }

  get silent(): readonly string[] {
    return [...this.#missed].flatMap(([name, times]) => (times >= SILENT_TIMES ? [name] : [])).toSorted();
  }

  /** What hasn't been told yet; `by`: to whom they are silent. */
  news(by: string): readonly SilenceNews[] {
    const news: SilenceNews[] = [];
    for (const arbiter of this.silent) {
      if (this.#told.has(arbiter)) continue;
      this.#told.add(arbiter);
      news.push({ type: "arbiter.down", arbiter, text: `The arbiter ${arbiter} doesn't answer ${by}.` });
    }
    for (const arbiter of this.#told) {
      if (this.#missed.has(arbiter)) continue;
      this.#told.delete(arbiter);
      news.push({ type: "arbiter.up", arbiter, text: `The arbiter ${arbiter} answers again.` });
    }
    return news;
  }
}
