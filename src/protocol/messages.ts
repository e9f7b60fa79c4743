/**
 * Reads the messages of the protocol from parsed JSON: guards written by hand, since a report is
 * read at every check of every daemon.
 *
 * A guard takes what the protocol names and nothing else: unknown members are dropped (a newer
 * peer may send more), missing or malformed ones are refused, and the error names the member and
 * what was expected of it. Members that only make a refusal or a log clearer may be missing: a peer
 * that was written after the protocol's letter doesn't send them. Nothing here decides whether a message is obeyed; that is the core's.
 */
import type {
  ArbiterAddress,
  ArbiterPromiseAnswer,
  ArbiterPromiseRequest,
  Assignment,
  Candidate,
  CandidateSet,
  PromiseAnswer,
  PromiseReport,
  PromiseRequest,
  Refusal,
  Report,
  ServiceAssignment,
  ServiceReport,
} from "../core/messages.ts";
import { PROTOCOL } from "../core/messages.ts";
import {
  flag,
  integer,
  list,
  malformed,
  number,
  object,
  oneOf,
  parsed,
  record,
  text,
  textOrNull,
  word,
  wordOrNull,
} from "./reading.ts";
import type { Members, Parsed } from "./reading.ts";

export type { Parsed } from "./reading.ts";

/**
 * The largest assignment, and the largest report that answers one: what the limits below allow fits,
 * with names of 64 characters. Such a message comes from one that was asked, or has a token; what
 * comes unasked may be far smaller (a larger report is brought by the next check).
 */
export const MESSAGE_LIMIT_BYTES: number = 4 * 1024 * 1024;

/** What a sender must keep to, too: a reason that is longer has to be cut before it is sent. */
export const LIMITS = {
  nameLength: 255,
  idLength: 128,
  urlLength: 2_048,
  nonceLength: 256,
  reasonLength: 1_000,
  /** Services that one daemon holds or is assigned at once. */
  services: 1_000,
  /** Services a daemon has ever seen an epoch of, or has promised about. */
  knownServices: 10_000,
  candidates: 1_000,
  arbiters: 64,
  configEntries: 1_000,
  configValueLength: 16_384,
  /** 400 days: longer than any lease or promise, short enough for exact sums. */
  durationMs: 34_560_000_000,
  clockDrift: 0.5,
} as const;

const named = { entries: LIMITS.knownServices, keyLength: LIMITS.nameLength, areNames: true } as const;
const settings = { entries: LIMITS.configEntries, keyLength: LIMITS.nameLength } as const;
const readEpoch = (from: Members, name: string): number => integer(from, name, 0);
const readSetting = (from: Members, name: string): string => text(from, name, LIMITS.configValueLength);
/** For people's eyes: whatever a terminal would obey is struck out. */
const remark = (from: Members, key: string): string =>
  text(from, key, LIMITS.reasonLength).replaceAll(/\p{Cc}+/gu, " ");
const duration = (from: Members, key: string): number => number(from, key, 0, LIMITS.durationMs);

/** `PUT /v1/assignment` */
export function parseAssignment(value: unknown): Parsed<Assignment> {
  return parsed(value, readAssignment);
}

/** The answer to an assignment, `POST /v1/reports`, `GET /health`. */
export function parseReport(value: unknown): Parsed<Report> {
  return parsed(value, readReport);
}

/** `POST /v1/promise` */
export function parsePromiseRequest(value: unknown): Parsed<PromiseRequest> {
  return parsed(value, readPromiseRequest);
}

/** The answer to `POST /v1/promise`. */
export function parsePromiseAnswer(value: unknown): Parsed<PromiseAnswer> {
  return parsed(value, readPromiseAnswer);
}

export function parseArbiterPromiseRequest(value: unknown): Parsed<ArbiterPromiseRequest> {
  return parsed(value, readArbiterPromiseRequest);
}

export function parseArbiterPromiseAnswer(value: unknown): Parsed<ArbiterPromiseAnswer> {
  return parsed(value, readArbiterPromiseAnswer);
}

function readProtocol(from: Members): number {
  if (from["protocol"] !== PROTOCOL) return malformed("protocol", `${PROTOCOL}`);
  return PROTOCOL;
}

function readAssignment(from: Members): Assignment {
  return {
    protocol: readProtocol(from),
    clusterId: word(from, "clusterId", LIMITS.idLength),
    to: word(from, "to", LIMITS.nameLength),
    leader: object(from, "leader", readArbiterAddress),
    arbiters: list(from, "arbiters", LIMITS.arbiters, readArbiterAddress),
    term: integer(from, "term", 0),
    seq: integer(from, "seq", 0),
    mapVersion: integer(from, "mapVersion", 0),
    clockDrift: number(from, "clockDrift", 0, LIMITS.clockDrift),
    nonce: textOrNull(from, "nonce", LIMITS.nonceLength),
    // `null` is a probe and says so; a missing member is a mistake.
    services:
      from["services"] === null ? null : list(from, "services", LIMITS.services, readServiceAssignment),
  };
}

function readArbiterAddress(from: Members): ArbiterAddress {
  return { name: word(from, "name", LIMITS.nameLength), url: word(from, "url", LIMITS.urlLength) };
}

function readServiceAssignment(from: Members): ServiceAssignment {
  return {
    service: word(from, "service", LIMITS.nameLength),
    epoch: integer(from, "epoch", 0),
    cleared: integer(from, "cleared", -1),
    bootId: word(from, "bootId", LIMITS.idLength),
    leaseMs: number(from, "leaseMs", 1, LIMITS.durationMs),
    drain: flag(from, "drain"),
    candidates: object(from, "candidates", readCandidateSet),
    config: record(from, "config", settings, readSetting),
  };
}

function readCandidateSet(from: Members): CandidateSet {
  return {
    version: integer(from, "version", 0),
    list: list(from, "list", LIMITS.candidates, readCandidate),
  };
}

function readCandidate(from: Members): Candidate {
  return {
    name: word(from, "name", LIMITS.nameLength),
    stateId: word(from, "stateId", LIMITS.idLength),
    url: word(from, "url", LIMITS.urlLength),
  };
}

function readReport(from: Members): Report {
  return {
    protocol: readProtocol(from),
    clusterId: wordOrNull(from, "clusterId", LIMITS.idLength),
    name: word(from, "name", LIMITS.nameLength),
    stateId: word(from, "stateId", LIMITS.idLength),
    type: word(from, "type", LIMITS.nameLength),
    role: oneOf(from, "role", ["master", "spare"]),
    bootId: word(from, "bootId", LIMITS.idLength),
    seq: integer(from, "seq", 0),
    nonce: text(from, "nonce", LIMITS.nonceLength),
    term: integer(from, "term", 0),
    state: oneOf(from, "state", ["waiting", "activating", "active", "draining", "failed", "leaving"]),
    healthy: flag(from, "healthy"),
    ready: flag(from, "ready"),
    reason: remark(from, "reason"),
    launched: flag(from, "launched"),
    configVersion: text(from, "configVersion", LIMITS.nameLength),
    ...(from["ownConfig"] !== undefined && { ownConfig: text(from, "ownConfig", LIMITS.nameLength) }),
    dataVersion: number(from, "dataVersion", 0, Number.MAX_SAFE_INTEGER),
    services: list(from, "services", LIMITS.services, readServiceReport),
    seenEpochs: record(from, "seenEpochs", named, readEpoch),
    promises: list(from, "promises", LIMITS.knownServices, readPromiseReport),
    refusesExpiryForMs: duration(from, "refusesExpiryForMs"),
    refusals: from["refusals"] === undefined ? [] : list(from, "refusals", LIMITS.services, readRefusal),
  };
}

function readServiceReport(from: Members): ServiceReport {
  return {
    service: word(from, "service", LIMITS.nameLength),
    epoch: integer(from, "epoch", 0),
    state: oneOf(from, "state", ["activating", "active", "draining"]),
    // Below zero while a holder that outlived its lease winds up.
    leaseRemainingMs: number(from, "leaseRemainingMs", -LIMITS.durationMs, LIMITS.durationMs),
    candidatesVersion: integer(from, "candidatesVersion", 0),
  };
}

function readPromiseReport(from: Members): PromiseReport {
  return {
    service: word(from, "service", LIMITS.nameLength),
    epoch: integer(from, "epoch", 0),
    holder: (from["holder"] ?? "") === "" ? "" : word(from, "holder", LIMITS.nameLength),
    forMs: from["forMs"] === null ? null : duration(from, "forMs"),
  };
}

function readRefusal(from: Members): Refusal {
  return {
    service: word(from, "service", LIMITS.nameLength),
    epoch: integer(from, "epoch", 0),
    because: oneOf(from, "because", [
      "other-boot",
      "old-epoch",
      "promised",
      "young",
      "busy",
      "no-lease",
      "leaving",
    ]),
  };
}

function readPromiseRequest(from: Members): PromiseRequest {
  return {
    protocol: readProtocol(from),
    clusterId: word(from, "clusterId", LIMITS.idLength),
    to: word(from, "to", LIMITS.nameLength),
    // The answer bears the state id in any case, and the holder compares it.
    toStateId: (from["toStateId"] ?? null) === null ? null : word(from, "toStateId", LIMITS.idLength),
    round: integer(from, "round", 0),
    service: word(from, "service", LIMITS.nameLength),
    holder: word(from, "holder", LIMITS.nameLength),
    epoch: integer(from, "epoch", 0),
    forMs: duration(from, "forMs"),
    ...(from["released"] !== undefined && { released: flag(from, "released") }),
  };
}

function readPromiseAnswer(from: Members): PromiseAnswer {
  return {
    protocol: readProtocol(from),
    name: word(from, "name", LIMITS.nameLength),
    stateId: word(from, "stateId", LIMITS.idLength),
    round: integer(from, "round", 0),
    service: word(from, "service", LIMITS.nameLength),
    epoch: integer(from, "epoch", 0),
    promised: flag(from, "promised"),
    because: remark(from, "because"),
    ...(from["withoutEnd"] !== undefined && { withoutEnd: flag(from, "withoutEnd") }),
  };
}

function readArbiterPromiseRequest(from: Members): ArbiterPromiseRequest {
  return {
    protocol: readProtocol(from),
    clusterId: word(from, "clusterId", LIMITS.idLength),
    to: word(from, "to", LIMITS.nameLength),
    leader: word(from, "leader", LIMITS.nameLength),
    instance: word(from, "instance", LIMITS.idLength),
    term: integer(from, "term", 0),
    round: integer(from, "round", 0),
    forMs: duration(from, "forMs"),
  };
}

function readArbiterPromiseAnswer(from: Members): ArbiterPromiseAnswer {
  return {
    protocol: readProtocol(from),
    name: word(from, "name", LIMITS.nameLength),
    stateId: word(from, "stateId", LIMITS.idLength),
    round: integer(from, "round", 0),
    term: integer(from, "term", 0),
    promised: flag(from, "promised"),
    because: remark(from, "because"),
  };
}
