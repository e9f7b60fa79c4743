/**
 * Follows the event log and hands it to whoever listens, each event once, in order, none left out.
 *
 * Events that this process committed itself come straight from the commit's answer when they join
 * on to what is known; everything else (a gap, another arbiter's events) is read from the store.
 * The newest are kept in a ring, so that a hundred listeners don't cost a hundred reads.
 * A listener goes from catching up to live in one turn of the loop, with nothing between.
 */
import type { LoggedEvent } from "../core/model.ts";

export interface EventSource {
  events(after: number, limit: number): Promise<readonly LoggedEvent[]>;
  watch(onChange: () => void): () => void;
}

const RING = 1_000;
const PAGE = 500;
/** Where the engine can't push: how often the log is looked at while somebody listens. */
const LOOK_EVERY_MS = 1_000;

/** What the log of the process is told: once when reading fails, and once when it goes again. */
export interface FeedTrouble {
  began(text: string): void;
  ended(afterMs: number): void;
}

export class EventFeed {
  readonly #source: EventSource;
  readonly #say: FeedTrouble;
  readonly #ring: LoggedEvent[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #wakes = new Set<() => void>();
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;
  #tail: number;
  #reading: Promise<void> | null = null;
  #again = false;
  #failsSinceMs: number | null = null;

  constructor(source: EventSource, lastEvent: number, say: FeedTrouble) {
    this.#source = source;
    this.#say = say;
    this.#tail = lastEvent;
    this.#unwatch = source.watch(() => void this.refresh());
    this.#timer = setInterval(() => {
      if (this.#listeners.size > 0) void this.refresh();
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Number of the newest event known. */
  get tail(): number {
    return this.#tail;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Events of an own commit. */
  offer(events: readonly LoggedEvent[]): void {
    const [first] = events;
    if (first === undefined) return;
    if (first.seq === this.#tail + 1) this.#append(events);
    else if ((events.at(-1)?.seq ?? 0) > this.#tail) void this.refresh();
  }

  /** Reads what the store has beyond the tail. Never rejects. */
  refresh(): Promise<void> {
    if (this.#reading !== null) {
      // What was asked for now may be newer than what is being read.
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    try {
      do {
        this.#again = false;
        const page = await this.#events(this.#tail, PAGE);
        const fresh = page.filter(({ seq }) => seq > this.#tail);
        if (fresh.length > 0) this.#append(fresh);
        if (page.length === PAGE) this.#again = true;
      } while (this.#again);
    } catch {
      // Told where it failed; it is read again with the next look.
    }
  }

  async #events(after: number, limit: number): Promise<readonly LoggedEvent[]> {
    try {
      const page = await this.#source.events(after, limit);
      if (this.#failsSinceMs !== null) this.#say.ended(performance.now() - this.#failsSinceMs);
      this.#failsSinceMs = null;
      return page;
    } catch (error) {
      if (this.#failsSinceMs === null)
        this.#say.began(error instanceof Error ? error.message : String(error));
      this.#failsSinceMs ??= performance.now();
      throw error;
    }
  }

  #append(events: readonly LoggedEvent[]): void {
    this.#ring.push(...events);
    this.#ring.splice(0, Math.max(0, this.#ring.length - RING));
    this.#tail = events.at(-1)?.seq ?? this.#tail;
    for (const wake of this.#listeners) wake();
    for (const wake of this.#wakes) wake();
  }

  /** Called when the log is known to have grown; unlike `follow`, it has nobody look for that. */
  onAppend(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  /** The events after `after`, from the ring if it reaches back so far, else from the store. */
  async after(after: number, limit: number): Promise<readonly LoggedEvent[]> {
    return this.#fromRing(after)?.slice(0, limit) ?? (await this.#events(after, limit));
  }

  #fromRing(after: number): readonly LoggedEvent[] | null {
    if (after >= this.#tail) return [];
    const [oldest] = this.#ring;
    if (oldest === undefined || oldest.seq > after + 1) return null;
    return this.#ring.filter(({ seq }) => seq > after);
  }

  /**
   * Gives every event after `after` to `deliver`, for ever, until the function that it returns is
   * called. `deliver` says false when its reader is gone.
   */
  follow(after: number, deliver: (event: LoggedEvent) => boolean): () => void {
    let cursor = after;
    let running = false;
    let ended = false;
    const end = (): void => {
      ended = true;
      this.#listeners.delete(pump);
    };
    const give = (events: readonly LoggedEvent[]): void => {
      for (const event of events) {
        if (ended || event.seq <= cursor) continue;
        cursor = event.seq;
        if (!deliver(event)) end();
      }
    };
    const pump = (): void => {
      if (running || ended) return;
      const live = this.#fromRing(cursor);
      if (live !== null) {
        give(live);
        return;
      }
      running = true;
      this.#events(cursor, PAGE)
        .then((page) => {
          give(page);
          // Trimmed away, or numbered by a store that was restored: go on from what there is.
          if (page.length === 0) cursor = Math.max(cursor, (this.#ring[0]?.seq ?? this.#tail + 1) - 1);
          running = false;
          pump();
        })
        .catch(() => {
          setTimeout(() => {
            running = false;
            pump();
          }, LOOK_EVERY_MS).unref();
        });
    };
    this.#listeners.add(pump);
    pump();
    void this.refresh();
    return end;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#unwatch();
    this.#listeners.clear();
  }
}
