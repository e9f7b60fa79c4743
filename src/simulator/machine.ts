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
  readonly #timers = new Map<string, number>();
  #timerCount = 0;
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
    this.#timerCount += 1;
    const count = this.#timerCount;
    if (atMs === null) {
      this.#timers.delete(key);
      return;
    }
    this.#timers.set(key, count);
    const lateMs = LEAST_LATE_MS + this.#latenessMs * this.world.random.next();
    this.world.at(Math.max(this.world.nowMs, this.clock.toWorld(atMs)) + lateMs, () => {
      if (this.#timers.get(key) !== count) return;
      this.run(() => {
        if (this.#timers.get(key) !== count) return;
        this.#timers.delete(key);
        fire();
      });
    });
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
    this.#timers.clear();
  }
}
