import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { nowMs } from "../../../src/shell/clock.ts";
import { TimerWheel } from "../../../src/shell/timer-wheel.ts";

const wheels: TimerWheel[] = [];
afterEach(() => {
  for (const wheel of wheels.splice(0)) wheel.close();
});

interface Fired {
  readonly key: string;
  readonly atMs: number;
}

function recording(): { wheel: TimerWheel; fired: Fired[] } {
  const fired: Fired[] = [];
  const wheel = new TimerWheel({ onFire: (key) => fired.push({ key, atMs: nowMs() }) });
  wheels.push(wheel);
  return { wheel, fired };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

function block(ms: number): void {
  const endMs = nowMs() + ms;
  while (nowMs() < endMs) {
    // A stalled loop.
  }
}

describe("the timer wheel", () => {
  test("fires in the order of time, never early, whatever was set, moved or cancelled", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            key: fc.integer({ min: 0, max: 30 }),
            inMs: fc.option(fc.double({ min: -5, max: 60, noNaN: true })),
          }),
          { minLength: 1, maxLength: 120 },
        ),
        async (sets) => {
          const { wheel, fired } = recording();
          const wanted = new Map<string, number>();
          const base = nowMs();
          for (const { key, inMs } of sets) {
            const atMs = inMs === null ? null : base + inMs;
            wheel.set(`t${key}`, atMs);
            if (atMs === null) wanted.delete(`t${key}`);
            else wanted.set(`t${key}`, atMs);
          }
          expect(wheel.size).toBe(wanted.size);
          await until(() => fired.length >= wanted.size);
          await sleep(2);
          expect(fired.map(({ key }) => key).toSorted()).toEqual([...wanted.keys()].toSorted());
          for (const { key, atMs } of fired) expect(atMs).toBeGreaterThanOrEqual(wanted.get(key) ?? Infinity);
          const due = fired.map(({ key }) => Math.max(Math.ceil(wanted.get(key) ?? 0), Math.ceil(base)));
          for (let i = 1; i < due.length; i++) expect(due[i]).toBeGreaterThanOrEqual((due[i - 1] ?? 0) - 1);
          wheel.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  test("a far timer comes near, and one set nearer replaces it", async () => {
    const { wheel, fired } = recording();
    const base = nowMs();
    wheel.set("far", base + 1_400);
    wheel.set("never", base + 3_600_000);
    wheel.set("moved", base + 3_600_000);
    wheel.set("moved", base + 30);
    wheel.set("put off", base + 20);
    wheel.set("put off", base + 1_300);
    await until(() => fired.length === 3);
    expect(fired.map(({ key }) => key)).toEqual(["moved", "put off", "far"]);
    expect(fired[0]?.atMs).toBeGreaterThanOrEqual(base + 30);
    expect(fired[1]?.atMs).toBeGreaterThanOrEqual(base + 1_300);
    expect(fired[2]?.atMs).toBeGreaterThanOrEqual(base + 1_400);
    expect(wheel.size).toBe(1);
  });

  test("a wheel that was idle for longer than a turn serves what is set then", async () => {
    const { wheel, fired } = recording();
    await sleep(1_100);
    const base = nowMs();
    wheel.set("b", base + 12);
    wheel.set("a", base + 6);
    await until(() => fired.length === 2);
    expect(fired.map(({ key }) => key)).toEqual(["a", "b"]);
  });

  test("ten thousand timers, each set again as it fires", async () => {
    let rounds = 0;
    const due = new Map<string, number>();
    let early = 0;
    const wheel: TimerWheel = new TimerWheel({
      onFire: (key) => {
        if (nowMs() < (due.get(key) ?? Infinity)) early++;
        rounds++;
        if (rounds < 30_000) {
          const atMs = nowMs() + 100;
          due.set(key, atMs);
          wheel.set(key, atMs);
        }
      },
    });
    wheels.push(wheel);
    const base = nowMs();
    for (let i = 0; i < 10_000; i++) {
      const atMs = base + i / 100;
      due.set(`daemon-${i}`, atMs);
      wheel.set(`daemon-${i}`, atMs);
    }
    await until(() => wheel.size === 0);
    expect(early).toBe(0);
    expect(rounds).toBeGreaterThanOrEqual(30_000);
  });

  test("one that fires may cancel and move others that are due with it", async () => {
    const fired: string[] = [];
    const wheel: TimerWheel = new TimerWheel({
      onFire: (key) => {
        fired.push(key);
        if (key !== "first") return;
        wheel.set("cancelled", null);
        wheel.set("moved", nowMs() + 15);
        wheel.set("first again", nowMs());
      },
    });
    wheels.push(wheel);
    const atMs = nowMs() + 5;
    for (const key of ["first", "cancelled", "moved", "last"]) wheel.set(key, atMs);
    await until(() => fired.includes("moved"));
    expect(fired).toEqual(["first", "last", "first again", "moved"]);
  });

  test("never fires on the caller's stack, even when the time has passed", async () => {
    const { wheel, fired } = recording();
    wheel.set("past", nowMs() - 1_000);
    expect(fired).toEqual([]);
    await until(() => fired.length === 1);
  });

  test("says how late the loop was before the timers that were late fire", async () => {
    // A stalled arbiter once counted the time-outs that its own stall had made, because it heard
    // of the stall after them.
    const log: string[] = [];
    let late = 0;
    const wheel = new TimerWheel({
      onFire: (key) => log.push(key),
      onLate: (lateMs) => {
        late = lateMs;
        log.push("late");
      },
    });
    wheels.push(wheel);
    const base = nowMs();
    wheel.set("a", base + 5);
    wheel.set("b", base + 20);
    block(80);
    await until(() => log.length === 3);
    expect(log).toEqual(["late", "a", "b"]);
    expect(late).toBeGreaterThanOrEqual(74);
    expect(late).toBeLessThanOrEqual(nowMs() - base);
  });

  test("a time that had passed when it was set isn't the loop's lateness", async () => {
    const late: number[] = [];
    let fired = 0;
    const wheel = new TimerWheel({ onFire: () => fired++, onLate: (lateMs) => late.push(lateMs) });
    wheels.push(wheel);
    wheel.set("past", nowMs() - 60_000);
    await until(() => fired === 1);
    for (const lateMs of late) expect(lateMs).toBeLessThan(60_000);
  });

  test("after a sleep of the machine, what came due in it fires soon, and it is said", async () => {
    let sleptMs = 0;
    const late: number[] = [];
    const fired: string[] = [];
    const wheel = new TimerWheel({
      onFire: (key) => fired.push(key),
      onLate: (lateMs) => late.push(lateMs),
      now: () => nowMs() + sleptMs,
    });
    wheels.push(wheel);
    // Node's own timer would wait out the whole minute.
    wheel.set("lease", nowMs() + 60_000);
    sleptMs = 3_600_000;
    await until(() => fired.length === 1);
    expect(late[0]).toBeGreaterThan(3_500_000);
  });

  test("closed, it fires nothing and takes nothing", async () => {
    const { wheel, fired } = recording();
    wheel.set("a", nowMs() + 5);
    wheel.close();
    wheel.set("b", nowMs() + 5);
    await sleep(15);
    expect(fired).toEqual([]);
    expect(wheel.size).toBe(0);
  });

  test("a time that is no number is a programmer's error", () => {
    const { wheel } = recording();
    expect(() => wheel.set("a", Number.NaN)).toThrow(/no number/);
  });
});
