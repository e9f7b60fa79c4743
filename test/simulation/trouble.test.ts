/**
 * Worlds about one trouble each: a store restored from old copies, a store that is mostly away, a second
 * arbiter with a store of its own, arbiters whose files differ, operators who do a lot. Fixed seeds, and some that nobody has tried.
 */
import { randomInt } from "node:crypto";
import { describe as suite, expect, test } from "vitest";
import { describe, runSeed } from "../../src/simulator/run.ts";
import type { WorldName } from "../../src/simulator/worlds.ts";
import { worldOf } from "../../src/simulator/worlds.ts";

const FIXED = 8;
const FRESH = 4;
/** Several minutes of virtual time each, on a machine that may be busy. */
const TIMEOUT_MS = 120_000;

function run(world: WorldName, seed: number): string {
  const outcome = runSeed(seed, worldOf(world, seed));
  expect(outcome.activations).toBeGreaterThan(0);
  return outcome.violation === null ? "" : describe(outcome, `--world ${world} --seed ${seed} --seeds 1`);
}

suite.each(["restored", "outages", "stray", "drifted", "operators"] as const)("%s", (world) => {
  test(
    "the same seeds as ever hold every invariant",
    () => {
      for (let seed = 1; seed <= FIXED; seed++) expect(run(world, seed)).toBe("");
    },
    TIMEOUT_MS,
  );

  test(
    "and so do fresh ones",
    () => {
      for (let count = 0; count < FRESH; count++) expect(run(world, randomInt(1_000_000, 2 ** 31))).toBe("");
    },
    TIMEOUT_MS,
  );
});
