/**
 * One target (the webhook, the command, the mail): reads the log from its cursor on, sends what is
 * wanted, and moves the cursor once that has arrived. So an alert is told at least once, in order,
 * whatever dies in between; what can't be delivered is tried again without end, more and more seldom,
 * and stands in the status meanwhile.
 *
 * Past its rate, what comes is gathered into one message rather than dropped.
 */
import { noticeOf } from "../../core/alerts.ts";
import type { Notice, TargetCursor } from "../../core/alerts.ts";
import { messageOf as textOfError } from "../../protocol/errors.ts";
import { RateLimit } from "../../protocol/rate-limit.ts";
import { StoreFenced } from "../../store/contract.ts";
import type { EventFeed } from "../event-feed.ts";
import type { Cursors } from "./cursors.ts";
import { messageOf } from "./message.ts";
import type { AlertMessage, Sender } from "./message.ts";

export type TargetName = "webhook" | "command" | "mail";

export interface TargetOptions {
  readonly name: TargetName;
  /** Whether an event's type is wanted. */
  readonly isWanted: (type: string) => boolean;
  readonly tellsRecoveries: boolean;
  readonly rate: { readonly moves: number; readonly perMs: number };
  readonly send: (message: AlertMessage) => Promise<void>;
}

export interface TargetWorld {
  readonly feed: Pick<EventFeed, "after" | "tail">;
  readonly sender: () => Sender;
  readonly now: () => number;
  /** Resolves after so long, or as soon as there is more to look at. */
  readonly pause: (ms: number) => Promise<void>;
  readonly onSent: (target: TargetName) => void;
  readonly onFailed: (target: TargetName, text: string, isFirst: boolean) => void;
  readonly warn: (text: string) => void;
}

const PAGE = 200;
/** In one message. */
const MOST_TOGETHER = 50;
const LOOK_MS = 1_000;
const RETRY_FROM_MS = 1_000;
const RETRY_UP_TO_MS = 60_000;
/** A cursor that moves over events that nobody wants is kept now and then. */
const KEEP_EVERY = 1_000;

export class Target {
  readonly #options: TargetOptions;
  readonly #world: TargetWorld;
  readonly #limit: RateLimit;
  #waiting = 0;
  /** The rate was used up: what waits is sent together. */
  #isTooFast = false;
  #failsSinceMs: number | null = null;
  #problem = "";
  #isOver = false;

  constructor(options: TargetOptions, world: TargetWorld) {
    this.#options = options;
    this.#world = world;
    const { moves, perMs } = options.rate;
    this.#limit = new RateLimit((moves * 1_000) / perMs, moves);
  }

  get name(): TargetName {
    return this.#options.name;
  }

  /** Alerts that have been tried in vain so far. */
  get undelivered(): number {
    return this.#failsSinceMs === null ? 0 : this.#waiting;
  }

  get problem(): { readonly text: string; readonly forMs: number } | null {
    if (this.#failsSinceMs === null) return null;
    return { text: this.#problem, forMs: this.#world.now() - this.#failsSinceMs };
  }

  end(): void {
    this.#isOver = true;
  }

  /** `newFrom`: with the events behind which number a target begins that was never told anything. Goes on until `end`, or until this arbiter leads no longer. */
  async run(cursors: Cursors, newFrom: number): Promise<void> {
    let cursor = await this.#begin(cursors, newFrom);
    let kept = cursor.seq;
    while (!this.#isOver) {
      const { notices, after } = await this.#gather(cursor);
      if (notices.length > 0) {
        await this.#deliver(notices, after);
        if (this.#isOver) return;
        await this.#keep(cursors, after);
        kept = after.seq;
      } else if (after.seq - kept >= KEEP_EVERY) {
        await this.#keep(cursors, after);
        kept = after.seq;
      }
      const isIdle = after.seq === cursor.seq;
      cursor = after;
      if (isIdle) await this.#world.pause(LOOK_MS);
    }
  }

  /** A new target begins behind `newFrom`; that it has begun is kept, so that nothing after is lost. */
  async #begin(cursors: Cursors, newFrom: number): Promise<TargetCursor> {
    const { tail } = this.#world.feed;
    const known = cursors.of(this.name);
    // Ahead of the log: the store was set back, and its numbers begin anew behind the last one.
    if (known !== null && known.seq <= tail) return known;
    const begin = { seq: known === null ? newFrom : tail, open: known?.open ?? {} };
    await this.#keep(cursors, begin);
    return begin;
  }

  async #keep(cursors: Cursors, cursor: TargetCursor): Promise<void> {
    for (let delayMs = RETRY_FROM_MS; !this.#isOver; delayMs = Math.min(2 * delayMs, RETRY_UP_TO_MS)) {
      try {
        await cursors.set(this.name, cursor);
        return;
      } catch (error) {
        if (error instanceof StoreFenced) this.#isOver = true;
        // The store is away: what was told meanwhile is told again if this arbiter dies now.
        else await this.#world.pause(delayMs);
      }
    }
  }

  /** What one message is made of: one notice, or all that wait when they come too fast. */
  async #gather(from: TargetCursor): Promise<{ notices: readonly Notice[]; after: TargetCursor }> {
    const notices: Notice[] = [];
    let cursor = from;
    const { feed, warn } = this.#world;
    const events = await feed.after(from.seq, PAGE).catch(() => []);
    const [first] = events;
    if (first !== undefined && first.seq > from.seq + 1) {
      warn(
        `Alerts to the ${this.name}: events ${from.seq + 1} to ${first.seq - 1} are gone, too old to be kept.`,
      );
    }
    const { isWanted, tellsRecoveries } = this.#options;
    for (const event of events) {
      const told = noticeOf(cursor, event, isWanted, tellsRecoveries);
      if (told.notice !== null) {
        // The first goes out alone while the rate allows.
        if (notices.length === 0 && !this.#isTooFast && this.#limit.allows("", this.#world.now())) {
          return { notices: [told.notice], after: told.cursor };
        }
        notices.push(told.notice);
      }
      cursor = told.cursor;
      if (notices.length === MOST_TOGETHER) break;
    }
    if (notices.length === 0) return { notices, after: cursor };
    if (this.#limit.allows("", this.#world.now())) {
      this.#isTooFast = false;
      return { notices, after: cursor };
    }
    // Nothing is sent yet, and what comes meanwhile joins it.
    this.#isTooFast = true;
    await this.#world.pause(LOOK_MS);
    return { notices: [], after: from };
  }

  async #deliver(notices: readonly Notice[], after: TargetCursor): Promise<void> {
    const message = messageOf(this.name, notices, this.#world.sender());
    for (let delayMs = RETRY_FROM_MS; !this.#isOver; delayMs = Math.min(2 * delayMs, RETRY_UP_TO_MS)) {
      try {
        await this.#options.send(message);
        this.#failsSinceMs = null;
        this.#world.onSent(this.name);
        return;
      } catch (error) {
        this.#waiting = notices.length + (await this.#behind(after));
        const isFirst = this.#failsSinceMs === null;
        this.#failsSinceMs ??= this.#world.now();
        this.#problem = textOfError(error);
        this.#world.onFailed(this.name, this.#problem, isFirst);
        await this.#pauseFor(delayMs);
      }
    }
  }

  /** More to look at is no reason to try again sooner. */
  async #pauseFor(ms: number): Promise<void> {
    const untilMs = this.#world.now() + ms;
    for (let left = ms; left > 0 && !this.#isOver; left = untilMs - this.#world.now()) {
      await this.#world.pause(left);
    }
  }

  /** Alerts that wait behind the one that is tried. */
  async #behind(from: TargetCursor): Promise<number> {
    const { isWanted, tellsRecoveries } = this.#options;
    let cursor = from;
    let count = 0;
    for (const event of await this.#world.feed.after(from.seq, PAGE).catch(() => [])) {
      const told = noticeOf(cursor, event, isWanted, tellsRecoveries);
      if (told.notice !== null) count += 1;
      ({ cursor } = told);
    }
    return count;
  }
}
