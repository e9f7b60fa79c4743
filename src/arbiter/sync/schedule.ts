/** `config_sync_schedule`: node-cron runs a task as long as the configuration in force says when. */
import { schedule } from "node-cron";
import type { ScheduledTask } from "node-cron";
import { messageOf } from "../../protocol/errors.ts";
import type { ProcessLog } from "../log.ts";

export class CronSchedule {
  readonly #name: string;
  readonly #run: () => Promise<void>;
  readonly #log: ProcessLog;
  #expression: string | null = null;
  #task: ScheduledTask | null = null;

  constructor(name: string, run: () => Promise<void>, log: ProcessLog) {
    this.#name = name;
    this.#run = run;
    this.#log = log;
  }

  /** Null: never. */
  set(expression: string | null): void {
    if (expression === this.#expression) return;
    this.close();
    this.#expression = expression;
    if (expression === null) return;
    this.#task = schedule(expression, () => this.#run(), {
      name: this.#name,
      noOverlap: true,
      unref: true,
      suppressMissedWarning: true,
      logger: {
        info: (text) => this.#log.info(text),
        warn: (text) => this.#log.warn(text),
        error: (text) => this.#log.error(messageOf(text)),
        debug: () => {},
      },
    });
  }

  close(): void {
    void this.#task?.destroy();
    this.#task = null;
    this.#expression = null;
  }
}
