/** Rules that the leading arbiter keeps for each service, each left out. */
import {
  BUSY,
  CANDIDATES_CHANGE,
  CLONES,
  CROWDED,
  CUTS,
  CUTS_AND_CRASHES,
  DRIFT,
  FROZEN_ARBITER,
  LATE_CANDIDATES,
  LEASES_CHANGE,
  LONGER_UNWRITTEN,
  NEW_LEADERS,
  ORDERS,
  SECOND_STORE,
  SLOW_AND_ILL,
  SLOW_NETWORK,
  SLOW_RESTARTS,
  STORE_LOST,
  STORE_RESTORED,
  STRICT_CUTS,
} from "./hunts.ts";
import type { Mutant } from "./mutant.ts";

const CANDIDATES = "core/candidates.ts";
const CHECKS = "core/checks.ts";
const COMMANDS = "core/commands.ts";
const GUARDS = "core/service-guards.ts";
const PLACEMENT = "core/placement.ts";
const REPORTS = "core/reports.ts";
const SERVICE = "core/service.ts";
const VIEW = "core/service-view.ts";

export const ARBITER_RULES: readonly Mutant[] = [
  {
    name: "bound",
    without: "on expiry the arbiter waits for the end of every lease that it granted",
    patches: [
      {
        file: GUARDS,
        find: "return step.nowMs >= view.boundMs ? candidateEvent",
        replace: "return step.nowMs >= view.boundMs - view.row.leaseMaxMs / 2 ? candidateEvent",
      },
      {
        file: GUARDS,
        find: "if (!options.onProof && step.nowMs < view.boundMs) return null;",
        replace: "if (!options.onProof && step.nowMs < view.boundMs - view.row.leaseMaxMs / 2) return null;",
      },
      { file: GUARDS, find: "askedAfterMs: view.boundMs,", replace: "askedAfterMs: 0," },
    ],
    hunts: [STRICT_CUTS],
    seeds: 20,
    survives: null,
  },
  {
    name: "bound: a running maximum",
    without: "nothing but proof makes the bound earlier",
    patches: [
      {
        file: CHECKS,
        find: "view.boundMs = Math.max(view.boundMs, leaseBoundMs(step.state, daemon.nonceReceivedAtMs, leaseMs));",
        replace: "view.boundMs = leaseBoundMs(step.state, daemon.nonceReceivedAtMs, leaseMs);",
      },
    ],
    hunts: [LEASES_CHANGE],
    seeds: 60,
    survives: null,
  },
  {
    name: "bound: from when the nonce was received",
    without: "the bound counts from when the nonce that is echoed was received",
    patches: [
      {
        file: CHECKS,
        find: "leaseBoundMs(step.state, daemon.nonceReceivedAtMs, leaseMs)",
        replace: "leaseBoundMs(step.state, daemon.nonceReceivedAtMs - leaseMs / 2, leaseMs)",
      },
    ],
    hunts: [STRICT_CUTS],
    seeds: 30,
    survives: null,
  },
  {
    name: "bound: times the drift",
    without: "the arbiter waits longer than a lease, as its clock may be fast",
    patches: [
      {
        file: CHECKS,
        find: "return receivedAtMs + leaseMs * (1 + state.model.clockDrift) + CLOCK_SLACK_MS;",
        replace: "return receivedAtMs + leaseMs + 0 * CLOCK_SLACK_MS * state.model.clockDrift;",
      },
    ],
    hunts: [DRIFT],
    seeds: 60,
    survives: null,
  },
  {
    name: "new leader's wait",
    without: "a new leader waits for leases that the last one may have granted",
    patches: [
      {
        file: VIEW,
        find: "boundMs: leaseBoundMs(step.state, step.nowMs, Math.max(row.leaseMaxMs, spec.leaseMs)),",
        replace: "boundMs: step.nowMs + 0 * leaseBoundMs(step.state, step.nowMs, spec.leaseMs),",
      },
    ],
    hunts: [NEW_LEADERS],
    seeds: 40,
    survives: null,
  },
  {
    name: "leaseMax",
    without: "a new leader waits for the longest lease granted, whatever its own files say",
    patches: [{ file: VIEW, find: "Math.max(row.leaseMaxMs, spec.leaseMs))", replace: "spec.leaseMs)" }],
    hunts: [LEASES_CHANGE],
    seeds: 40,
    survives: null,
  },
  {
    name: "leaseMax first",
    without: "a longer lease is granted only once leaseMax is committed",
    patches: [
      {
        file: CHECKS,
        find: "const leaseMs = Math.min(spec.leaseMs, leaseMaxMs(step.state, view));",
        replace: "const leaseMs = Math.max(spec.leaseMs, 0 * leaseMaxMs(step.state, view));",
      },
    ],
    hunts: [LONGER_UNWRITTEN],
    seeds: 20,
    survives: null,
  },
  {
    name: "leaseMax falls late",
    without: "leaseMax falls only when no longer lease can be outstanding",
    patches: [
      {
        file: CANDIDATES,
        find: "return shorterLeaseAtMs(step.state, view) <= step.nowMs ? leaseMs : view.row.leaseMaxMs;",
        replace: "return leaseMs;",
      },
    ],
    hunts: [LEASES_CHANGE],
    seeds: 80,
    survives: null,
  },
  {
    name: "sent after the commit",
    without: "another boot proves something only in an answer to what was sent after the commit",
    patches: [
      { file: REPORTS, find: "event.sentAtMs > view.committedAtMs;", replace: "event.sentAtMs > 0;" },
      {
        file: REPORTS,
        find: `const isLater = event.via === "check" &&`,
        replace: "const isLater = true || ",
      },
    ],
    hunts: [SLOW_RESTARTS],
    seeds: 10,
    survives:
      "checks of a daemon go out one at a time, and a late answer is dropped: whoever answers was asked after the commit",
  },
  {
    name: "unasked reports prove nothing of another boot",
    without: "a report that nobody asked for is no proof about another boot",
    patches: [
      {
        file: REPORTS,
        find: `event.via === "check" && event.sentAtMs !== null && event.sentAtMs > view.committedAtMs;`,
        replace: "true;",
      },
      {
        file: REPORTS,
        find: `const isLater = event.via === "check" && event.sentAtMs !== null && event.sentAtMs >= daemon.reportedAtMs;`,
        replace: "const isLater = true;",
      },
    ],
    hunts: [SLOW_RESTARTS, BUSY],
    seeds: 60,
    survives: null,
  },
  {
    name: "proof: of the same state",
    without: "another machine under the holder's name proves nothing",
    patches: [{ file: REPORTS, find: "if (report.stateId !== row.stateId) return;", replace: "" }],
    hunts: [CLONES],
    seeds: 40,
    survives: null,
  },
  {
    name: "proof: the epoch was seen",
    without: "a plain waiting, from before the assignment arrived, proves nothing",
    patches: [
      {
        file: REPORTS,
        find: "if (seen < row.epoch || isHeld) return null;",
        replace: "if (isHeld) return null;",
      },
    ],
    hunts: [SLOW_AND_ILL],
    seeds: 40,
    survives: null,
  },
  {
    name: "proof: a newer report",
    without: "a report that is older than one before it is ignored",
    patches: [
      {
        file: REPORTS,
        find: `return event.report.seq > known.seq ? "newer" : "stale";`,
        replace: `return "newer";`,
      },
    ],
    hunts: [SLOW_NETWORK, BUSY],
    seeds: 5,
    survives: "what a report proves stays true: an epoch that was seen and isn't held is never taken again",
  },
  {
    name: "cleared",
    without: "proof about an epoch that was never active says nothing of the one before it",
    patches: [
      {
        file: GUARDS,
        find: "return isOpen(view) && (view.knownCleared === view.row.epoch - 1 || view.shownActive);",
        replace: "return isOpen(view);",
      },
    ],
    hunts: [FROZEN_ARBITER],
    seeds: 60,
    survives: null,
  },
  {
    name: "cleared: not by the end of a bound",
    without: "the end of a bound raises nothing",
    patches: [
      {
        file: SERVICE,
        find: `    case "countLoss":\n`,
        replace: `    case "countLoss":\n      if (found.event === "boundPassed") clear(step, view);\n`,
      },
    ],
    hunts: [CUTS, CUTS_AND_CRASHES],
    seeds: 5,
    survives:
      "the bound counts as passed only where a candidate is free of promises and was asked after it: then nobody goes on by promises",
  },
  {
    name: "candidates",
    without: "on expiry only those are eligible whom the holder has heard of",
    patches: [
      {
        file: PLACEMENT,
        find: `  if (!isKnownToHolder(view, daemon)) return no(`,
        replace: `  if (view === null) isKnownToHolder(view, daemon);\n  if (view === null) return no(`,
      },
    ],
    hunts: [LATE_CANDIDATES, CLONES],
    seeds: 40,
    survives: null,
  },
  {
    name: "every set since",
    without: "eligible is who stands in the last acknowledged set and in every set since",
    patches: [
      {
        file: PLACEMENT,
        find: "const sets = row.pastSets\n",
        replace: "const sets = [...row.pastSets].slice(0, 0)\n",
      },
    ],
    hunts: [CANDIDATES_CHANGE],
    seeds: 120,
    survives: null,
  },
  {
    name: "removals count when committed",
    without: "who was taken out of the set isn't eligible on expiry",
    patches: [
      {
        file: PLACEMENT,
        find: "if (row.epoch > view.knownCleared && row.epoch > 0) sets.push(row.candidates);",
        replace: "",
      },
    ],
    hunts: [CANDIDATES_CHANGE, CLONES],
    seeds: 60,
    survives: null,
  },
  {
    name: "asked once more after the bound",
    without: "on expiry every candidate is asked after the last lease's end",
    patches: [{ file: GUARDS, find: "askedAfterMs: view.boundMs,", replace: "askedAfterMs: 0," }],
    hunts: [CUTS],
    seeds: 20,
    survives:
      "a candidate refuses what it has promised not to take; it only spares an epoch that is thrown away",
  },
  {
    name: "no commit under way",
    without: "while a commit is under way the service is neither renewed nor set back",
    patches: [{ file: GUARDS, find: "if (view.pendingCommit !== null) return null;", replace: "" }],
    hunts: [ORDERS, BUSY],
    seeds: 40,
    survives: null,
  },
  {
    name: "nobody is renewed while a commit is under way",
    without: "while a commit is under way nothing of the service is listed",
    patches: [
      {
        file: CHECKS,
        find: "if (view.pendingCommit !== null || view.row.epoch <= view.knownCleared) return false;",
        replace: "if (view.row.epoch <= view.knownCleared) return false;",
      },
    ],
    hunts: [ORDERS, BUSY],
    seeds: 40,
    survives:
      "the row is taken over only once it is committed, so that what is listed meanwhile is the epoch before it, which is over",
  },
  {
    name: "fencing ends renewals",
    without: "a holder that is fenced isn't renewed",
    patches: [
      {
        file: CHECKS,
        find: `return view.phase !== "vacant" && view.phase !== "fencing";`,
        replace: `return view.phase !== "vacant";`,
      },
    ],
    hunts: [ORDERS, BUSY],
    seeds: 60,
    survives: null,
  },
  {
    name: "epochs above every one seen",
    without: "the next epoch is above every one that a candidate has seen",
    patches: [
      {
        file: GUARDS,
        find: "if (seen !== undefined) highest = raisedBy(highest, seen);",
        replace: "",
      },
    ],
    hunts: [STORE_RESTORED, STORE_LOST],
    seeds: 10,
    survives:
      "that a store has lost its past is noticed, and the next epoch is then a thousand for each term",
  },
  {
    name: "a lost past",
    without: "where a store has lost its past, what it calls over says nothing",
    patches: [
      {
        file: GUARDS,
        find: "if (!view.isPastLost) return highest + 1;",
        replace: "if (highest >= 0) return highest + 1;",
      },
    ],
    hunts: [STORE_RESTORED, STORE_LOST],
    seeds: 60,
    survives: null,
  },
  {
    name: "a holder that the store doesn't know",
    without: "a lone holder that the store doesn't know is adopted",
    patches: [
      {
        file: GUARDS,
        find: `if (view.phase !== "vacant" || !mayCommit(step.state) || view.pendingSideCommit !== null) return null;\n  let found`,
        replace: "if (view !== null) return null;\n  let found",
      },
    ],
    hunts: [STORE_RESTORED, STORE_LOST],
    seeds: 40,
    survives: null,
  },
  {
    name: "epoch 0 is over only if nobody knows better",
    without: "epoch 0 rests on proof only if every candidate has seen no epoch",
    patches: [
      {
        file: SERVICE,
        find: "if (report === null || report === undefined || report.seenEpochs[name] !== undefined) return;",
        replace: "if (report === null || report === undefined) continue;",
      },
    ],
    hunts: [STORE_LOST],
    seeds: 5,
    survives:
      "the next epoch is above every one seen, so that epoch 0 isn't right below it, and nothing rests on proof",
  },
  {
    name: "other clusters",
    without: "what a daemon of another cluster says is no word of this one",
    patches: [
      {
        file: REPORTS,
        find: "if (isForeign(step, daemon, report)) {",
        replace: "if (step === null && isForeign(step, daemon, report)) {",
      },
    ],
    hunts: [SECOND_STORE],
    seeds: 3,
    survives: "a daemon keeps to its cluster: it refuses what another one assigns",
  },
  {
    name: "capacity",
    without: "a daemon holds no more services than it has capacity for",
    patches: [
      {
        file: PLACEMENT,
        find: "if (freeCapacity(state, daemon, view.spec.name) < 1)",
        replace: "if (freeCapacity(state, daemon, view.spec.name) < -99)",
      },
    ],
    hunts: [CROWDED],
    seeds: 20,
    survives: null,
  },
  {
    name: "a sign of life",
    without: "nobody is declared dead who answers",
    patches: [
      {
        file: COMMANDS,
        find: "if (alive !== null && !wanted.evenIfAlive)",
        replace: "if (alive === null && wanted.evenIfAlive)",
      },
    ],
    hunts: [ORDERS],
    seeds: 3,
    survives:
      "the operators of the simulator look before they say that somebody is dead; a test of the core tries it",
  },
  {
    name: "settings one after another",
    without: "an order waits for the commit of the one before it",
    patches: [
      {
        file: "core/step.ts",
        find: "for (const { settings } of commits.values()) if (settings !== null) return true;",
        replace: "void commits;",
      },
    ],
    hunts: [ORDERS],
    seeds: 40,
    survives: null,
  },
];
