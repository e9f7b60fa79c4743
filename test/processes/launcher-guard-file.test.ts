/**
 * The file in which a guard finds renewals that nobody woke it for. What it says may put off the kill and nothing
 * else, and only if it was written after the last line that the guard was sent (I1): a guard alone, and
 * records as the launcher writes them, as a slip of it would, and as they look half written.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeSync } from "node:fs";
import { expect, test } from "vitest";
import { EndFile } from "../../src/launcher/end-file.ts";
import { GUARD_SCRIPT } from "../../src/launcher/guard-script.ts";
import { readStat } from "../../src/launcher/process-group.ts";
import { uptimeCentisecondsAt } from "../../src/launcher/uptime.ts";
import { nowMs } from "../../src/shell/clock.ts";
import { runs } from "./launcher-workshop.ts";

const TOLD_MS = 300;
const LATER_MS = 1100;

/** When the guard killed, in milliseconds after it was told of an end after `TOLD_MS`. */
async function killedAfterMs(
  record: (later: number, now: number) => string,
  more: readonly string[] = [],
): Promise<number> {
  const file = new EndFile();
  expect(file.descriptor).not.toBeNull();
  const guard = spawn("bash", ["-c", GUARD_SCRIPT], {
    stdio: ["pipe", "pipe", "inherit", "ignore", file.descriptor],
    detached: true,
  });
  const program = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
  const pid = program.pid ?? 0;
  const startMs = nowMs();
  const inCs = (ms: number): number => uptimeCentisecondsAt(startMs + ms);
  guard.stdin?.write(`${pid} ${readStat(pid)?.startTicks ?? ""} ${inCs(TOLD_MS)} \n`);
  for (const line of more) guard.stdin?.write(`${line}\n`);
  writeSync(file.descriptor ?? 0, record(inCs(LATER_MS), inCs(0)), 0, "latin1");
  await once(program, "exit");
  const afterMs = nowMs() - startMs;
  guard.stdin?.end();
  await once(guard, "exit");
  expect(runs(pid)).toBe(false);
  file.close();
  return afterMs;
}

test("a later end that was written after the last line puts the kill off, to the hundredth", async () => {
  const afterMs = await killedAfterMs((later) => `1 ${later} 1 ${later} \n`);
  // One is taken off for the clock's grain, one is lost in rounding down.
  expect(afterMs).toBeGreaterThanOrEqual(LATER_MS - 25);
});

test.each([
  ["nothing", (): string => ""],
  ["an end from before the last line", (later: number): string => `0 ${later} 0 ${later} \n`],
  ["an end for a line that it hasn't read", (later: number): string => `2 ${later} 2 ${later} \n`],
  ["halves that differ", (later: number): string => `1 ${later} 1 ${later - 1} \n`],
  ["half of a record", (later: number): string => `1 ${later} `],
  ["an end that is no number", (): string => "1 end 1 end \n"],
  ["an earlier end", (_: number, now: number): string => `1 ${now} 1 ${now} \n`],
])("%s: the end that a line said counts", async (_, record) => {
  const afterMs = await killedAfterMs(record);
  expect(afterMs).toBeGreaterThanOrEqual(TOLD_MS - 25);
  expect(afterMs).toBeLessThan(LATER_MS - 25);
});

test("a line that came after the record takes it back", async () => {
  const soon = `=${uptimeCentisecondsAt(nowMs() + 200)}`;
  const afterMs = await killedAfterMs((later) => `1 ${later} 1 ${later} \n`, [soon]);
  expect(afterMs).toBeLessThan(LATER_MS - 25);
});

test("without a place for it, and once it is closed, a line has to say it", () => {
  const nowhere = new EndFile("/nowhere/at/all");
  expect(nowhere.descriptor).toBeNull();
  expect(nowhere.write(1, 100)).toBe(false);
  const closed = new EndFile();
  expect(closed.write(1, 100)).toBe(true);
  closed.close();
  expect(closed.write(1, 100)).toBe(false);
});
