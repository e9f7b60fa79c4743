/**
 * What has to be undone, in the reverse order of how it was begun. Each thing that starts says how
 * it ends, so that a start which fails half way leaves nothing behind, and a stop forgets nothing.
 */
import { messageOf } from "../protocol/errors.ts";
import type { ProcessLog } from "./log.ts";

type Closer = () => Promise<void> | void;

export class Shutdown {
  readonly #log: ProcessLog;
  readonly #closers: { readonly what: string; readonly close: Closer }[] = [];

  constructor(log: ProcessLog) {
    this.#log = log;
  }

  add(what: string, close: Closer): void {
    this.#closers.push({ what, close });
  }

  /** Never rejects: what can't be closed is said, and the rest is closed all the same. */
  async run(): Promise<void> {
    for (let next = this.#closers.pop(); next !== undefined; next = this.#closers.pop()) {
      try {
        await next.close();
      } catch (error) {
        this.#log.warn(`Stopping: ${next.what} could not be closed: ${messageOf(error)}`);
      }
    }
  }
}
