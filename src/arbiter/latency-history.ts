/**
 * How long each daemon's checks took in the last minute: the slowest of each second, for the sparklines
 * of the status page. Four bytes a second and daemon; nothing is decided by it.
 */

const SECONDS = 60;
const SECOND_MS = 1000;

interface Ring {
  /** NaN: no check in that second. */
  readonly slowest: Float32Array;
  /** The last second that was written. */
  second: number;
}

export class LatencyHistory {
  readonly #rings = new Map<string, Ring>();

  /** On the monotonic clock. */
  note(daemon: string, roundTripMs: number, nowMs: number): void {
    const second = Math.floor(nowMs / SECOND_MS);
    const ring = this.#rings.get(daemon) ?? { slowest: new Float32Array(SECONDS).fill(Number.NaN), second };
    this.#rings.set(daemon, ring);
    advance(ring, second);
    const at = second % SECONDS;
    const known = ring.slowest[at] ?? Number.NaN;
    ring.slowest[at] = Number.isNaN(known) ? roundTripMs : Math.max(known, roundTripMs);
  }

  /** Oldest first; null: no answer in that second. */
  of(daemon: string, nowMs: number): readonly (number | null)[] {
    const ring = this.#rings.get(daemon);
    if (ring === undefined) return [];
    const second = Math.floor(nowMs / SECOND_MS);
    advance(ring, second);
    return Array.from({ length: SECONDS }, (_none, back) => {
      const value = ring.slowest[(second - SECONDS + 1 + back + SECONDS) % SECONDS] ?? Number.NaN;
      return Number.isNaN(value) ? null : Math.round(value * 100) / 100;
    });
  }

  forget(daemon: string): void {
    this.#rings.delete(daemon);
  }
}

function advance(ring: Ring, second: number): void {
  const steps = Math.min(SECONDS, second - ring.second);
  for (let step = 1; step <= steps; step += 1) ring.slowest[(ring.second + step) % SECONDS] = Number.NaN;
  if (steps > 0) {
    // After a long silence nothing of the ring is left.
    if (second - ring.second >= SECONDS) ring.slowest.fill(Number.NaN);
    ring.second = second;
  }
}
