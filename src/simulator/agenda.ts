/**
 * What is going to happen, by virtual time: a binary heap. What is due at the same instant happens in
 * the order in which it was planned, so that a seed replays exactly.
 */
export class Agenda {
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #runs: (() => void)[] = [];
  #count = 0;

  get size(): number {
    return this.#times.length;
  }

  /** When the next one is due; `Infinity`: nothing is planned. */
  get nextMs(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  /** When the first one is due that isn't among these; `Infinity`: there is none. */
  nextMsBut(these: ReadonlySet<() => void>): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [at, run] of this.#runs.entries()) {
      if (!these.has(run)) nextMs = Math.min(nextMs, this.#timeAt(at));
    }
    return nextMs;
  }

  plan(atMs: number, run: () => void): void {
    const order = this.#count;
    this.#count += 1;
    let at = this.#times.length;
    this.#times.push(atMs);
    this.#orders.push(order);
    this.#runs.push(run);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      // A later plan never goes before an earlier one of the same instant.
      if (this.#timeAt(parent) <= atMs) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(at, atMs, order, run);
  }

  /** Takes the next one off the heap. */
  take(): () => void {
    const first = this.#runs[0];
    const time = this.#times.pop();
    const order = this.#orders.pop();
    const last = this.#runs.pop();
    if (first === undefined || time === undefined || order === undefined || last === undefined) {
      throw new Error("simulator: nothing is planned");
    }
    if (this.#times.length > 0) this.#sink(time, order, last);
    return first;
  }

  #sink(time: number, order: number, run: () => void): void {
    const { length } = this.#times;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      const right = child + 1;
      if (right < length && this.#isBefore(right, this.#timeAt(child), this.#orders[child] ?? 0)) {
        child = right;
      }
      if (!this.#isBefore(child, time, order)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, time, order, run);
  }

  #isBefore(at: number, time: number, order: number): boolean {
    const own = this.#timeAt(at);
    return own < time || (own === time && (this.#orders[at] ?? 0) < order);
  }

  #timeAt(at: number): number {
    return this.#times[at] ?? 0;
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] ?? 0;
    this.#orders[to] = this.#orders[from] ?? 0;
    const run = this.#runs[from];
    if (run !== undefined) this.#runs[to] = run;
  }

  #put(at: number, time: number, order: number, run: () => void): void {
    this.#times[at] = time;
    this.#orders[at] = order;
    this.#runs[at] = run;
  }
}
