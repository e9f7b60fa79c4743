/** The worlds that a seed can be run in, by name. */
import type { Overrides } from "./options.ts";
import { smallWorld } from "./small.ts";
import { DRIFTED, OPERATORS, OUTAGES, RESTORED, STRAY } from "./trouble.ts";

export const WORLD_NAMES = [
  "swarm",
  "small",
  "restored",
  "outages",
  "stray",
  "drifted",
  "operators",
] as const;
/**
 * - `swarm`: sizes, settings near their limits and faults, all drawn from the seed; something breaks all the time.
 * - `small`: a master, a spare and an arbiter at default settings; something breaks now and then.
 * - `restored`, `outages`, `stray`, `drifted`, `operators`: about one trouble each; see `trouble.ts`.
 */
export type WorldName = (typeof WORLD_NAMES)[number];

export function worldOf(name: WorldName, seed: number): Overrides {
  switch (name) {
    case "swarm":
      return {};
    case "small":
      return smallWorld(seed);
    case "restored":
      return RESTORED;
    case "outages":
      return OUTAGES;
    case "stray":
      return STRAY;
    case "drifted":
      return DRIFTED;
    case "operators":
      return OPERATORS;
  }
}
