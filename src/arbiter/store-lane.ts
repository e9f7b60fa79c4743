/**
 * Carries the core's effects to the store and brings what came of them back as events.
 *
 * Commits go at once, side by side: the store puts them in order, and a failover must not wait for
 * another one. Events without a change (`record`) go one batch at a time, in order, and are tried
 * again while the store is away; their backlog is bounded, and what is dropped is counted and said.
 * A batch of unknown outcome is looked for in the log before it is sent again, so that nothing
 * stands there twice.
 */
import type { ArbiterEvent, Commit, Moment } from "../core/arbiter-io.ts";
import type { EventDraft, LeadershipRecord, LoggedEvent } from "../core/model.ts";
import { messageOf } from "../protocol/errors.ts";
import { StoreFenced, StoreUnavailable } from "../store/contract.ts";
import type { Store, StoreContents } from "../store/contract.ts";
import type { ProcessLog } from "./log.ts";

type WithoutMoment<E> = E extends unknown ? Omit<E, keyof Moment> : never;
/** An event as whoever pushes it makes it; the queue adds the moment. */
export type PushedEvent = WithoutMoment<ArbiterEvent>;

export interface StoreLaneOptions {
  readonly store: Store;
  readonly log: ProcessLog;
  readonly now: () => number;
  push(event: PushedEvent): void;
  onLogged(events: readonly LoggedEvent[]): void;
  /** What to lead with, given what the store holds; null: what was read from the files. */
  readonly leadWith?:
    | ((contents: StoreContents) => Promise<Extract<ArbiterEvent, { kind: "loaded" }>["inForce"]>)
    | undefined;
  onLatency(operation: "commit" | "campaign" | "leadership" | "load", ms: number): void;
}

/** A flapping cluster makes some ten a second: a quarter of an hour without a store. */
const MOST_WAITING = 10_000;
const BATCH = 200;
const RETRY_FROM_MS = 250;
const RETRY_UP_TO_MS = 5_000;
/** How long a leader that leaves waits for its last events to be written. */
const LAST_WORDS_MS = 1_000;

interface Waiting {
  readonly term: number;
  readonly event: EventDraft;
}

export class StoreLane {
  readonly #options: StoreLaneOptions;
  #waiting: Waiting[] = [];
  /** On its way to the store. */
  #batch: readonly Waiting[] = [];
  #dropped = 0;
  #isFailing = false;
  #writing: Promise<void> | null = null;
  #retryMs = RETRY_FROM_MS;
  #wakeUp: (() => void) | null = null;
  /** Own numbers, away from the core's: a record changes no row, nobody waits for it. */
  #recordId = -1;
  #closed = false;

  constructor(options: StoreLaneOptions) {
    this.#options = options;
  }

  /** Events that the store has failed to take so far; those just on their way don't count. */
  get undelivered(): number {
    return this.#isFailing ? this.#batch.length + this.#waiting.length + this.#dropped : 0;
  }

  commit(commit: Commit): void {
    const { commitId } = commit;
    this.#measured("commit", this.#options.store.commit(commit))
      .then(({ revision, events }) => {
        // Listeners first: whoever gets the command's answer can then find its event.
        this.#options.onLogged(events);
        this.#options.push({ kind: "committed", commitId, revision, events });
      })
      .catch((error: unknown) => {
        const outcome = outcomeOf(error);
        this.#options.push({ kind: "commitFailed", commitId, outcome, detail: messageOf(error) });
      });
  }

  readLeadership(): void {
    this.#measured("leadership", this.#options.store.leadership())
      .then((record) => this.#options.push({ kind: "leadershipRead", record }))
      .catch((error: unknown) => this.#failed("leadership", error));
  }

  campaign(expected: LeadershipRecord | null, next: LeadershipRecord): void {
    void this.#campaign(expected, next);
  }

  async #campaign(expected: LeadershipRecord | null, next: LeadershipRecord): Promise<void> {
    // Once the record says `released`, this term can't append to the log any more.
    if (next.released) await this.flush(LAST_WORDS_MS);
    const beganAtMs = this.#options.now();
    try {
      const { won, record } = await this.#measured("campaign", this.#options.store.campaign(expected, next));
      this.#options.push({ kind: "campaigned", won, record, beganAtMs });
    } catch (error) {
      this.#failed("campaign", error);
    }
  }

  touch(record: LeadershipRecord): void {
    const beganAtMs = this.#options.now();
    const told = (isWritten: boolean): void =>
      this.#options.push({ kind: "storeTouched", isWritten, beganAtMs });
    this.#measured("campaign", this.#options.store.campaign(record, record))
      .then(({ won }) => told(won))
      .catch(() => told(false));
  }

  load(term: number): void {
    void this.#load(term).catch((error: unknown) => this.#failed("load", error));
  }

  async #load(term: number): Promise<void> {
    const contents = await this.#measured("load", this.#options.store.load());
    const inForce = (await this.#options.leadWith?.(contents)) ?? null;
    const { revision, rows, settings, configuration } = contents;
    this.#options.push({ kind: "loaded", term, revision, rows, settings, configuration, inForce });
  }

  record(term: number, events: readonly EventDraft[]): void {
    for (const event of events) this.#waiting.push({ term, event });
    const excess = this.#waiting.length - MOST_WAITING;
    if (excess > 0) {
      this.#waiting.splice(0, excess);
      this.#dropped += excess;
    }
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
  }

  /** Waits until everything recorded has been written, or the time is over. */
  async flush(timeoutMs: number): Promise<void> {
    this.#wakeUp?.();
    if (this.#writing === null) return;
    const { promise: over, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    await Promise.race([this.#writing, over]);
    clearTimeout(timer);
  }

  close(): void {
    this.#closed = true;
    this.#wakeUp?.();
  }

  async #write(): Promise<void> {
    let mayBeThere = false;
    while (this.#waiting.length + this.#batch.length > 0 && !this.#closed) {
      if (this.#batch.length === 0) this.#takeBatch();
      const [{ term } = { term: 0 }] = this.#batch;
      const events = this.#batch.map(({ event }) => event);
      try {
        const missing = mayBeThere ? await this.#missing(events) : events;
        mayBeThere = false;
        if (missing.length > 0) await this.#append(term, missing);
        this.#batch = [];
        this.#retryMs = RETRY_FROM_MS;
        this.#isFailing = false;
        this.#tellOfDropped(term);
      } catch (error) {
        if (error instanceof StoreFenced) this.#giveUp(term, error);
        else {
          this.#isFailing = true;
          mayBeThere ||= outcomeOf(error) === "unknown";
          await this.#pauseBeforeRetry();
        }
      }
    }
  }

  /** The oldest of one term. What is on its way is no longer among those that may be dropped. */
  #takeBatch(): void {
    const term = this.#waiting[0]?.term;
    const other = this.#waiting.findIndex((waiting) => waiting.term !== term);
    const ofTerm = other === -1 ? this.#waiting.length : other;
    this.#batch = this.#waiting.splice(0, Math.min(ofTerm, BATCH));
  }

  async #append(term: number, events: readonly EventDraft[]): Promise<void> {
    const commitId = this.#recordId;
    this.#recordId -= 1;
    const commit = { commitId, term, changes: [], settings: null, configuration: null, events };
    const { events: logged } = await this.#measured("commit", this.#options.store.commit(commit));
    this.#options.onLogged(logged);
  }

  /** What of a batch is not yet among the newest events. */
  async #missing(batch: readonly EventDraft[]): Promise<readonly EventDraft[]> {
    const { lastEvent } = await this.#options.store.load();
    const newest = await this.#options.store.events(Math.max(0, lastEvent - 2 * BATCH), 2 * BATCH);
    const there = new Set(newest.map((event) => keyOf(event)));
    return batch.filter((event) => !there.has(keyOf(event)));
  }

  /** Another arbiter leads: the log is its to write now. What was seen stands in this one's own log. */
  #giveUp(term: number, error: StoreFenced): void {
    this.#isFailing = false;
    const lost = [...this.#batch, ...this.#waiting.filter((waiting) => waiting.term === term)];
    this.#batch = [];
    this.#waiting = this.#waiting.filter((waiting) => waiting.term !== term);
    this.#options.log.warn(`${lost.length} events of term ${term} were not written: ${error.message}`);
    for (const { event } of lost) this.#options.log.warn(`not written: ${event.type}: ${event.text}`);
  }

  #tellOfDropped(term: number): void {
    if (this.#dropped === 0) return;
    const text = `${this.#dropped} events were dropped while the store was away: more than ${MOST_WAITING} waited.`;
    this.#dropped = 0;
    this.#options.log.warn(text);
    this.#waiting.unshift({ term, event: { type: "events-dropped", atWallMs: Date.now(), term, text } });
  }

  async #pauseBeforeRetry(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), this.#retryMs);
    this.#wakeUp = () => resolve(undefined);
    await promise;
    clearTimeout(timer);
    this.#wakeUp = null;
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_UP_TO_MS);
  }

  async #measured<T>(operation: "commit" | "campaign" | "leadership" | "load", call: Promise<T>): Promise<T> {
    const beganAtMs = this.#options.now();
    try {
      return await call;
    } finally {
      this.#options.onLatency(operation, this.#options.now() - beganAtMs);
    }
  }

  #failed(what: "leadership" | "campaign" | "load", error: unknown): void {
    this.#options.push({ kind: "storeFailed", what, detail: messageOf(error) });
  }
}

function outcomeOf(error: unknown): "fenced" | "refused" | "unknown" {
  if (error instanceof StoreFenced) return "fenced";
  // An error that the store's contract doesn't name says nothing about what was written.
  return error instanceof StoreUnavailable ? error.outcome : "unknown";
}

function keyOf({ type, atWallMs, service, daemon, epoch, text }: EventDraft): string {
  return JSON.stringify([type, atWallMs, service, daemon, epoch, text]);
}
