/**
 * The calendar of `failback_window`: tells the core when a window opens and for how long.
 *
 * Windows are of the wall clock, in the arbiter's own time zone. One that is open already when the
 * arbiter starts, or when an edit brings it, is found by looking back; each arbiter keeps its own
 * calendar, so that a new leader knows what is open.
 */
import { createTask, type ScheduledTask } from "node-cron";
import type { ClusterModel } from "../core/model.ts";
import { parseDuration } from "../config/values.ts";

const MINUTE_MS = 60_000;
const SECOND_MS = 1000;

interface Calendar {
  readonly task: ScheduledTask;
  readonly grainMs: number;
  readonly lengthMs: number;
}

export class FailbackWindows {
  readonly #opened: (window: string, forMs: number) => void;
  readonly #calendars = new Map<string, Calendar>();

  constructor(opened: (window: string, forMs: number) => void) {
    this.#opened = opened;
  }

  /** After each edit: new windows are watched, those that nobody names any more are not. */
  follow({ services }: ClusterModel, wallNowMs: number): void {
    const wanted = new Set(services.flatMap(({ failbackWindow }) => failbackWindow ?? []));
    for (const [window, { task }] of this.#calendars) {
      if (wanted.has(window)) continue;
      void task.destroy();
      this.#calendars.delete(window);
    }
    for (const window of wanted) {
      if (this.#calendars.has(window)) continue;
      const calendar = this.#watch(window);
      this.#calendars.set(window, calendar);
      const leftMs = openForMs(calendar, wallNowMs);
      if (leftMs > 0) this.#opened(window, leftMs);
    }
  }

  #watch(window: string): Calendar {
    const { cron, lengthMs } = partsOf(window);
    const task = createTask(cron, () => this.#opened(window, lengthMs), {
      suppressMissedWarning: true,
      unref: true,
    });
    const calendar = { task, lengthMs, grainMs: cron.split(" ").length > 5 ? SECOND_MS : MINUTE_MS };
    // A process that slept through the moment is still inside the window.
    task.on("execution:missed", () => {
      const leftMs = openForMs(calendar, Date.now());
      if (leftMs > 0) this.#opened(window, leftMs);
    });
    void task.start();
    return calendar;
  }

  close(): void {
    for (const { task } of this.#calendars.values()) void task.destroy();
    this.#calendars.clear();
  }
}

/** `0 2 * * * for 1h`, as the configuration has checked it. */
function partsOf(window: string): { readonly cron: string; readonly lengthMs: number } {
  const at = window.lastIndexOf(" for ");
  const length = parseDuration(window.slice(at + " for ".length));
  return { cron: window.slice(0, at), lengthMs: length.ok ? length.value : 0 };
}

/** How long it stays open from now on; 0: it is closed. The latest opening counts. */
function openForMs({ task, lengthMs, grainMs }: Calendar, wallNowMs: number): number {
  const latestMs = Math.floor(wallNowMs / grainMs) * grainMs;
  for (let atMs = latestMs; atMs > wallNowMs - lengthMs; atMs -= grainMs)
    if (task.match(new Date(atMs))) return atMs + lengthMs - wallNowMs;
  return 0;
}
