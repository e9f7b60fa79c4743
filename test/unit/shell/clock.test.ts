import { uptime } from "node:os";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { createClock, exactNowMs, nowMs, wallMs, type SleepAwareClock } from "../../../src/shell/clock.ts";

/** A machine whose time passes by hand, with an uptime that counts hundredths of a second. */
class Machine {
  awakeMs = 5_000;
  sleptMs = 0;
  wallStepMs = 0;
  uptimeReadings = 0;
  readonly clock: SleepAwareClock = createClock({
    monotonicMs: () => this.awakeMs,
    bootMs: () => {
      this.uptimeReadings++;
      this.awakeMs += 0.004;
      return Math.floor((this.awakeMs + this.sleptMs) / 10) * 10;
    },
    wallMs: () => Math.floor(1.8e12 + this.awakeMs + this.sleptMs + this.wallStepMs),
  });
  pass(ms: number): void {
    this.awakeMs += ms;
  }
  sleep(ms: number): void {
    this.sleptMs += ms;
  }
  trueMs(): number {
    return this.awakeMs + this.sleptMs;
  }
}

describe("the clock that counts sleep", () => {
  test("is right to a few microseconds once it has seen uptime step", () => {
    const machine = new Machine();
    machine.pass(3.3);
    machine.clock.nowMs();
    for (let i = 0; i < 50; i++) {
      machine.pass(7.7);
      expect(Math.abs(machine.clock.nowMs() - machine.trueMs())).toBeLessThan(0.01);
    }
  });

  test("notices a sleep at the very next call, to within uptime's grain", () => {
    for (const sleptMs of [15, 40, 300, 3_600_000]) {
      const machine = new Machine();
      machine.clock.nowMs();
      machine.pass(1);
      const before = machine.clock.nowMs();
      machine.sleep(sleptMs);
      const passed = machine.clock.nowMs() - before;
      expect(passed).toBeGreaterThan(sleptMs - 10.1);
      expect(passed).toBeLessThanOrEqual(sleptMs + 0.01);
    }
  });

  test("a sleep that a step of the wall clock hides is noticed 25 ms later, by the exact clock at once", () => {
    const machine = new Machine();
    machine.clock.nowMs();
    machine.sleep(60_000);
    machine.wallStepMs = -60_000;
    const exact = machine.clock.exactNowMs();
    expect(machine.trueMs() - exact).toBeLessThan(10.1);

    const other = new Machine();
    other.clock.nowMs();
    other.sleep(60_000);
    other.wallStepMs = -60_000;
    other.pass(25);
    expect(other.trueMs() - other.clock.nowMs()).toBeLessThan(10.1);
  });

  test("steps of the wall clock mean nothing", () => {
    const machine = new Machine();
    machine.clock.nowMs();
    for (const stepMs of [3_600_000, -86_400_000, 17, -4]) {
      machine.wallStepMs += stepMs;
      machine.pass(1);
      expect(Math.abs(machine.clock.nowMs() - machine.trueMs())).toBeLessThan(0.01);
    }
  });

  test("never goes back, and never runs ahead of the truth", () => {
    const machine = new Machine();
    let last = machine.clock.nowMs();
    for (let i = 1; i < 2_000; i++) {
      machine.pass((i * 7919) % 13);
      if (i % 97 === 0) machine.sleep((i * 31) % 400);
      if (i % 41 === 0) machine.wallStepMs += ((i * 17) % 900) - 450;
      const now = machine.clock.nowMs();
      expect(now).toBeGreaterThanOrEqual(last);
      expect(now).toBeLessThanOrEqual(machine.trueMs() + 1e-6);
      last = now;
    }
  });

  test("reads uptime seldom: 40 times a second at most while nothing happens", () => {
    const machine = new Machine();
    machine.clock.nowMs();
    const before = machine.uptimeReadings;
    for (let i = 0; i < 10_000; i++) {
      machine.pass(0.1);
      machine.clock.nowMs();
    }
    expect(machine.uptimeReadings - before).toBeLessThanOrEqual(41);
  });

  test("without a trusted uptime it is the monotonic clock", () => {
    const clock = createClock({ monotonicMs: () => 42.5, bootMs: null, wallMs: () => 7 });
    expect(clock.nowMs()).toBe(42.5);
    expect(clock.exactNowMs()).toBe(42.5);
  });
});

describe("the process's clocks", () => {
  test.runIf(process.platform === "linux")("nowMs is the machine's time since boot", () => {
    const before = uptime() * 1000;
    const now = nowMs();
    const after = uptime() * 1000 + 10;
    expect(now).toBeGreaterThan(before - 11);
    expect(now).toBeLessThan(after + 1);
    expect(exactNowMs()).toBeGreaterThanOrEqual(now);
  });

  test("another thread of the process reads the same time", async () => {
    const url = new URL("../../../src/shell/clock.ts", import.meta.url).href;
    const code = `const { parentPort } = require("node:worker_threads");
      import(${JSON.stringify(url)}).then(({ nowMs }) => parentPort.postMessage(nowMs()));`;
    nowMs();
    const before = nowMs();
    const worker = new Worker(code, { eval: true });
    const there = await new Promise<number>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    const after = nowMs();
    await worker.terminate();
    expect(there).toBeGreaterThan(before - 10);
    expect(there).toBeLessThan(after + 10);
  });

  test("wallMs is the wall clock", () => {
    expect(Math.abs(wallMs() - Date.now())).toBeLessThan(1_000);
  });
});
