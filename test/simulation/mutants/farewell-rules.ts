/** Rules of a candidate that leaves in good order while a holder may need its word, each left out. */
import { BACK_AND_FORTH, LONELY, LONELY_POWER } from "./hunts.ts";
import type { Mutant } from "./mutant.ts";

const FAILSAFE = "core/daemon-failsafe.ts";
const FAREWELL = "core/daemon-farewell.ts";
const STATE = "core/daemon-state.ts";

export const FAREWELL_RULES: readonly Mutant[] = [
  {
    name: "a promise without end outlives the boot",
    without: "a promise without end is kept until its holder has asked anew, or its epoch is over",
    patches: [
      {
        file: STATE,
        find: "endless: new Map(memory?.endless?.map((promise) => [promise.service, promise])),",
        replace: "endless: new Map(),",
      },
    ],
    hunts: [LONELY],
    seeds: 10,
    survives: null,
  },
  {
    name: "a promise without end: on disk first",
    without: "a promise without end is said once it is on disk",
    patches: [
      {
        file: FAREWELL,
        find: "  persist(step, token);\n  say(",
        replace:
          "  step.state.endless.delete(service);\n  persist(step, token);\n  step.state.endless.set(service, { service, epoch, holder, round });\n  say(",
      },
    ],
    hunts: [LONELY_POWER],
    seeds: 20,
    survives: null,
  },
  {
    name: "a promise without end: released by a later round",
    without: "only a holder that says so, in a later round, ends a promise without end",
    patches: [
      {
        file: FAREWELL,
        find: "const isAskedAnew = request.released === true && request.round > given.round;",
        replace: "const isAskedAnew = request.round >= 0;",
      },
    ],
    hunts: [BACK_AND_FORTH],
    seeds: 100,
    survives: null,
  },
  {
    name: "a promise without end: in the newest round",
    without: "a promise without end that comes after the next question doesn't count",
    patches: [{ file: FAILSAFE, find: "if (round !== held.roundNumber) return false;", replace: "" }],
    hunts: [BACK_AND_FORTH],
    seeds: 600,
    survives: null,
  },
  {
    name: "who is back is asked",
    without: "a candidate that is back is waited for again",
    patches: [
      {
        file: FAILSAFE,
        find: "if (away.backIn === null) away.backIn = held.roundNumber;",
        replace: "if (away.backIn === null) return true;",
      },
    ],
    hunts: [LONELY],
    seeds: 5,
    survives:
      "its promise without end then lasts, so that it is safe; it is never free again while that epoch is held",
  },
];
