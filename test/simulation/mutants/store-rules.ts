/** What arbiters know of the store: whether it answers, and what it has lost. */
import { LOST_PAST_AND_COMMIT, LOST_PAST_AND_LEADER, WITHOUT_STORE } from "./hunts.ts";
import type { Mutant } from "./mutant.ts";

const TOUCH = "core/store-touch.ts";

export const STORE_RULES: readonly Mutant[] = [
  {
    name: "the store answers here",
    without: "who can write to the store himself doesn't promise a leader who can't",
    patches: [
      {
        file: TOUCH,
        find: "return isInLine(state) && nowMs - touchedAtMs",
        replace: "return state === null && nowMs - touchedAtMs",
      },
    ],
    hunts: [WITHOUT_STORE],
    seeds: 5,
    survives: null,
  },
  {
    name: "only a write counts",
    without: "that the store answers is known from a write alone",
    patches: [{ file: TOUCH, find: "if (isWritten) state", replace: "if (isWritten || !isWritten) state" }],
    hunts: [WITHOUT_STORE],
    seeds: 5,
    survives: null,
  },
  {
    name: "a write of now",
    without: "a write to the store counts for a time-to-live",
    patches: [
      {
        file: TOUCH,
        find: "nowMs - touchedAtMs < state.model.arbiterLeaseMs;",
        replace: "nowMs - touchedAtMs < 1e9 * state.model.arbiterLeaseMs;",
      },
    ],
    hunts: [WITHOUT_STORE],
    seeds: 5,
    survives: null,
  },
  {
    name: "a lost past outlives its term",
    without: "what was found out of a lost past is known in the next term of the same arbiter",
    patches: [
      {
        file: "core/arbiter.ts",
        find: "if (known.isPastLost && known.row.epoch === view.row.epoch) view.isPastLost = true;",
        replace: "",
      },
    ],
    hunts: [LOST_PAST_AND_COMMIT],
    seeds: 10,
    survives: null,
  },
  {
    name: "a lost past is written down",
    without: "that a store has lost its past stands in the row, for the next leader",
    patches: [{ file: "core/service-view.ts", find: "row.pastLost === true || ", replace: "" }],
    hunts: [LOST_PAST_AND_LEADER],
    seeds: 5,
    survives: null,
  },
];
