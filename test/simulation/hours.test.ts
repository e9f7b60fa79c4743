/**
 * A thousand hours and more of the small world, with seeds that nobody has tried, on all cores. It takes
 * seconds; `npm run sim -- --world small --fresh --hours 100000` goes on for longer.
 */
import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { runMany } from "../../src/simulator/many.ts";

const HOURS = 1000;
const HOUR_MS = 3_600_000;

test("a thousand virtual hours with fresh seeds hold every invariant", { timeout: 120_000 }, async () => {
  const totals = await runMany({
    world: "small",
    firstSeed: randomInt(1_000_000, 2 ** 31),
    seeds: HOURS,
    virtualMs: HOURS * HOUR_MS,
    mutation: null,
    fastForward: true,
  });
  expect(totals.found.map(({ found }) => found?.text).join("\n")).toBe("");
  expect(totals.virtualMs).toBeGreaterThan(HOURS * HOUR_MS);
  // Not because nothing happened.
  expect(totals.activations).toBeGreaterThan(HOURS);
  expect(totals.promisesAsked).toBeGreaterThan(HOURS);
});
