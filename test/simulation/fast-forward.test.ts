/**
 * Quiet time is reckoned instead of played: nobody may be able to tell. The same seeds are run both
 * ways; what happened must be the same to the last bit, and so must both cores' states, at the end of
 * each quiet time and just before it.
 */
import { expect, test } from "vitest";
import { NO_MUTATION } from "../../src/simulator/mutations.ts";
import type { Overrides } from "../../src/simulator/options.ts";
import { drawOptions } from "../../src/simulator/options.ts";
import { Random } from "../../src/simulator/random.ts";
import { runSeed } from "../../src/simulator/run.ts";
import { Simulation } from "../../src/simulator/simulation.ts";
import { DEFAULTS, smallWorld } from "../../src/simulator/small.ts";

const PLAYED = { fastForward: false };
const HOUR_MS = 3_600_000;

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
  "small world %i: what happens is the same with and without it",
  (seed) => {
    // Ten times as much as usual happens, so that quiet time begins and ends often.
    const world: Overrides = { ...smallWorld(seed, 30_000), safetyMs: HOUR_MS };
    const played = runSeed(seed, world, NO_MUTATION, PLAYED);
    const skipped = runSeed(seed, world);
    expect(skipped.skipped).toBeGreaterThan(0);
    expect(skipped.traceHash).toBe(played.traceHash);
    expect(skipped.trace).toEqual(played.trace);
    const { activations, commits, promisesAsked, virtualMs, violation } = played;
    expect(skipped).toMatchObject({ activations, commits, promisesAsked, virtualMs, violation });
  },
);

/** Sizes and settings of all kinds, on a good network with nothing but a crash now and then. */
function drawnWorld(seed: number): Overrides {
  const { network, store, faults, ...drawn } = drawOptions(seed);
  const quiet = { lossProbability: 0, duplicateProbability: 0, longDelayProbability: 0 };
  return {
    ...drawn,
    arbiters: 1,
    safetyMs: 200 * drawn.leaseMs,
    network: { ...network, ...quiet },
    store: { ...store, latencyMs: 2, unknownProbability: 0, slowProbability: 0 },
    faults: { ...DEFAULTS.faults, lastsMs: faults.lastsMs, crashMeanMs: 60 * drawn.leaseMs },
  };
}

test("drawn worlds: what happens is the same with and without it", () => {
  let skippedIn = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const world = drawnWorld(seed);
    const played = runSeed(seed, world, NO_MUTATION, PLAYED);
    const skipped = runSeed(seed, world);
    expect(skipped.traceHash, `seed ${seed}`).toBe(played.traceHash);
    if (skipped.skipped > 0) skippedIn += 1;
  }
  // Where a service can't be held (too little capacity), it is never quiet.
  expect(skippedIn).toBeGreaterThan(10);
});

/** Both cores, and what stands around them, as far as it can be written down. */
function stateOf(simulation: Simulation): unknown {
  return structuredClone({
    arbiters: simulation.arbiters.map(({ state }) => state),
    daemons: simulation.daemons.map(({ state, name }) => ({
      state,
      work: simulation.oneHolder.beliefs("m1", simulation.world.nowMs).find(({ daemon }) => daemon === name)
        ?.leaseEndMs,
    })),
    record: simulation.store.record,
  });
}

test.each([1, 2, 3, 4])("at the end of each quiet time both cores are as they would be (seed %i)", (seed) => {
  const random = new Random(seed);
  const make = (fastForward: boolean): Simulation => {
    const simulation = new Simulation(seed, drawOptions(seed, DEFAULTS), NO_MUTATION, { fastForward });
    for (const host of [...simulation.arbiters, ...simulation.daemons]) host.start();
    return simulation;
  };
  const [played, skipping] = [make(false), make(true)];
  let atMs = 10_000;
  for (let stop = 0; stop < 40; stop++) {
    atMs += random.magnitude(100, 100_000);
    played.world.runUntil(atMs);
    skipping.world.runUntil(atMs);
    expect(stateOf(skipping)).toEqual(stateOf(played));
    if (stop % 8 === 7) for (const { daemons } of [played, skipping]) daemons[0]?.crash("a test");
    if (stop % 8 === 1) for (const { daemons } of [played, skipping]) daemons[0]?.start();
  }
  expect(skipping.fastForward?.skipped).toBeGreaterThan(1000);
});
