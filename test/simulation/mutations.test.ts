/**
 * Each rule that keeps two daemons apart is left out once, and the simulator has to notice. A rule
 * whose absence nothing notices is either not needed or not tested.
 */
import { describe, expect, test } from "vitest";
import { MUTATION_NAMES, MUTATIONS } from "../../src/simulator/mutations.ts";
import { runSeed } from "../../src/simulator/run.ts";
import { AIMS } from "./aims.ts";

test("every rule that can be left out is tried", () => {
  expect([...MUTATION_NAMES].toSorted()).toEqual(Object.keys(MUTATIONS).toSorted());
});

/** Far more than any of them needs today, so that a change of the draws doesn't make it fail. */
const MOST_SEEDS = 80;

describe.each(MUTATION_NAMES)("without the rule: %s", (name) => {
  test("two daemons hold one service, or an old epoch is taken", () => {
    let found: string | null = null;
    for (let seed = 1; seed <= MOST_SEEDS && found === null; seed++) {
      found = runSeed(seed, AIMS[name], MUTATIONS[name]).violation;
    }
    expect(found).toMatch(/^I[123]: /);
  });

  test("with it, the same runs find nothing", () => {
    for (let seed = 1; seed <= 5; seed++) expect(runSeed(seed, AIMS[name]).violation).toBeNull();
  });
});
