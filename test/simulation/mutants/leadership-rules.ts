/** Rules of an arbiter's right to lead, and of the store that it rests on, each left out. */
import {
  FROZEN_LEADER,
  BAD_STORE,
  NEW_LEADERS,
  NEWCOMER,
  SPLIT_FRIEND,
  SPLIT_PROMISED,
  SPLIT_RELEASED,
  SPLIT,
  SPLIT_SLOWLY,
  STORE_OUTAGES,
  STORE_RESTORED,
  TWO_LEADERS,
} from "./hunts.ts";
import type { Mutant } from "./mutant.ts";

const COMMITS = "core/commits.ts";
const LEADERSHIP = "core/leadership.ts";
const PROMISE = "core/arbiter-promise.ts";
const STORE = "store/rules.ts";
const SUCCESSION = "core/succession.ts";

export const LEADERSHIP_RULES: readonly Mutant[] = [
  {
    name: "leadership ends",
    without: "a leader stops acting at its leadership's end",
    patches: [
      {
        file: LEADERSHIP,
        find: "return nowMs >= state.leadership.validUntilMs && rivals(state).size > 0;",
        replace: "return nowMs < 0 && rivals(state).size > 0;",
      },
    ],
    hunts: [SPLIT],
    seeds: 10,
    survives: null,
  },
  {
    name: "leadership: from when the beat began",
    without: "leadership counts from when the beat began, not from its answer",
    patches: [
      {
        file: LEADERSHIP,
        find: "const untilMs = event.beganAtMs + record.ttlMs / (1 + state.model.clockDrift);",
        replace: "const untilMs = step.nowMs + record.ttlMs / (1 + state.model.clockDrift);",
      },
    ],
    hunts: [SPLIT_SLOWLY],
    seeds: 30,
    survives: null,
  },
  {
    name: "leadership: divided by the drift",
    without: "a leader stops early and another waits longer, as clocks differ",
    patches: [
      {
        file: LEADERSHIP,
        find: "event.beganAtMs + record.ttlMs / (1 + state.model.clockDrift)",
        replace: "event.beganAtMs + record.ttlMs",
      },
      {
        file: SUCCESSION,
        find: "const stillUntilMs = beatSeenAtMs + record.ttlMs * (1 + state.model.clockDrift) + CLOCK_SLACK_MS;",
        replace: "const stillUntilMs = beatSeenAtMs + record.ttlMs + 0 * CLOCK_SLACK_MS;",
      },
    ],
    hunts: [SPLIT],
    seeds: 80,
    survives: null,
  },
  {
    name: "a standby waits",
    without: "a standby campaigns only once the beat has stood still for a whole time-to-live",
    patches: [
      {
        file: SUCCESSION,
        find: "const stillUntilMs = beatSeenAtMs + record.ttlMs * (1 + state.model.clockDrift) + CLOCK_SLACK_MS;",
        replace: "const stillUntilMs = beatSeenAtMs + 0 * (record.ttlMs + CLOCK_SLACK_MS);",
      },
    ],
    hunts: [SPLIT, NEW_LEADERS],
    seeds: 40,
    survives: null,
  },
  {
    name: "no term is led twice",
    without: "who stepped down while a beat was on its way doesn't take the term up again",
    patches: [
      {
        file: LEADERSHIP,
        find: `if (isBound || (record.term === state.term && leadership.mode !== "leading")) {`,
        replace: `if (isBound) {`,
      },
      {
        file: LEADERSHIP,
        find: "  if (record.term === state.term) return;\n  if (record.instance",
        replace:
          '  if (record.term === state.term && leadership.mode === "leading") return;\n  if (record.instance',
      },
    ],
    hunts: [FROZEN_LEADER],
    seeds: 10,
    survives: null,
  },
  {
    name: "an unknown outcome takes a new term",
    without: "after a commit whose outcome isn't known nothing is decided in the same term",
    patches: [
      {
        file: COMMITS,
        find: `if (event.outcome === "unknown") {`,
        replace: `if (event.outcome === "unknown" && state === null) {`,
      },
    ],
    hunts: [BAD_STORE],
    seeds: 200,
    survives: null,
  },
  {
    name: "store: the term",
    without: "the store refuses a commit of a term that doesn't lead",
    patches: [{ file: STORE, find: "if (record.term !== commit.term) {", replace: "if (record.term < 0) {" }],
    hunts: [BAD_STORE, TWO_LEADERS],
    seeds: 200,
    survives: null,
  },
  {
    name: "store: the epoch",
    without: "the store refuses a commit about a service that is at another epoch by now",
    patches: [
      { file: STORE, find: "if (epoch !== expectedEpoch) {", replace: "if (epoch < 0) {" },
      { file: STORE, find: "if (row.epoch < epoch) {", replace: "if (epoch < 0) {" },
    ],
    hunts: [BAD_STORE, TWO_LEADERS],
    seeds: 40,
    survives:
      "within a term rows are committed one after another, and a commit of another term is refused: it guards against a mistake of the arbiter's own",
  },
  {
    name: "store: compare and set",
    without: "a campaign succeeds only against the record that was read",
    patches: [
      {
        file: STORE,
        find: "if (current === null || expected === null) return current === expected;\n  return (",
        replace: "return true || (\n    current !== null && expected !== null && ",
      },
    ],
    hunts: [NEW_LEADERS, BAD_STORE],
    seeds: 40,
    survives: null,
  },
  {
    name: "others promise not to lead",
    without: "without the store a leader goes on only while each of the others has promised",
    patches: [
      {
        file: PROMISE,
        find: "  if (round.missing.size > 0) return;\n  const untilMs",
        replace: "  const untilMs",
      },
    ],
    hunts: [SPLIT_FRIEND],
    seeds: 20,
    survives: null,
  },
  {
    name: "a promise not to lead is kept",
    without: "who has promised not to lead doesn't campaign",
    patches: [
      {
        file: SUCCESSION,
        find: "return state.leadership.promised?.untilMs ?? 0;",
        replace: "return 0 * (state.leadership.promised?.untilMs ?? 0);",
      },
    ],
    hunts: [SPLIT_PROMISED],
    seeds: 20,
    survives: null,
  },
  {
    name: "no promise with a campaign open",
    without: "an arbiter whose campaign is on its way promises nothing",
    patches: [
      {
        file: PROMISE,
        find: `if (leadership.campaignsOpen > 0) return "its campaign is on its way";`,
        replace: "",
      },
      {
        file: PROMISE,
        find: `if (mode === "campaigning" || mode === "loading" ||`,
        replace: `if (mode === "loading" ||`,
      },
    ],
    hunts: [STORE_OUTAGES],
    seeds: 10,
    survives:
      "one that has promised meanwhile doesn't take the term that it has won: it is asked once more then",
  },
  {
    name: "only listed arbiters campaign",
    without: "an arbiter that the record doesn't list waits until it does",
    patches: [
      {
        file: SUCCESSION,
        find: "if (listed === undefined || record.leader === options.name) return Infinity;",
        replace: "",
      },
      {
        file: SUCCESSION,
        find: "if (listed.stateId !== null && listed.stateId !== options.stateId) return Infinity;",
        replace: "",
      },
    ],
    hunts: [NEWCOMER],
    seeds: 5,
    survives: null,
  },
  {
    name: "released after the last assignment",
    without: "a leader that gives up its lead says nothing more",
    patches: [
      {
        file: LEADERSHIP,
        find: `leadership.mode = isLeader ? "releasing" : "released";`,
        replace: `leadership.mode = isLeader ? "leading" : "released";`,
      },
    ],
    hunts: [SPLIT_RELEASED],
    seeds: 10,
    survives: null,
  },
  {
    name: "a higher term is above every reported one",
    without: "a leader takes a term above every one that a daemon reports",
    patches: [
      {
        file: LEADERSHIP,
        find: "for (const daemon of state.daemons.values()) highest = raisedBy(highest, daemon.report?.term ?? 0);",
        replace: "for (const daemon of state.daemons.values()) raisedBy(highest, daemon.report?.term ?? 0);",
      },
      {
        file: "core/reports.ts",
        find: "if (raisedBy(step.state.term, report.term) > step.state.term) takeNewTerm(step, true);",
        replace: "raisedBy(step.state.term, report.term);",
      },
    ],
    hunts: [STORE_RESTORED],
    seeds: 10,
    survives: null,
  },
];
