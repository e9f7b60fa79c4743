/** Rules about services that leave the configuration, renamed ones among them, each left out. */
import { RENAMED_UNSEEN, RENAMES, RENAMES_SLOW_STORE, RENAMES_UNHEARD } from "./hunts.ts";
import type { Mutant } from "./mutant.ts";

const GUARDS = "core/service-guards.ts";
const PLACEMENT = "core/placement.ts";

export const RENAME_RULES: readonly Mutant[] = [
  {
    name: "a renamed service waits",
    without: "a new service waits for one that its candidates hold and that left the files",
    patches: [
      {
        file: GUARDS,
        find: "if (!state.hasRemoved) return false;",
        replace: "if (state !== null) return false;",
      },
      {
        file: PLACEMENT,
        find: "if (other !== view && other.removed) return true;",
        replace: "if (other === null) return true;",
      },
    ],
    hunts: [RENAMES],
    seeds: 30,
    survives: null,
  },
  {
    name: "a renamed service waits for a commit, too",
    without: "what left the files may be held from the commit on that gives it away",
    patches: [
      {
        file: GUARDS,
        find: 'if (phase !== "vacant") return true;',
        replace: 'if (phase !== "vacant" && row.epoch > row.cleared) return true;',
      },
    ],
    hunts: [RENAMES_SLOW_STORE],
    seeds: 30,
    survives: null,
  },
  {
    name: "what left the files ends by time once nobody goes on by promises",
    without:
      "what left the files is over only once somebody whose promise its holder needs was asked, and is free",
    patches: [
      {
        file: PLACEMENT,
        find: 'return judgeOnExpiry(view, daemon, options).because === "";',
        replace: 'return judgeOnExpiry(view, daemon, options).because !== "no";',
      },
    ],
    hunts: [RENAMES],
    seeds: 20,
    survives: null,
  },
  {
    name: "what left the files ends by time after every lease's end",
    without: "what left the files is over only once every lease that was granted has ended",
    patches: [
      {
        file: GUARDS,
        find: "if (step.nowMs < view.boundMs) return null;\n  const options = { onProof: false, nowMs: step.nowMs, askedAfterMs: view.boundMs };",
        replace: "const options = { onProof: false, nowMs: step.nowMs, askedAfterMs: 0 };",
      },
    ],
    hunts: [RENAMES],
    seeds: 40,
    survives: null,
  },
  {
    name: "the end of what left the files is committed",
    without: "a new name is given to nobody before it is committed that the old one is over",
    patches: [{ file: GUARDS, find: "return row.cleared < row.epoch;", replace: "return false;" }],
    hunts: [RENAMES_UNHEARD],
    seeds: 200,
    survives: null,
  },
  {
    name: "masters stand in the row",
    without: "a service's masters are in its row, so that a new leader knows a renamed one for the same work",
    patches: [
      {
        file: GUARDS,
        find: "const known = [...spec.masters, ...(row.masters ?? [])];",
        replace: "const known = [...spec.masters];",
      },
      { file: "core/former.ts", find: "masters: row.masters ?? [],", replace: "masters: []," },
    ],
    hunts: [RENAMED_UNSEEN],
    seeds: 10,
    survives: null,
  },
  {
    name: "no epoch while an edit is written",
    without: "no epoch is given while an edit is being written",
    patches: [{ file: GUARDS, find: "if (configurationIsBusy(step)) return null;", replace: "" }],
    hunts: [RENAMES_SLOW_STORE],
    seeds: 10,
    survives:
      "it needs an edit of the masters whose commit an epoch meets, another edit, and a new leader between the two; a test of the core plays it",
  },
  {
    name: "what left the files is kept until it is over",
    without: "a service that leaves the configuration stays in the map until it is cleared",
    patches: [
      {
        file: "core/reconfigure.ts",
        find: "if (isOpen(view) || view.pendingCommit !== null || view.knownCleared > view.row.cleared) continue;",
        replace: "if (view.pendingCommit !== null) continue;",
      },
    ],
    hunts: [RENAMES],
    seeds: 60,
    survives: null,
  },
];
