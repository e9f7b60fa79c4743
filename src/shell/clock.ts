/**
 * The process's clocks.
 *
 * `nowMs()` is the clock of leases, promises and leadership: monotonic, in milliseconds with a
 * fraction, and it counts the time that the machine slept. Node's own monotonic clock
 * (`process.hrtime`) stands still in sleep; `os.uptime()` doesn't, but has a grain of 10 ms. So it
 * is hrtime plus the largest lead of uptime over hrtime that was ever seen. That lead is constant
 * while the machine is awake, jumps when it slept, and only ever rises: the clock never goes back.
 *
 * It is the boot-time clock of the machine, not one of the process: threads and processes of one
 * machine may compare their readings to within the grain (`clock_slack` covers it).
 *
 * Reading uptime opens a file (4.5 µs here, hrtime 0.05 µs), which is too much for every call of a
 * hot path. Sleep moves the wall clock too, and reading that one is cheap (0.04 µs): so uptime is
 * read when the wall clock has left hrtime by more than `WALL_HINT_MS`, and every `RECHECK_MS` at
 * the latest. The wall clock only ever causes a reading; no step of it changes the result.
 * `exactNowMs()` reads uptime at every call, for those that ask rarely and must be sure.
 */
import { uptime } from "node:os";

/** What a clock is made of; tests put a sleeping machine here. */
export interface ClockSources {
  /** Monotonic milliseconds that stand still in sleep. */
  monotonicMs(): number;
  /** Milliseconds since boot, sleep included; null where there is no such clock to trust. */
  readonly bootMs: (() => number) | null;
  wallMs(): number;
}

export interface SleepAwareClock {
  nowMs(): number;
  exactNowMs(): number;
}

/** No sleep is shorter; slewing the wall clock by the most that adjtime does takes 10 s to get there. */
const WALL_HINT_MS = 5;
/** 40 readings a second at most, 0.02 % of a core, in case that wall clock and sleep cancel out. */
const RECHECK_MS = 25;
/** Uptime counts hundredths of a second: within this its next step is seen. */
const CALIBRATION_MS = 12;
/** A source that never moves must not hang the start. */
const CALIBRATION_READINGS = 100_000;

export function createClock(sources: ClockSources): SleepAwareClock {
  const { bootMs } = sources;
  if (bootMs === null) {
    return { nowMs: () => sources.monotonicMs(), exactNowMs: () => sources.monotonicMs() };
  }
  let leadMs = Number.NEGATIVE_INFINITY;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let wallLeadMs = 0;

  // Says whether the lead rose.
  const readUptime = (): boolean => {
    const boot = bootMs();
    // After uptime, so that what passes between the two makes the lead too small, never too large.
    const monotonic = sources.monotonicMs();
    const rose = boot - monotonic > leadMs;
    if (rose) leadMs = boot - monotonic;
    readAtMs = monotonic;
    wallLeadMs = sources.wallMs() - monotonic;
    return rose;
  };

  // Once, at the first reading: watch uptime step, since only right behind a step is it exact.
  // Between two steps the lead falls, so that it rises at a step and at nothing else.
  const calibrate = (): void => {
    readUptime();
    const untilMs = readAtMs + CALIBRATION_MS;
    for (let left = CALIBRATION_READINGS; left > 0; left--) {
      if (readUptime() || readAtMs >= untilMs) return;
    }
  };

  const exact = (): number => {
    if (readAtMs === Number.NEGATIVE_INFINITY) calibrate();
    readUptime();
    return readAtMs + leadMs;
  };
  const cheap = (): number => {
    const monotonic = sources.monotonicMs();
    const strayedMs = sources.wallMs() - monotonic - wallLeadMs;
    if (monotonic - readAtMs < RECHECK_MS && strayedMs < WALL_HINT_MS && strayedMs > -WALL_HINT_MS) {
      return monotonic + leadMs;
    }
    return exact();
  };
  return { nowMs: cheap, exactNowMs: exact };
}

function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

const processClock: SleepAwareClock = createClock({
  monotonicMs,
  // Elsewhere libuv's monotonic clock counts sleep by itself (macOS, Windows), and uptime follows
  // the wall clock (macOS).
  bootMs: process.platform === "linux" ? () => uptime() * 1000 : null,
  wallMs: Date.now,
});

/** Monotonic milliseconds that count sleep. Cheap: 0.15 µs. */
export function nowMs(): number {
  return processClock.nowMs();
}

/** The same, reading uptime at the call: 5 µs. */
export function exactNowMs(): number {
  return processClock.exactNowMs();
}

/** Milliseconds since 1970, for people's eyes: no decision compares them. */
export function wallMs(): number {
  return Date.now();
}
