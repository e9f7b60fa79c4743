/** Rules that daemons keep, each left out. */
import {
  BUSY,
  CUTS,
  CUTS_AND_CRASHES,
  CUTS_AND_POWER,
  DRIFT_IN_FAILSAFE,
  FROZEN_ARBITER,
  HANGING,
  LATE_RENEWAL,
  LATE_RENEWAL_AND_ANSWER,
  MOVED_STATE,
  MOVING,
  PROMISED_EDGE,
  SECOND_STORE,
  SLOW_ANSWERS,
  SLOW_EXITS,
  SLOW_NETWORK,
  SLOW_RESTARTS,
} from "./hunts.ts";
import type { Mutant } from "./mutant.ts";

const ASSIGNMENT = "core/daemon-assignment.ts";
const FAILSAFE = "core/daemon-failsafe.ts";
const HOLD = "core/daemon-hold.ts";
const LEASE = "core/lease.ts";
const PROMISE = "core/daemon-promise.ts";
const STATE = "core/daemon-state.ts";

export const DAEMON_RULES: readonly Mutant[] = [
  {
    name: "promise",
    without: "a candidate keeps the promise that it has given",
    patches: [
      {
        file: PROMISE,
        find: "state.promises.set(service, { epoch, holder, untilMs });",
        replace: "void untilMs;",
      },
    ],
    hunts: [CUTS],
    seeds: 10,
    survives: null,
  },
  {
    name: "promise, kept by the daemon alone",
    without: "a daemon refuses what it has promised not to take; the arbiter still goes by its report",
    patches: [
      {
        file: ASSIGNMENT,
        find: `if (livePromise(state, item.service, nowMs) !== null) return "promised";`,
        replace: "",
      },
    ],
    hunts: [FROZEN_ARBITER, CUTS],
    seeds: 40,
    survives: null,
  },
  {
    name: "promise, counted from when it was asked for",
    without: "a promise counts from when it is given",
    patches: [
      {
        file: LEASE,
        find: "  return nowMs + forMs;",
        replace: "  return nowMs + forMs * 0.7;",
      },
    ],
    hunts: [PROMISED_EDGE],
    seeds: 20,
    survives: null,
  },
  {
    name: "reboot rule",
    without: "a new boot refuses for as long as it may have promised",
    patches: [
      {
        file: STATE,
        find: "refusesExpiryUntilMs: nowMs + longestPromiseMs",
        replace: "refusesExpiryUntilMs: nowMs",
      },
    ],
    hunts: [CUTS_AND_CRASHES],
    seeds: 30,
    survives: null,
  },
  {
    name: "reboot rule: synced first",
    without: "a longer promise is given only after its length is on disk",
    patches: [
      {
        file: PROMISE,
        find: "if (request.forMs <= state.syncedPromiseMs) {",
        replace:
          "if (request.forMs > 0) {\n    state.longestPromiseMs = Math.max(state.longestPromiseMs, request.forMs);",
      },
    ],
    hunts: [CUTS_AND_POWER],
    seeds: 60,
    survives: null,
  },
  {
    name: "nonce",
    without: "a lease counts from when the daemon last spoke",
    patches: [
      {
        file: ASSIGNMENT,
        find: "const issuedMs = readNonce(assignment.nonce, bootId, step.nowMs, env);",
        replace:
          "const issuedMs = readNonce(assignment.nonce, bootId, step.nowMs, env) === null ? null : step.nowMs;",
      },
    ],
    hunts: [SLOW_NETWORK],
    seeds: 30,
    survives: null,
  },
  {
    name: "nonce of this boot",
    without: "a nonce of another boot grants nothing",
    patches: [
      {
        file: LEASE,
        find: "if (nonce === null || !nonce.startsWith(`${bootId}.`)) return null;",
        replace: 'if (nonce === null) return null;\n  bootId = nonce.slice(0, nonce.indexOf("."));',
      },
      {
        file: LEASE,
        find: "return nonce.slice(dot + 1) === env.tagOf(nonce.slice(0, dot)) ? issuedMs : null;",
        replace: "return issuedMs;",
      },
    ],
    hunts: [SLOW_RESTARTS],
    seeds: 5,
    survives: "an epoch is committed for one boot, and another boot refuses it whatever the nonce",
  },
  {
    name: "seen",
    without: "an epoch that was taken, refused or lost is never taken again",
    patches: [
      {
        file: ASSIGNMENT,
        find: `if (because !== "busy" && because !== "no-lease") see(state, item);`,
        replace: "",
      },
    ],
    hunts: [SLOW_EXITS],
    seeds: 30,
    survives: null,
  },
  {
    name: "order of assignments",
    without: "an assignment whose (term, seq) isn't above the last one is ignored",
    patches: [
      {
        file: ASSIGNMENT,
        find: "if (term < state.term || (term === state.term && seq <= state.assignmentSeq)) {",
        replace: "if (term < 0) {",
      },
    ],
    hunts: [SLOW_NETWORK],
    seeds: 5,
    survives:
      "an old epoch has been seen, and an old nonce makes no lease longer: it would only stop what is to go on",
  },
  {
    name: "boot",
    without: "an epoch that was committed for another boot is refused",
    patches: [
      {
        file: ASSIGNMENT,
        find: `if (item.bootId !== state.options.bootId) return "other-boot";`,
        replace: "",
      },
    ],
    hunts: [SLOW_RESTARTS],
    seeds: 5,
    survives: "what is assigned to another boot echoes that boot's nonce, which grants nothing",
  },
  {
    name: "clusterId",
    without: "a daemon keeps to its cluster",
    patches: [
      {
        file: ASSIGNMENT,
        find: "if (state.clusterId !== null && assignment.clusterId !== state.clusterId) {",
        replace: "if (false) {",
      },
    ],
    hunts: [SECOND_STORE],
    seeds: 3,
    survives:
      "an arbiter goes by nothing that a daemon of another cluster says, and so has no nonce to grant a lease with",
  },
  {
    name: "addressee",
    without: "an assignment for another daemon is refused",
    patches: [{ file: ASSIGNMENT, find: "if (assignment.to !== name) {", replace: "if (false) {" }],
    hunts: [MOVING],
    seeds: 5,
    survives:
      "an epoch is committed for one boot, which the other daemon isn't; what it would take away is given back with the next check",
  },
  {
    name: "busy",
    without: "a new epoch waits until the old one is wound up",
    patches: [{ file: ASSIGNMENT, find: `if (state.held.has(item.service)) return "busy";`, replace: "" }],
    hunts: [SLOW_NETWORK],
    seeds: 5,
    survives: "an arbiter gives nothing to a daemon that reports an older epoch of the same service",
  },
  {
    name: "superseded",
    without: "a holder that hears of a newer epoch lets go",
    patches: [
      {
        file: ASSIGNMENT,
        find: `if (held !== undefined && item.epoch >= held.epoch) windUp(step, held, "superseded");`,
        replace: "",
      },
    ],
    hunts: [SLOW_NETWORK],
    seeds: 5,
    survives:
      "an epoch that was followed by another isn't renewed any more: its holder stops at its lease's end",
  },
  {
    name: "failsafe asks every candidate",
    without: "all candidates must promise",
    patches: [
      {
        file: FAILSAFE,
        find: "if (round !== null && round.missing.delete(answer.stateId) && round.missing.size === 0)",
        replace: "if (round?.missing.delete(answer.stateId) === true)",
      },
    ],
    hunts: [CUTS_AND_CRASHES],
    seeds: 30,
    survives: null,
  },
  {
    name: "extension counted from the first ask",
    without: "what all promised counts from when the first was asked",
    patches: [
      {
        file: FAILSAFE,
        find: "extensionEndOf(round.askedAtMs, round.forMs, held.clockDrift)",
        replace: "extensionEndOf(step.nowMs, round.forMs, held.clockDrift)",
      },
    ],
    hunts: [SLOW_ANSWERS],
    seeds: 80,
    survives: null,
  },
  {
    name: "extension divided by the drift",
    without: "a holder counts less than was promised, as its clock may be slow",
    patches: [
      {
        file: LEASE,
        find: "return askedAtMs + forMs / (1 + clockDrift) - CLOCK_SLACK_MS;",
        replace: "return askedAtMs + forMs + 0 * clockDrift;",
      },
    ],
    hunts: [DRIFT_IN_FAILSAFE],
    seeds: 60,
    survives: null,
  },
  {
    name: "no promise while it is active",
    without: "a candidate that holds the service itself promises nothing",
    patches: [
      {
        file: PROMISE,
        find: "if (held !== undefined) return `this daemon is",
        replace: "if (held === null) return `this daemon is",
      },
    ],
    hunts: [CUTS_AND_CRASHES],
    seeds: 5,
    survives:
      "an epoch is given out only once those before it can't be held any more: whoever held one doesn't ask",
  },
  {
    name: "no promise about an older epoch",
    without: "a candidate that has seen a higher epoch promises nothing",
    patches: [{ file: PROMISE, find: "if (seen > epoch) return", replace: "if (seen < 0) return" }],
    hunts: [CUTS_AND_CRASHES],
    seeds: 5,
    survives:
      "an epoch is given out only once those before it can't be held any more: whoever held one doesn't ask",
  },
  {
    name: "promise of this state",
    without: "a promise is that of one state folder, not of a name",
    patches: [
      {
        file: PROMISE,
        find: "request.to === name && (request.toStateId === null || request.toStateId === stateId)",
        replace: "request.to === name",
      },
      {
        file: FAILSAFE,
        find: "answer.name !== candidate.name || answer.stateId !== candidate.stateId",
        replace: "answer.name !== candidate.name",
      },
      {
        file: FAILSAFE,
        find: "round.missing.delete(answer.stateId) &&",
        replace: "round.missing.delete(candidate.stateId) &&",
      },
    ],
    hunts: [MOVED_STATE],
    seeds: 5,
    survives: null,
  },
  {
    name: "newcomers are asked",
    without: "a round of asking that is under way doesn't count for candidates that came after it",
    patches: [
      { file: ASSIGNMENT, find: "    held.round = null;\n  }\n  extendLease", replace: "  }\n  extendLease" },
    ],
    hunts: [LATE_RENEWAL_AND_ANSWER],
    seeds: 20,
    survives: null,
  },
  {
    name: "newcomers acknowledged late",
    without: "a set of candidates is acknowledged once no lease rests on an older one",
    patches: [
      {
        file: STATE,
        find: "candidatesVersion: held.agreedVersion,",
        replace: "candidatesVersion: held.candidates.version,",
      },
    ],
    hunts: [LATE_RENEWAL],
    seeds: 10,
    survives: null,
  },
  {
    name: "a lapsed lease is over",
    without: "a lease that has run out isn't brought back to life",
    patches: [
      {
        file: HOLD,
        find: "  if (held.fenced) return;\n  if (isGranted",
        replace: "  held.fenced = false;\n  if (isGranted",
      },
      {
        file: FAILSAFE,
        find: "if (!held.fenced && step.nowMs >= held.leaseEndMs) apply",
        replace: "if (held.fenced === null) apply",
      },
    ],
    hunts: [SLOW_NETWORK],
    seeds: 5,
    survives: "what is granted late was granted for a nonce, and stands in the bound: it would be safe",
  },
  {
    name: "self-fencing",
    without: "a holder whose lease runs out is stopped in time",
    patches: [
      {
        file: LEASE,
        find: "return leaseEndMs - Math.min(killMs, leaseMs * LONGEST_KILL_SHARE);",
        replace: "return leaseEndMs + leaseMs + 0 * killMs * LONGEST_KILL_SHARE;",
      },
    ],
    hunts: [HANGING],
    seeds: 20,
    survives: null,
  },
  {
    name: "proof only once it has stopped",
    without: "a report shows an epoch as held until it has been wound up",
    patches: [
      {
        file: STATE,
        find: "  for (const held of state.held.values()) {\n    services.push({",
        replace:
          '  for (const held of state.held.values()) {\n    if (held.phase !== "draining") services.push({',
      },
    ],
    hunts: [BUSY],
    seeds: 20,
    survives: null,
  },
  {
    name: "boot, its nonce, and the order",
    without:
      "what was committed for another boot is refused, its nonce grants nothing, and nothing old is obeyed",
    patches: [
      {
        file: ASSIGNMENT,
        find: "if (term < state.term || (term === state.term && seq <= state.assignmentSeq)) {",
        replace: "if (term < 0) {",
      },
      {
        file: ASSIGNMENT,
        find: `if (item.bootId !== state.options.bootId) return "other-boot";`,
        replace: "",
      },
      {
        file: LEASE,
        find: "if (nonce === null || !nonce.startsWith(`${bootId}.`)) return null;",
        replace: 'if (nonce === null) return null;\n  bootId = nonce.slice(0, nonce.indexOf("."));',
      },
      {
        file: LEASE,
        find: "return nonce.slice(dot + 1) === env.tagOf(nonce.slice(0, dot)) ? issuedMs : null;",
        replace: "return issuedMs;",
      },
    ],
    hunts: [SLOW_RESTARTS],
    seeds: 20,
    survives: null,
  },
  {
    name: "clusterId on both sides",
    without: "daemon and arbiter keep to their cluster",
    patches: [
      {
        file: ASSIGNMENT,
        find: "if (state.clusterId !== null && assignment.clusterId !== state.clusterId) {",
        replace: "if (false) {",
      },
      {
        file: "core/reports.ts",
        find: "if (isForeign(step, daemon, report)) {",
        replace: "if (step === null && isForeign(step, daemon, report)) {",
      },
    ],
    hunts: [SECOND_STORE],
    seeds: 10,
    survives: null,
  },
];
