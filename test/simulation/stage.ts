/**
 * A small cluster in virtual time, played by hand: no fault happens unless the test says so. I1 is
 * checked all along: a test that only plays a scene is a test of it, too.
 */
import type { Work } from "../../src/simulator/checkers/one-holder.ts";
import { NO_MUTATION } from "../../src/simulator/mutations.ts";
import type { Overrides } from "../../src/simulator/options.ts";
import { drawOptions } from "../../src/simulator/options.ts";
import { Simulation } from "../../src/simulator/simulation.ts";
import { QUIET } from "./aims.ts";

export class Stage {
  readonly simulation: Simulation;

  constructor(seed: number, over: Overrides = {}) {
    this.simulation = new Simulation(seed, drawOptions(seed, { ...QUIET, ...over }), NO_MUTATION);
    for (const host of [...this.simulation.arbiters, ...this.simulation.daemons]) host.start();
  }

  /** Lets time pass, and throws what was found meanwhile. */
  pass(ms: number): this {
    const { world } = this.simulation;
    world.runUntil(world.nowMs + ms);
    if (this.simulation.failure !== null) {
      throw new Error(world.lines().join("\n"), { cause: this.simulation.failure });
    }
    return this;
  }

  /** Who does the work now; null: nobody. */
  worker(service = "m1"): Work | null {
    return this.simulation.oneHolder.beliefs(service, this.simulation.world.nowMs)[0] ?? null;
  }

  /** Whose daemon says that it is active; one that is paused says nothing. */
  active(service = "m1"): string | null {
    const host = this.simulation.daemons.find(
      ({ state, process }) => process?.isPaused === false && state?.held.get(service)?.phase === "active",
    );
    return host?.name ?? null;
  }

  /** How long until that daemon is active on it; at most `mostMs`. */
  until(name: string, mostMs: number, service = "m1"): number {
    const { world } = this.simulation;
    const beganAtMs = world.nowMs;
    while (this.active(service) !== name) {
      if (world.nowMs - beganAtMs > mostMs) {
        throw new Error(`${name} isn't active after ${mostMs} ms:\n${world.lines().join("\n")}`);
      }
      this.pass(1);
    }
    return world.nowMs - beganAtMs;
  }

  cut(from: string, others: readonly string[]): void {
    for (const other of others) {
      this.simulation.network.cut(from, other);
      this.simulation.network.cut(other, from);
    }
  }
}
