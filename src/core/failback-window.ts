/**
 * When a service may be given back to its master by itself: only inside its window, where it has one.
 *
 * The core knows no calendar. The shell, which does, says that a window has opened and for how long
 * it stays so on the monotonic clock; an opening that nobody announced never was. An operator's own
 * `failback` asks no window.
 */
import type { ArbiterState, ServiceView } from "./arbiter-state.ts";
import type { Step } from "./step.ts";

/** `window` as the configuration writes it. Announced again, it is open until the later end. */
export function openWindow(step: Step, window: string, untilMs: number): void {
  const { openWindows, services } = step.state;
  openWindows.set(window, Math.max(untilMs, openWindows.get(window) ?? -Infinity));
  for (const [name, { spec }] of services) if (spec.failbackWindow === window) step.dirty.add(name);
}

export function mayFailBack(state: ArbiterState, { spec }: ServiceView, nowMs: number): boolean {
  if (spec.failbackWindow === undefined) return true;
  return (state.openWindows.get(spec.failbackWindow) ?? -Infinity) > nowMs;
}
