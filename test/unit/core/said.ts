/**
 * What the arbiter's assignment says of a service to its holder in each phase. Two tests meet here: the
 * daemon can obey each of these from each of its states (`tables.test.ts`), and the arbiter says these and
 * nothing else (`exhaustive.test.ts`, at every assignment of every sequence).
 */
import type { ServicePhase } from "../../../src/core/arbiter-state.ts";

export const SAID: Readonly<Record<ServicePhase, "listed" | "drain" | "unlisted">> = {
  vacant: "unlisted",
  activating: "listed",
  held: "listed",
  suspect: "listed",
  fencing: "unlisted",
  "handing-over": "drain",
};
