/**
 * Judges a service by the lines that its work wrote, one a millisecond: "epoch time name pid". It
 * believes nothing that an arbiter or a daemon says.
 *
 * - I1: no act of an epoch is later than the first act of a newer one. An act's time is taken right
 *   before it is decided on (`lease.held()`) and written, all by the machine's monotonic clock.
 * - I2: an epoch belongs to one process.
 * - I4, I7: the longest time without an act, to be held against the bound of what was done.
 *
 * A process may be frozen between deciding and writing. Such a line arrives late in the file, with a
 * time from before the freeze: nothing on a machine can prevent it, storage that compares epochs
 * refuses it. It is counted by itself, and is no violation.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

interface Act {
  readonly epoch: number;
  readonly atNs: bigint;
  readonly who: string;
  readonly pid: number;
}

interface EpochSpan {
  readonly who: string;
  firstNs: bigint;
  lastNs: bigint;
}

export interface Gap {
  readonly ms: number;
  readonly fromEpoch: number;
  readonly toEpoch: number;
  /** The last act before it. */
  readonly sinceNs: bigint;
}

const NS_PER_MS = 1e6;

export class Judge {
  readonly violations: string[] = [];
  /** Lines that were decided on before a freeze and written after it. */
  inFlight = 0;
  acts = 0;
  readonly #path: string;
  readonly #service: string;
  readonly #epochs = new Map<number, EpochSpan>();
  #offset = 0;
  #newestEpoch = 0;
  #last: Act | null = null;
  #worstOverlapMs = 0;

  constructor(service: string, path: string) {
    this.#service = service;
    this.#path = path;
    closeSync(openSync(path, "a"));
  }

  /** Who acts, and in which process; null: nobody has yet. */
  get holder(): { readonly name: string; readonly pid: number } | null {
    return this.#last === null ? null : { name: this.#last.who.split(" ")[0] ?? "", pid: this.#last.pid };
  }

  get epochs(): number {
    return this.#epochs.size;
  }

  get worstOverlapMs(): number {
    return this.#worstOverlapMs;
  }

  /** Reads what has been written since the last call; gives the longest gap in it. */
  read(): Gap {
    const acts = this.#newActs();
    for (const act of acts) this.#take(act);
    this.#compareEpochs();
    return this.#longestGap(acts);
  }

  /** The longest gap up to now, even if nobody acts again. */
  silenceMs(): number {
    const nowNs = process.hrtime.bigint();
    return this.#last === null ? 0 : Number(nowNs - this.#last.atNs) / NS_PER_MS;
  }

  #take(act: Act): void {
    this.acts += 1;
    const span = this.#epochs.get(act.epoch);
    if (span === undefined) {
      this.#epochs.set(act.epoch, { who: act.who, firstNs: act.atNs, lastNs: act.atNs });
    } else {
      if (span.who !== act.who)
        this.#violated(`epoch ${act.epoch} belongs to ${span.who} and to ${act.who} (I2)`);
      if (act.atNs < span.firstNs) span.firstNs = act.atNs;
      if (act.atNs > span.lastNs) span.lastNs = act.atNs;
    }
    if (act.epoch < this.#newestEpoch) this.inFlight += 1;
    this.#newestEpoch = Math.max(this.#newestEpoch, act.epoch);
  }

  /** From the newest epoch down: the earliest first act of all newer ones. */
  #compareEpochs(): void {
    let earliest: { readonly epoch: number; readonly firstNs: bigint } | null = null;
    for (const [epoch, span] of [...this.#epochs].toSorted(([a], [b]) => b - a)) {
      if (earliest !== null && span.lastNs > earliest.firstNs) {
        const overlapMs = Number(span.lastNs - earliest.firstNs) / NS_PER_MS;
        this.#worstOverlapMs = Math.max(this.#worstOverlapMs, overlapMs);
        this.#violated(
          `epoch ${epoch} (${span.who}) still acted ${overlapMs.toFixed(3)} ms after epoch ${earliest.epoch} had begun (I1)`,
        );
      }
      if (earliest === null || span.firstNs < earliest.firstNs) earliest = { epoch, firstNs: span.firstNs };
    }
  }

  #longestGap(acts: readonly Act[]): Gap {
    let longest: Gap = { ms: 0, fromEpoch: 0, toEpoch: 0, sinceNs: 0n };
    let before = this.#last;
    for (const act of acts.toSorted((a, b) => Number(a.atNs - b.atNs))) {
      const ms = before === null ? 0 : Number(act.atNs - before.atNs) / NS_PER_MS;
      if (before !== null && ms > longest.ms)
        longest = { ms, fromEpoch: before.epoch, toEpoch: act.epoch, sinceNs: before.atNs };
      if (before === null || ms > 0) before = act;
    }
    this.#last = before;
    return longest;
  }

  #violated(text: string): void {
    const line = `${this.#service}: ${text}`;
    if (!this.violations.includes(line)) this.violations.push(line);
  }

  #newActs(): Act[] {
    const file = openSync(this.#path, "r");
    try {
      const bytes = Buffer.alloc(fstatSync(file).size - this.#offset);
      readSync(file, bytes, 0, bytes.length, this.#offset);
      const end = bytes.lastIndexOf(0x0a) + 1;
      this.#offset += end;
      return bytes.toString("latin1", 0, end).split("\n").slice(0, -1).map(actOf);
    } finally {
      closeSync(file);
    }
  }
}

function actOf(line: string): Act {
  const [epoch, atNs, name, pid] = line.split(" ");
  if (epoch === undefined || atNs === undefined || name === undefined || pid === undefined)
    throw new Error(`not an act: ${JSON.stringify(line)}`);
  return { epoch: Number(epoch), atNs: BigInt(atNs), who: `${name} ${pid}`, pid: Number(pid) };
}
