/**
 * Translates an instant of the process's clock into /proc/uptime's terms, which the guard reads.
 *
 * Both count sleep and run at the same rate; only their zeros differ, and that is measured at each
 * call, so that no error adds up. Rounded down, as uptime itself is: the guard is early, never late.
 */
import { readFileSync } from "node:fs";
import { exactNowMs } from "../shell/clock.ts";

/** Hundredths of a second since boot at which `atMs` (of `nowMs()`) will have come. */
export function uptimeCentisecondsAt(atMs: number): number {
  const text = readFileSync("/proc/uptime", "latin1");
  const uptimeMs = Number(text.slice(0, text.indexOf(" "))) * 1000;
  return Math.floor((uptimeMs + (atMs - exactNowMs())) / 10);
}
