/**
 * A machine with its own clock, and a process on it that can be paused or killed.
 *
 * Clocks differ in rate by no more than `clock_drift`, and by any offset: no step of the protocol may
 * rest on two clocks agreeing. A paused process (SIGSTOP, a blocked event loop) takes nothing in;
 * once it goes on, everything comes at once, and late.
 */
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
  readonly #timers = new Map<string, Timer>();
  readonly #latenessMs: number;

  constructor(world: World, clock: Clock, latenessMs: number) {
    this.world = world;
    this.clock = clock;
    this.#latenessMs = latenessMs;
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
      timer = new Timer(this);
      this.#timers.set(key, timer);
    }
    if (atMs === null) {
      timer.cancel();
      return;
    }
    const { world, clock } = this;
    const lateMs = LEAST_LATE_MS + this.#latenessMs * world.random.next();
    timer.set(Math.max(world.nowMs, clock.toWorld(atMs)) + lateMs, fire);
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
 * A timer that is mostly put off before it fires: each renewal does. So it has one place on the
 * agenda, and moves on from there when its time comes too early.
 */
class Timer {
  readonly #process: Process;
  #dueMs = Number.POSITIVE_INFINITY;
  #plannedMs = Number.POSITIVE_INFINITY;
  #fire: () => void = () => {};
  #count = 0;

  constructor(process: Process) {
    this.#process = process;
  }

  set(dueMs: number, fire: () => void): void {
    this.#count += 1;
    this.#dueMs = dueMs;
    this.#fire = fire;
    if (dueMs < this.#plannedMs) this.#plan();
  }

  cancel(): void {
    this.#count += 1;
    this.#dueMs = Number.POSITIVE_INFINITY;
  }

  #plan(): void {
    this.#plannedMs = this.#dueMs;
    this.#process.world.at(this.#dueMs, this.#look);
  }

  readonly #look = (): void => {
    const { nowMs } = this.#process.world;
    if (this.#plannedMs <= nowMs) this.#plannedMs = Number.POSITIVE_INFINITY;
    if (this.#dueMs > nowMs) {
      if (this.#dueMs < this.#plannedMs) this.#plan();
      return;
    }
    this.#dueMs = Number.POSITIVE_INFINITY;
    const count = this.#count;
    // A paused process takes it later, unless it was set anew by something before it.
    this.#process.run(() => {
      if (this.#count === count) this.#fire();
    });
  };
}
