/**
 * Records what goes through an arbiter's core, so that `arbiter replay` can play it again: a flight
 * recorder.
 *
 * While nothing is decided nothing is written. A snapshot of the state is kept in memory with the
 * inputs since; once something is decided, both are written, and each input from then on until it has
 * been quiet for `TAIL_MS`. So a recording tells what led to each decision and what followed, costs
 * nothing in quiet times, and each part of it begins with a snapshot: a file that was moved aside can
 * be played by itself.
 *
 * What is written is made from events and effects after the step. Neither changes any more by then.
 */
import type { ArbiterEffect, ArbiterEvent } from "../core/arbiter-io.ts";
import type { ArbiterState } from "../core/arbiter-state.ts";
import {
  encoded,
  isDecisive,
  RECORDING_VERSION,
  summary,
  type InputLine,
  type IsSecret,
  type SnapshotLine,
} from "../core/recording.ts";
import { failure } from "../core/replay.ts";

/** Where the lines go. */
export interface RecordingSink {
  write(line: string): void;
  /** The next snapshot should begin a new file. */
  isFull(): boolean;
  /** Begins it. */
  rotate(): void;
}

export interface RecorderOptions {
  readonly sink: RecordingSink;
  readonly isSecret?: IsSecret;
  /** Above so many daemons nothing is recorded. (Default: 500) */
  readonly mostDaemons?: number;
}

/** What follows a decision: the holder's first reports, a failback that is thought of. */
const TAIL_MS = 5_000;
/** The lead-in of a decision is no longer than this. */
const LONGEST_LEAD_IN_MS = 60_000;
/** Inputs kept in memory; a busier cluster has shorter lead-ins. */
const MOST_KEPT = 2_000;
/**
 * A snapshot of more daemons takes longer than an arbiter of so many may be away from its checks
 * (20 µs a daemon), and their inputs more disk than anybody would look through.
 */
const MOST_DAEMONS = 500;

interface Kept {
  readonly event: ArbiterEvent;
  readonly effects: readonly ArbiterEffect[] | string;
}

export class Recorder {
  readonly #sink: RecordingSink;
  readonly #isSecret: IsSecret;
  readonly #mostDaemons: number;
  #snapshot: string | null = null;
  #snapshotAtMs = 0;
  #kept: Kept[] = [];
  /** Written at once until then; null: nothing has been decided lately. */
  #writesUntilMs: number | null = null;
  #isOff = false;
  /** Inputs written since the last snapshot. */
  #written = 0;

  constructor({ sink, isSecret, mostDaemons }: RecorderOptions) {
    this.#sink = sink;
    this.#isSecret = isSecret ?? (() => false);
    this.#mostDaemons = mostDaemons ?? MOST_DAEMONS;
  }

  /** Before each step, with the state as it is. */
  before(state: ArbiterState, nowMs: number): void {
    this.#isOff = state.daemons.size > this.#mostDaemons;
    if (this.#isOff) {
      this.#forget();
      return;
    }
    if (this.#writesUntilMs !== null) {
      if (nowMs <= this.#writesUntilMs && !this.#sink.isFull()) return;
      if (nowMs <= this.#writesUntilMs) {
        this.#sink.rotate();
        this.#take(state, nowMs);
        this.#writeKept();
        return;
      }
      this.#forget();
    }
    const isOld = nowMs - this.#snapshotAtMs > LONGEST_LEAD_IN_MS || this.#kept.length >= MOST_KEPT;
    if (this.#snapshot === null || isOld) this.#take(state, nowMs);
  }

  after(event: ArbiterEvent, effects: readonly ArbiterEffect[]): void {
    this.#add({ event, effects }, isDecisive(effects));
  }

  /** The core ended with an error: the process will end. */
  failed(event: ArbiterEvent, error: unknown): void {
    this.#add({ event, effects: failure(error) }, true);
  }

  #add(one: Kept, isWorthWriting: boolean): void {
    if (this.#isOff) return;
    if (this.#writesUntilMs !== null) this.#write(one);
    else this.#kept.push(one);
    if (!isWorthWriting) return;
    if (this.#writesUntilMs === null) {
      if (this.#sink.isFull()) this.#sink.rotate();
      this.#writeKept();
    }
    this.#writesUntilMs = one.event.nowMs + TAIL_MS;
  }

  #forget(): void {
    this.#snapshot = null;
    this.#kept = [];
    this.#writesUntilMs = null;
  }

  #take(state: ArbiterState, nowMs: number): void {
    const line: SnapshotLine = {
      kind: "snapshot",
      v: RECORDING_VERSION,
      at: new Date().toISOString(),
      arbiter: state.options.name,
      instance: state.options.instance,
      state: encoded(state, this.#isSecret),
    };
    this.#snapshot = `${JSON.stringify(line)}\n`;
    this.#snapshotAtMs = nowMs;
    this.#kept = [];
  }

  #writeKept(): void {
    if (this.#snapshot !== null) this.#sink.write(this.#snapshot);
    this.#written = 0;
    for (const one of this.#kept) this.#write(one);
    this.#snapshot = null;
    this.#kept = [];
  }

  #write({ event, effects }: Kept): void {
    this.#written += 1;
    const line: InputLine = {
      kind: "input",
      n: this.#written,
      event: encoded(event, this.#isSecret),
      effects: typeof effects === "string" ? [effects] : effects.map((effect) => summary(effect)),
    };
    this.#sink.write(`${JSON.stringify(line)}\n`);
  }
}
