/** The guard alone, on a machine that can be put to sleep and on one that can't: it strikes in time on both. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { GUARD_SCRIPT } from "../../src/launcher/guard-script.ts";
import { readStat } from "../../src/launcher/process-group.ts";
import { uptimeCentisecondsAt } from "../../src/launcher/uptime.ts";
import { nowMs } from "../../src/shell/clock.ts";
import { makeFolder, runs, until } from "./launcher-workshop.ts";

test.each([
  { machine: "that can sleep", states: "freeze mem disk\n" },
  { machine: "that can't", states: "" },
  { machine: "that doesn't say", states: null },
])("a machine $machine: the end that was said last counts, to the hundredth", async ({ states }) => {
  const folder = makeFolder();
  const file = join(folder, "state");
  if (states !== null) writeFileSync(file, states);
  const script = GUARD_SCRIPT.replaceAll("/sys/power/state", file);
  expect(script).toContain(file);
  const guard = spawn("bash", ["-c", script], { stdio: ["pipe", "pipe", "inherit"], detached: true });
  const program = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
  let said = "";
  guard.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const pid = program.pid ?? 0;
  const inCs = (ms: number): number => uptimeCentisecondsAt(nowMs() + ms);
  guard.stdin.write(`${pid} ${readStat(pid)?.startTicks ?? ""} ${inCs(60_000)} \n`);
  guard.stdin.write(`=${inCs(300)}\n`);
  const endCs = inCs(900);
  guard.stdin.write(`=${endCs}\n`);
  await once(program, "exit");
  const uptimeCs = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * 100;
  // It takes one off for the clock's grain, and this test is told a little later.
  expect(uptimeCs).toBeGreaterThanOrEqual(endCs - 2);
  expect(said).toBe(`watching ${pid}\n.\n.\n`);
  await until("it says so", () => said.endsWith("struck\n"));
  guard.stdin.end();
  await once(guard, "exit");
  expect(runs(pid)).toBe(false);
  rmSync(folder, { recursive: true });
});
