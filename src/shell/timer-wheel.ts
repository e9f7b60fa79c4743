/**
 * All timers of a process on one wheel: a slot for each of the next 1,024 milliseconds, and a set
 * of far ones that is looked through about twice a second. Setting, replacing and cancelling costs
 * the same whether there are ten timers or ten thousand; one timer of Node's drives it, armed for
 * the next one due, so that an idle process sleeps.
 *
 * A timer never fires before its time by `nowMs()` (Node's own may, by up to a millisecond), and
 * up to a millisecond after it. The loop's own lateness is said *before* the timers that were late
 * fire: what timed out while this process was stalled must be doubted, not believed.
 *
 * Node's timers stand still while the machine sleeps: no nap is longer than `longestNapMs`, so
 * that what came due in a sleep fires soon after it.
 */
import { nowMs } from "./clock.ts";

export interface TimerWheelOptions {
  /** `lateMs`: after its time. */
  onFire(key: string, lateMs: number): void;
  /** A timer was served this late. Called once for all that are served together, before they fire. */
  onLate?(lateMs: number): void;
  /** Less than this isn't worth a word. (Default: 5) */
  readonly lateFromMs?: number;
  /** What came due while the machine slept fires so long after it at most. (Default: 250) */
  readonly longestNapMs?: number;
  /** (Default: the process's clock) */
  readonly now?: () => number;
}

interface Entry {
  readonly key: string;
  /** The first whole millisecond at which it may fire. */
  dueMs: number;
  /** Lateness counts from here: a time that had passed when it was set isn't the loop's fault. */
  owedFromMs: number;
  place: "slot" | "far" | "nowhere";
}

/** A power of two, and above a second: most timers of a check never see the far set. */
const SLOTS = 1024;
const LONGEST_NAP_MS = 250;
const LATE_FROM_MS = 5;
/** So many are looked through faster than the slots are. */
const FEW = 16;

export class TimerWheel {
  readonly #options: TimerWheelOptions;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #slots: (Set<Entry> | undefined)[] = Array.from({ length: SLOTS });
  readonly #far = new Set<Entry>();
  /** No far timer is due before this. */
  #farFromMs = Infinity;
  /** Whole millisecond up to which all has been served. */
  #servedMs: number;
  #wakeAtMs = Infinity;
  #timer: NodeJS.Timeout | null = null;
  #serving = false;
  #closed = false;

  constructor(options: TimerWheelOptions) {
    this.#options = options;
    this.#now = options.now ?? nowMs;
    this.#servedMs = Math.floor(this.#now());
  }

  /** Timers that are set. */
  get size(): number {
    return this.#entries.size;
  }

  /** Replaces the timer of this key; null cancels it. A time that has passed fires at once, never on the caller's stack. */
  set(key: string, atMs: number | null): void {
    if (this.#closed) return;
    let entry = this.#entries.get(key);
    if (entry !== undefined) this.#take(entry);
    if (atMs === null) {
      this.#entries.delete(key);
      return;
    }
    if (Number.isNaN(atMs)) throw new TypeError(`Timer ${key} was set to a time that is no number`);
    const now = this.#now();
    // Nothing to serve in between: an idle wheel turns to the present at once.
    if (this.#entries.size === 0 && !this.#serving) this.#servedMs = Math.floor(now);
    if (entry === undefined) {
      entry = { key, dueMs: 0, owedFromMs: 0, place: "nowhere" };
      this.#entries.set(key, entry);
    }
    entry.owedFromMs = Math.max(atMs, now);
    entry.dueMs = Math.max(Math.ceil(atMs), this.#servedMs + 1);
    this.#put(entry);
    if (!this.#serving && entry.dueMs < this.#wakeAtMs) this.#arm();
  }

  /** Nothing fires any more. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#entries.clear();
    this.#far.clear();
    this.#slots.fill(undefined);
  }

  #put(entry: Entry): void {
    if (entry.dueMs <= this.#servedMs + SLOTS) {
      const index = entry.dueMs & (SLOTS - 1);
      (this.#slots[index] ??= new Set()).add(entry);
      entry.place = "slot";
    } else {
      this.#far.add(entry);
      if (entry.dueMs < this.#farFromMs) this.#farFromMs = entry.dueMs;
      entry.place = "far";
    }
  }

  #take(entry: Entry): void {
    if (entry.place === "slot") this.#slots[entry.dueMs & (SLOTS - 1)]?.delete(entry);
    else if (entry.place === "far") this.#far.delete(entry);
    entry.place = "nowhere";
  }

  #nextDueMs(): number {
    if (this.#entries.size <= FEW) return this.#earliestMs();
    for (let dueMs = this.#servedMs + 1; dueMs <= this.#servedMs + SLOTS; dueMs++) {
      const slot = this.#slots[dueMs & (SLOTS - 1)];
      if (slot !== undefined && slot.size > 0) return dueMs;
    }
    return this.#farFromMs;
  }

  #earliestMs(): number {
    let earliestMs = Infinity;
    for (const { place, dueMs } of this.#entries.values()) {
      if (place !== "nowhere" && dueMs < earliestMs) earliestMs = dueMs;
    }
    return earliestMs;
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#wakeAtMs = Infinity;
    if (this.#closed || this.#entries.size === 0) return;
    this.#wakeAtMs = this.#nextDueMs();
    const longestMs = this.#options.longestNapMs ?? LONGEST_NAP_MS;
    const napMs = Math.min(Math.max(Math.ceil(this.#wakeAtMs - this.#now()), 1), longestMs);
    this.#timer = setTimeout(this.#serve, napMs);
  }

  readonly #serve = (): void => {
    const now = this.#now();
    const due = this.#collect(Math.floor(now));
    let lateMs = 0;
    for (const entry of due) lateMs = Math.max(lateMs, now - entry.owedFromMs);
    this.#serving = true;
    try {
      if (lateMs >= (this.#options.lateFromMs ?? LATE_FROM_MS)) this.#options.onLate?.(lateMs);
      for (const entry of due) {
        // One that fired before may have cancelled it, or set it to another time.
        if (entry.place !== "nowhere" || this.#entries.get(entry.key) !== entry) continue;
        this.#entries.delete(entry.key);
        this.#options.onFire(entry.key, now - entry.owedFromMs);
      }
    } finally {
      this.#serving = false;
      this.#arm();
    }
  };

  /** Takes out all that is due, the earliest first. */
  #collect(untilMs: number): Entry[] {
    const due: Entry[] = [];
    if (untilMs <= this.#servedMs) return due;
    const lastSlotMs = Math.min(untilMs, this.#servedMs + SLOTS);
    const firstSlotMs = this.#servedMs + 1;
    const firstMs = this.#entries.size <= FEW ? Math.max(firstSlotMs, this.#earliestMs()) : firstSlotMs;
    for (let dueMs = firstMs; dueMs <= lastSlotMs; dueMs++) {
      const slot = this.#slots[dueMs & (SLOTS - 1)];
      if (slot === undefined || slot.size === 0) continue;
      for (const entry of slot) {
        entry.place = "nowhere";
        due.push(entry);
      }
      slot.clear();
    }
    this.#servedMs = untilMs;
    // Half a turn ahead: after it no far timer is nearer than a whole turn, so this runs seldom.
    if (this.#farFromMs <= untilMs + SLOTS / 2) this.#bringNear(untilMs, due);
    return due;
  }

  #bringNear(untilMs: number, due: Entry[]): void {
    this.#farFromMs = Infinity;
    const before = due.length;
    for (const entry of this.#far) {
      if (entry.dueMs > untilMs + SLOTS) {
        this.#farFromMs = Math.min(this.#farFromMs, entry.dueMs);
        continue;
      }
      this.#far.delete(entry);
      entry.place = "nowhere";
      if (entry.dueMs <= untilMs) due.push(entry);
      else this.#put(entry);
    }
    // After a stall only: far ones may be due before some of the slots' by then.
    if (due.length > before) due.sort((a, b) => a.dueMs - b.dueMs);
  }
}
