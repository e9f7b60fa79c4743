/**
 * Plays a recording again: from a snapshot on, each input goes through the core as it is now, and
 * what comes of it is compared with what is written there. The first difference ends it: what follows
 * one is no longer about the same state.
 */
import { stepArbiter } from "./arbiter.ts";
import type { ArbiterEffect, JournalEntry } from "./arbiter-io.ts";
import type { ArbiterState } from "./arbiter-state.ts";
import {
  eventIn,
  RECORDING_VERSION,
  stateIn,
  summary,
  type InputLine,
  type SnapshotLine,
} from "./recording.ts";

/** An input during which the core itself ended with an error. */
const FAILED = "failed: ";

export interface Difference {
  /** 1-based, in the file. */
  readonly line: number;
  readonly recorded: string;
  readonly now: string;
}

export class Replay {
  #state: ArbiterState | null = null;
  #line = 0;
  #next = 1;
  snapshots = 0;
  inputs = 0;
  /** Inputs without a state to play them on: before the first snapshot, or after a line that is missing. */
  skipped = 0;
  /** What the core decides now, in order. */
  readonly transitions: JournalEntry[] = [];

  /** A line that can't be read: a full disk cuts lines short. */
  lost(): void {
    this.#line += 1;
    this.#state = null;
  }

  /** Takes the file's next line; null: as recorded. A line that is neither kind is a `TypeError`. */
  take(line: SnapshotLine | InputLine): Difference | null {
    this.#line += 1;
    if (line.kind === "snapshot") {
      if (line.v > RECORDING_VERSION)
        throw new TypeError(
          `it has version ${line.v} of the format; this program reads up to ${RECORDING_VERSION}`,
        );
      this.#state = stateIn(line);
      this.#next = 1;
      this.snapshots += 1;
      return null;
    }
    if (line.n !== this.#next) this.#state = null;
    this.#next += 1;
    if (this.#state === null) {
      this.skipped += 1;
      return null;
    }
    this.inputs += 1;
    return this.#compare(line.effects, this.#step(this.#state, line));
  }

  #step(state: ArbiterState, line: InputLine): string[] {
    try {
      const effects: readonly ArbiterEffect[] = stepArbiter(state, eventIn(line));
      for (const effect of effects) if (effect.kind === "journal") this.transitions.push(effect.entry);
      return effects.map((effect) => summary(effect));
    } catch (error) {
      this.#state = null;
      return [failure(error)];
    }
  }

  #compare(recorded: readonly string[], now: readonly string[]): Difference | null {
    const count = Math.max(recorded.length, now.length);
    for (let at = 0; at < count; at += 1) {
      if (recorded[at] === now[at]) continue;
      return {
        line: this.#line,
        recorded: recorded[at] ?? "(nothing more)",
        now: now[at] ?? "(nothing more)",
      };
    }
    return null;
  }
}

/** As it stands among the effects of the input that caused it. */
export function failure(error: unknown): string {
  return `${FAILED}${error instanceof Error ? error.message : String(error)}`;
}
