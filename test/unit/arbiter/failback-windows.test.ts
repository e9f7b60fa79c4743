/** The calendar of `failback_window`, with real cron and the real clock. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { FailbackWindows } from "../../../src/arbiter/failback-windows.ts";
import { model, serviceSpec } from "../core/arbiter-models.ts";

const HOUR_MS = 3_600_000;
const opened: [string, number][] = [];
const windows = new FailbackWindows((window, forMs) => opened.push([window, forMs]));

afterEach(() => {
  windows.close();
  opened.length = 0;
});

function withWindow(failbackWindow?: string): ReturnType<typeof model> {
  return model([], [serviceSpec("svc", failbackWindow === undefined ? {} : { failbackWindow })]);
}

/** Of this machine, in its own time zone. */
function localTime(hour: number, minute: number): number {
  return new Date(2026, 5, 1, hour, minute).getTime();
}

test("one that is open already is told with what is left of it", () => {
  windows.follow(withWindow("0 2 * * * for 1h"), localTime(2, 15));
  expect(opened).toEqual([["0 2 * * * for 1h", 0.75 * HOUR_MS]]);
});

test.each([
  [1, 59],
  [3, 0],
  [14, 0],
])("at %i:%i it is closed", (hour, minute) => {
  windows.follow(withWindow("0 2 * * * for 1h"), localTime(hour, minute));
  expect(opened).toEqual([]);
});

test("one that reaches over midnight is found the next morning", () => {
  windows.follow(withWindow("30 22 * * * for 8h"), localTime(5, 30));
  expect(opened).toEqual([["30 22 * * * for 8h", HOUR_MS]]);
});

test("an opening is told when it comes, and no more once no service names it", async () => {
  windows.follow(withWindow("* * * * * * for 1s"), Date.now());
  const before = opened.length;
  for (let tries = 0; tries < 100 && opened.length < before + 2; tries += 1) await sleep(100);
  expect(opened.length).toBeGreaterThanOrEqual(before + 2);
  windows.follow(withWindow(), Date.now());
  const after = opened.length;
  await sleep(1500);
  expect(opened.length).toBe(after);
});
