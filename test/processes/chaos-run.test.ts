/**
 * Chaos in small: a real cluster of launchers, library daemons and an arbiter, with ten freezes, ten
 * kills, two stops and two disks in trouble, in an order that a seed draws. `npm run chaos` is the
 * same for longer.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { processesOf } from "../chaos/leftovers.ts";

const DRIVER = join(import.meta.dirname, "..", "chaos", "main.ts");
/** Known by the marker alone: the driver's folder is its own. */
const NOWHERE = "/nowhere";
const LIMIT_MS = 180_000;
const marker = randomUUID();

// Should the driver itself fail, nothing of its cluster stays.
afterAll(() => {
  for (const pid of processesOf(marker, NOWHERE)) process.kill(pid, "SIGKILL");
});

test(
  "no old holder acts, no gap is too long, nothing is left behind",
  async () => {
    const seed = Math.floor(Math.random() * 1e6);
    const counts = ["--freezes", "10", "--kills", "10", "--stops", "1", "--disks", "1", "--storms", "2"];
    const words = [DRIVER, ...counts, "--seed", String(seed), "--marker", marker, "--json"];
    const driver = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
    let json = "";
    let said = "";
    driver.stdout.on("data", (chunk: Buffer) => {
      json += chunk.toString("utf8");
    });
    driver.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString("utf8");
    });
    await once(driver, "close");
    // What was done, and the seed, are what a failure has to say.
    if (json === "") throw new Error(said);
    const figures: unknown = JSON.parse(json);
    expect({ figures, said }).toMatchObject({ figures: { seed, violations: [], actsByOldHolders: 0 }, said });
    // What the arbiter decided is decided again from its journal: a difference would be a violation.
    expect(Number(/"replayedTransitions":(\d+)/u.exec(json)?.[1])).toBeGreaterThan(20);
    expect(driver.exitCode).toBe(0);
    expect(processesOf(marker, NOWHERE)).toEqual([]);
  },
  LIMIT_MS,
);
