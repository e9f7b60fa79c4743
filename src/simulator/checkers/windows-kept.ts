/** A service goes back to its master by itself only inside its `failback_window`, where it has one. */
import type { JournalEntry } from "../../core/arbiter-io.ts";

/** The one of all services, as the configuration would write it. */
export const WINDOW = "0 2 * * * for 1h";

/** A planned move, and how its reason begins where nobody ordered it. */
const MOVE_ROW = 340;
const BY_ITSELF = / is back and has been well /u;
/** What is on its way when the window closes: the step that takes it has begun. */
const SLACK_MS = 1;

export class WindowsKept {
  /** Null: no service has a window. */
  readonly #drift: number | null;
  openUntilMs = 0;
  /** On the slowest of clocks. */
  #latestMs = 0;

  constructor(drift: number | null) {
    this.#drift = drift;
  }

  opened(nowMs: number, forMs: number): void {
    this.openUntilMs = Math.max(this.openUntilMs, nowMs + forMs);
    const latestMs = nowMs + (this.openUntilMs - nowMs) * (1 + (this.#drift ?? 0)) + SLACK_MS;
    this.#latestMs = Math.max(this.#latestMs, latestMs);
  }

  check({ service, row, evidence }: JournalEntry, nowMs: number): string | null {
    if (this.#drift === null || row !== MOVE_ROW || nowMs < this.#latestMs) return null;
    const reason = String(evidence["reason"]);
    return BY_ITSELF.test(reason) ? `${service} goes back outside of its window: ${reason}` : null;
  }
}
