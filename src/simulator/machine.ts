/**
 * A machine with its own clock, and a process on it that can be paused or killed.
 *
 * Clocks differ in rate by no more than `clock_drift`, and by any offset: no step of the protocol may
 * rest on two clocks agreeing. A paused process (SIGSTOP, a blocked event loop) takes nothing in;
 * once it goes on, everything comes at once, and late.
 */
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export class Clock {
  readonly #rate: number;
  readonly #offsetMs: number;

  constructor(rate: number, offsetMs: number) {
    this.#rate = rate;
    this.#offsetMs = offsetMs;
  }

  /** What it shows at a virtual instant. */
  at(worldMs: number): number {
    return this.#offsetMs + worldMs * this.#rate;
  }

  /** The virtual instant at which it shows this. */
  toWorld(localMs: number): number {
    return (localMs - this.#offsetMs) / this.#rate;
  }
}

/** Two clocks drawn like this differ in rate by `drift` at most: 1/√(1+drift) to √(1+drift). */
export function drawClock(world: World, drift: number): Clock {
  const { random } = world;
  const extreme = random.chance(0.5) ? random.pick([-1, 1]) : random.between(-1, 1);
  const rate = (1 + drift) ** (extreme / 2);
  return new Clock(rate, random.between(1_000, 100_000_000));
}

/** A timer of the operating system is never early, and always a little late. */
const LEAST_LATE_MS = 0.05;

export class Process {
  readonly world: World;
  readonly clock: Clock;
  isAlive = true;
  isPaused = false;
  pausedAtMs = 0;
  #late: (() => void)[] = [];
  /** Different for each start on each machine: its timers draw from streams of their own. */
  readonly #name: string;
  readonly #timers = new Map<string, Timer>();
  readonly #latenessMs: number;

  constructor(world: World, clock: Clock, latenessMs: number, name: string) {
    this.world = world;
    this.clock = clock;
    this.#latenessMs = latenessMs;
    this.#name = name;
  }

  nowMs(): number {
    return this.clock.at(this.world.nowMs);
  }

  /** Does it now, or when the process goes on; a dead one never does. */
  run(act: () => void): void {
    if (!this.isAlive) return;
    if (this.isPaused) this.#late.push(act);
    else act();
  }

  after(delayMs: number, act: () => void): void {
    this.world.after(delayMs, () => {
      this.run(act);
    });
  }

  /** Replaces the timer of this key; null cancels it. `atMs` is of the process's own clock. */
  timer(key: string, atMs: number | null, fire: () => void): void {
    let timer = this.#timers.get(key);
    if (timer === undefined) {
      if (atMs === null) return;
      timer = new Timer(this, this.world.stream(`${this.#name} ${key}`), this.#latenessMs);
      this.#timers.set(key, timer);
    }
    if (atMs === null) timer.cancel();
    else timer.set(atMs, fire);
  }

  /** Null: it was never set. */
  timerOf(key: string): Timer | null {
    return this.#timers.get(key) ?? null;
  }

  pause(): void {
    if (!this.isAlive || this.isPaused) return;
    this.isPaused = true;
    this.pausedAtMs = this.world.nowMs;
  }

  /** What came meanwhile is taken now; timers and sockets have no order among each other. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const late = this.#late;
    this.#late = [];
    const { random } = this.world;
    if (random.chance(0.5)) late.reverse();
    for (const act of late) this.run(act);
  }

  kill(): void {
    this.isAlive = false;
    this.isPaused = false;
    this.#late = [];
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}

/**
 * Something that is mostly put off before it is due: each renewal does. So it has one place on the
 * agenda, and moves on from there when its time comes too early.
 */
export class Alarm {
  /** `Infinity`: not set. */
  dueMs: number = Number.POSITIVE_INFINITY;
  readonly #world: World;
  readonly #ring: () => void;
  #plannedMs = Number.POSITIVE_INFINITY;

  constructor(world: World, ring: () => void) {
    this.#world = world;
    this.#ring = ring;
  }

  set(dueMs: number): void {
    this.dueMs = dueMs;
    if (dueMs < this.#plannedMs) this.#plan();
  }

  cancel(): void {
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  #plan(): void {
    this.#plannedMs = this.dueMs;
    this.#world.at(this.dueMs, this.look);
  }

  /** What stands on the agenda. */
  readonly look = (): void => {
    const { nowMs } = this.#world;
    if (this.#plannedMs <= nowMs) this.#plannedMs = Number.POSITIVE_INFINITY;
    if (this.dueMs > nowMs) {
      if (this.dueMs < this.#plannedMs) this.#plan();
      return;
    }
    this.dueMs = Number.POSITIVE_INFINITY;
    this.#ring();
  };
}

/** A timer of a process: never early, a little late, and later still while the process is paused. */
export class Timer {
  readonly alarm: Alarm;
  readonly #process: Process;
  readonly #random: Random;
  readonly #latenessMs: number;
  #fire: () => void = () => {};
  #count = 0;

  constructor(process: Process, random: Random, latenessMs: number) {
    this.#process = process;
    this.#random = random;
    this.#latenessMs = latenessMs;
    this.alarm = new Alarm(process.world, this.#ring);
  }

  set(atMs: number, fire: () => void): void {
    this.#count += 1;
    this.#fire = fire;
    this.alarm.set(this.dueOf(atMs, this.#process.world.nowMs));
  }

  /** When it comes, of the world's time, if it is set for `atMs` of the process's clock. */
  dueOf(atMs: number, worldMs: number): number {
    const lateMs = LEAST_LATE_MS + this.#latenessMs * this.#random.next();
    return Math.max(worldMs, this.#process.clock.toWorld(atMs)) + lateMs;
  }

  cancel(): void {
    this.#count += 1;
    this.alarm.cancel();
  }

  readonly #ring = (): void => {
    const count = this.#count;
    // A paused process takes it later, unless it was set anew by something before it.
    this.#process.run(() => {
      if (this.#count === count) this.#fire();
    });
  };
}
