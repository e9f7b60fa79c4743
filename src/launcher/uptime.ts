/**
 * Translates an instant of the process's clock into /proc/uptime's terms, which the guard reads.
 *
 * They are one clock: `nowMs()` is built on uptime (see shell/clock.ts), and never ahead of it, since what passes
 * while it is calibrated makes it late. So an instant of `nowMs()` comes no later by uptime, and
 * rounding down, as uptime itself is rounded, leaves the guard early, never late (I1).
 */

/** Hundredths of a second since boot at which `atMs` (of `nowMs()`) will have come. */
export function uptimeCentisecondsAt(atMs: number): number {
  return Math.floor(atMs / 10);
}
