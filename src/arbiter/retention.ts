/**
 * Removes old events from the log, nightly. Only the leader does, and a night that was missed is
 * made up for by the next one: nothing depends on the minute.
 */
import { schedule } from "node-cron";
import type { ScheduledTask } from "node-cron";
import { messageOf } from "../protocol/errors.ts";
import type { Store } from "../store/contract.ts";
import type { ProcessLog } from "./log.ts";

/** When machines have little else to do. */
export const NIGHTLY = "17 3 * * *";

export interface RetentionOptions {
  readonly store: Pick<Store, "trim">;
  readonly log: ProcessLog;
  /** Read at each run, since a reload may change it. */
  retentionMs(): number;
  isLeading(): boolean;
  wallMs(): number;
}

export async function trimOnce(options: RetentionOptions): Promise<void> {
  if (!options.isLeading()) return;
  try {
    const removed = await options.store.trim(options.wallMs() - options.retentionMs());
    if (removed > 0) options.log.info(`${removed} events older than the retention were removed.`);
  } catch (error) {
    options.log.warn(`Old events could not be removed: ${messageOf(error)} It is tried again tomorrow.`);
  }
}

/** Returns the function that ends it. */
export function scheduleRetention(options: RetentionOptions): () => void {
  const task: ScheduledTask = schedule(NIGHTLY, () => trimOnce(options), {
    name: "event-retention",
    noOverlap: true,
    unref: true,
    suppressMissedWarning: true,
    logger: {
      info: (text) => options.log.info(text),
      warn: (text) => options.log.warn(text),
      error: (text) => options.log.error(messageOf(text)),
      debug: () => {},
    },
  });
  return () => void task.destroy();
}
