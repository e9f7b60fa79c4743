/** The worlds that a seed can be run in, by name. */
import type { Overrides } from "./options.ts";
import { smallWorld } from "./small.ts";

export const WORLD_NAMES = ["swarm", "small"] as const;
/**
 * - `swarm`: sizes, settings near their limits and faults, all drawn from the seed; something breaks all the time.
 * - `small`: a master, a spare and an arbiter at default settings; something breaks now and then.
 */
export type WorldName = (typeof WORLD_NAMES)[number];

export function worldOf(name: WorldName, seed: number): Overrides {
  return name === "small" ? smallWorld(seed) : {};
}
