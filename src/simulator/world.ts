/**
 * Virtual time, and the one source of randomness: everything that happens in a run is planned here.
 * Faults and choices are drawn from `random`; what is drawn all the time (delays, lateness) has a
 * stream of its own for each link and timer, so that one's count says nothing of another's draws.
 *
 * Each thing worth telling goes through `note`: into a running hash, so that two runs of one seed can
 * be compared, and into a short memory of the last ones, which is printed when something is found.
 */
import { Agenda } from "./agenda.ts";
import { Random } from "./random.ts";

/** Nothing is on its way between machines when nothing is due for so long. */
const LULL_MS = 3;
/** Steps between two looks whether it is quiet: looking costs about as much as one of them. */
const LULL_EVERY = 16;
/** Lines kept for the report of a failure. */
const NOTES_KEPT = 400;

export type NoteValue = string | number | boolean | null;
interface Note {
  readonly atMs: number;
  readonly words: readonly NoteValue[];
}

export class World {
  readonly random: Random;
  nowMs = 0;
  /** Things that happened. */
  steps = 0;
  /** Hears of everything worth telling. */
  onNote: ((words: readonly NoteValue[]) => void) | null = null;
  /** Set once something was found: nothing more happens. */
  isOver = false;
  /** Asked now and then, while nothing is due for a moment, whether time may be skipped. */
  onLull: ((endMs: number) => void) | null = null;
  readonly #agenda = new Agenda();
  #nextLull = 0;
  readonly #notes: Note[] = [];
  #noted = 0;
  #hash = 0x811c9dc5;

  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.random = new Random(seed);
  }

  /** A source of its own: always the same for one name. */
  stream(name: string): Random {
    let salt = 0x811c9dc5;
    for (let at = 0; at < name.length; at++) salt = Math.imul(salt ^ name.charCodeAt(at), 0x01000193);
    return new Random(this.#seed, salt);
  }

  at(atMs: number, run: () => void): void {
    this.#agenda.plan(atMs > this.nowMs ? atMs : this.nowMs, run);
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** When the first thing happens that isn't among these. */
  nextMsBut(these: ReadonlySet<() => void>): number {
    return this.#agenda.nextMsBut(these);
  }

  /** Lets everything happen that is due until then. */
  runUntil(endMs: number): void {
    const agenda = this.#agenda;
    while (!this.isOver) {
      const nextMs = agenda.nextMs;
      if (nextMs > endMs) break;
      if (this.onLull !== null && this.steps >= this.#nextLull && nextMs - this.nowMs > LULL_MS) {
        this.#nextLull = this.steps + LULL_EVERY;
        this.onLull(endMs);
      }
      this.nowMs = nextMs;
      this.steps += 1;
      agenda.take()();
    }
    if (!this.isOver) this.nowMs = endMs;
  }

  note(...words: readonly NoteValue[]): void {
    this.#notes[this.#noted % NOTES_KEPT] = { atMs: this.nowMs, words };
    this.#noted += 1;
    this.onNote?.(words);
    this.#mix(this.nowMs);
    for (const word of words) {
      if (typeof word === "number") this.#mix(word);
      else this.#mixText(String(word));
    }
  }

  /** Of everything noted so far. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** The last notes, oldest first. */
  lines(): string[] {
    const first = Math.max(0, this.#noted - NOTES_KEPT);
    const lines: string[] = [];
    for (let at = first; at < this.#noted; at++) {
      const note = this.#notes[at % NOTES_KEPT];
      if (note !== undefined) lines.push(`${note.atMs.toFixed(1).padStart(12)}  ${note.words.join(" ")}`);
    }
    return lines;
  }

  #mix(value: number): void {
    // Microseconds are enough to tell two runs apart, and fit after the modulus.
    const bits = (Math.floor(value * 1000) % 0x7fffffff) | 0;
    this.#hash = Math.imul(this.#hash ^ bits, 0x01000193);
  }

  #mixText(text: string): void {
    for (let at = 0; at < text.length; at++) {
      this.#hash = Math.imul(this.#hash ^ text.charCodeAt(at), 0x01000193);
    }
  }
}
