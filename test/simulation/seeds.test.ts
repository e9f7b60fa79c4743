/**
 * The bounded batch of every `npm test`: seeds that are always the same, scenarios that once failed,
 * and some that nobody has tried yet. A failure prints seed, options, the end of the trace and how to
 * replay it. The long runs are `npm run sim`.
 */
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe as suite, expect, test } from "vitest";
import type { Overrides } from "../../src/simulator/options.ts";
import { describe, runSeed } from "../../src/simulator/run.ts";
import { readScenario } from "../../src/simulator/scenario.ts";

const FIXED = Array.from({ length: 10 }, (_, at) => 1 + at * 10);
const SEEDS_A_BATCH = 10;
const FRESH = 25;

const SCENARIOS = new URL("./scenarios/", import.meta.url);

function mustPass(seed: number, options: Overrides = {}): void {
  const outcome = runSeed(seed, options);
  if (outcome.violation !== null) throw new Error(describe(outcome), { cause: outcome.error });
}

suite("seeds", () => {
  test.each(FIXED)(`${SEEDS_A_BATCH} seeds from %i on hold every invariant`, (first) => {
    for (let at = 0; at < SEEDS_A_BATCH; at++) expect(() => mustPass(first + at)).not.toThrow();
  });

  // With all that was drawn for them then: `npm run sim -- --save test/simulation/scenarios` keeps one.
  const kept = readdirSync(SCENARIOS).map((file) => {
    const { found, seed, options } = readScenario(readFileSync(new URL(file, SCENARIOS), "utf8"));
    return [file, found, seed, options] as const;
  });
  test.each(kept)("%s, which once found: %s", (_file, _found, seed, options) => {
    expect(() => mustPass(seed, options)).not.toThrow();
  });

  test("fresh seeds hold every invariant", () => {
    for (let count = 0; count < FRESH; count++) {
      const seed = randomInt(1_000_000, 2 ** 31);
      expect(() => mustPass(seed)).not.toThrow();
    }
  });

  test("a run does something: services move, fail over and survive on promises", () => {
    const sums = { activations: 0, commits: 0, promisesAsked: 0 };
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const { activations, commits, promisesAsked } = runSeed(seed);
      sums.activations += activations;
      sums.commits += commits;
      sums.promisesAsked += promisesAsked;
    }
    expect(sums.activations).toBeGreaterThan(100);
    expect(sums.commits).toBeGreaterThan(sums.activations);
    expect(sums.promisesAsked).toBeGreaterThan(100);
  });
});

suite("a seed", () => {
  test("replays exactly: same trace, same end", () => {
    const [one, other] = [runSeed(17), runSeed(17)];
    expect(other).toEqual(one);
    expect(runSeed(18).traceHash).not.toBe(one.traceHash);
  });
});
