/** What operators may ask for, and when. */
import { MANY_OPERATORS } from "./hunts.ts";
import type { Mutant } from "./mutant.ts";

export const OPERATOR_RULES: readonly Mutant[] = [
  {
    name: "failback in its window",
    without: "a service goes back by itself only inside its window",
    patches: [
      {
        file: "core/failback-window.ts",
        find: "if (spec.failbackWindow === undefined) return true;",
        replace: "if (spec !== undefined) return true;",
      },
    ],
    hunts: [MANY_OPERATORS],
    seeds: 5,
    survives: null,
  },
];
