/**
 * A finding that is kept: the seed together with everything that was drawn for it. A bare seed changes
 * its meaning whenever something new is drawn; this doesn't, as long as the faults stay what they are.
 */
import type { SimulationOptions } from "./options.ts";

export interface Scenario {
  /** What it once found, for people. */
  readonly found: string;
  readonly seed: number;
  readonly options: SimulationOptions;
}

/** Files of our own making: read as they are. */
export function readScenario(text: string): Scenario {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by `--save`, and by nobody else
  return JSON.parse(text) as Scenario;
}
