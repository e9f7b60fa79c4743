/**
 * Guards for what comes back from a store. A row that was damaged, or written by something else,
 * must be a clear error that names it, never a crash later on nor a service with epoch `undefined`.
 */
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type {
  Candidate,
  CandidateSet,
  DrillRecord,
  DrillRun,
  DrillTrial,
  EventDraft,
  JoinedDaemon,
  LeadershipRecord,
  Maintenance,
  Pause,
  Publication,
  ServiceRow,
  Settings,
  WantedMove,
} from "../core/model.ts";
import {
  flag,
  integer,
  list,
  number,
  object,
  oneOf,
  parsed,
  record,
  text,
  wordOrNull,
  word,
  words,
  type Members,
  type Parsed,
} from "../protocol/reading.ts";

/** Far above anything that the arbiter writes: these guard against garbage, not against size. */
const NAME = 1024;
const TEXT = 1_000_000;
const FILE = 64_000_000;
const MANY = 1_000_000;
const NAMES = { entries: MANY, keyLength: 4096 };
const MAX_TIME = Number.MAX_SAFE_INTEGER;

export const NO_SETTINGS: Settings = { pauses: {}, maintenance: {}, moves: {}, joined: {} };

/** Reads one kind of value from its JSON. */
export type Guard<T> = (json: unknown) => Parsed<T>;

export const readLeadership: Guard<LeadershipRecord> = (json) =>
  fromJson(json, (from) => ({
    clusterId: word(from, "clusterId", NAME),
    term: integer(from, "term", 0),
    leader: word(from, "leader", NAME),
    instance: word(from, "instance", NAME),
    url: text(from, "url", NAME * 4),
    beat: integer(from, "beat", 0),
    released: flag(from, "released"),
    ...(present(from, "successor") ? { successor: word(from, "successor", NAME) } : {}),
    ttlMs: number(from, "ttlMs", 0, MAX_TIME),
    electable: list(from, "electable", MANY, (item) => ({
      name: word(item, "name", NAME),
      stateId: wordOrNull(item, "stateId", NAME),
      url: text(item, "url", NAME * 4),
    })),
  }));

export const readServiceRow: Guard<ServiceRow> = (json) =>
  fromJson(json, (from) => ({
    service: word(from, "service", NAME),
    holder: wordOrNull(from, "holder", NAME),
    stateId: wordOrNull(from, "stateId", NAME),
    bootId: wordOrNull(from, "bootId", NAME),
    epoch: integer(from, "epoch", 0),
    cleared: integer(from, "cleared", -1),
    leaseMaxMs: number(from, "leaseMaxMs", 0, MAX_TIME),
    candidates: object(from, "candidates", candidateSet),
    pastSets: list(from, "pastSets", MANY, (item) => ({
      epoch: integer(item, "epoch", 0),
      set: object(item, "set", candidateSet),
    })),
    ...(present(from, "masters") ? { masters: words(from, "masters", MANY, NAME) } : {}),
    ...(from["pastLost"] === true ? { pastLost: true } : {}),
    sinceWallMs: number(from, "sinceWallMs", -MAX_TIME, MAX_TIME),
  }));

export const readSettings: Guard<Settings> = (json) =>
  fromJson(json, (from) => ({
    pauses: record(from, "pauses", NAMES, (entries, name) => object(entries, name, pause)),
    maintenance: record(from, "maintenance", NAMES, (entries, name) => object(entries, name, maintenance)),
    moves: record(from, "moves", NAMES, (entries, name) => object(entries, name, wantedMove)),
    // A version before this one wrote none.
    joined: present(from, "joined")
      ? record(from, "joined", NAMES, (entries, name) => object(entries, name, joinedDaemon))
      : {},
    ...(present(from, "drills")
      ? { drills: record(from, "drills", NAMES, (entries, name) => object(entries, name, drillRecord)) }
      : {}),
  }));

export const readConfiguration: Guard<ConfigurationVersion> = (json) =>
  fromJson(json, (from) => ({
    version: integer(from, "version", 0),
    hash: text(from, "hash", NAME),
    atWallMs: number(from, "atWallMs", -MAX_TIME, MAX_TIME),
    by: text(from, "by", NAME * 4),
    files: record(from, "files", NAMES, (entries, name) => text(entries, name, FILE)),
  }));

export const readEvent: Guard<EventDraft> = (json) =>
  fromJson(json, (from) => ({
    type: word(from, "type", NAME),
    atWallMs: number(from, "atWallMs", -MAX_TIME, MAX_TIME),
    ...(present(from, "service") ? { service: text(from, "service", NAME) } : {}),
    ...(present(from, "daemon") ? { daemon: text(from, "daemon", NAME) } : {}),
    ...(present(from, "epoch") ? { epoch: integer(from, "epoch", 0) } : {}),
    ...(present(from, "term") ? { term: integer(from, "term", 0) } : {}),
    text: text(from, "text", TEXT),
    ...(present(from, "row") ? { row: integer(from, "row", 0) } : {}),
    ...(present(from, "evidence") ? { evidence: object(from, "evidence", (members) => members) } : {}),
    ...(present(from, "publication") ? { publication: object(from, "publication", publication) } : {}),
  }));

function fromJson<T>(json: unknown, read: (from: Members) => T): Parsed<T> {
  if (typeof json !== "string") return { ok: false, error: "the value must be text" };
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { ok: false, error: "the value must be JSON" };
  }
  return parsed(value, read);
}

function present(from: Members, key: string): boolean {
  return from[key] !== undefined;
}

function candidateSet(from: Members): CandidateSet {
  return { version: integer(from, "version", 0), list: list(from, "list", MANY, candidate) };
}

function candidate(from: Members): Candidate {
  return {
    name: word(from, "name", NAME),
    stateId: word(from, "stateId", NAME),
    url: text(from, "url", NAME * 4),
  };
}

function publication(from: Members): Publication {
  return {
    namespace: word(from, "namespace", NAME),
    key: word(from, "key", NAME),
    value: from["value"] ?? null,
    idempotencyKey: word(from, "idempotencyKey", NAME),
  };
}

function pause(from: Members): Pause {
  return {
    by: text(from, "by", NAME * 4),
    reason: text(from, "reason", TEXT),
    untilWallMs: from["untilWallMs"] === null ? null : number(from, "untilWallMs", -MAX_TIME, MAX_TIME),
    // Of a short pause the end is warned of at its last quarter, by a new leader as well.
    ...(present(from, "sinceWallMs")
      ? { sinceWallMs: number(from, "sinceWallMs", -MAX_TIME, MAX_TIME) }
      : {}),
  };
}

function maintenance(from: Members): Maintenance {
  return { by: text(from, "by", NAME * 4), reason: text(from, "reason", TEXT) };
}

function joinedDaemon(from: Members): JoinedDaemon {
  return {
    keys: record(from, "keys", NAMES, (entries, key) => text(entries, key, NAME * 4)),
    by: text(from, "by", NAME * 4),
    atWallMs: number(from, "atWallMs", -MAX_TIME, MAX_TIME),
  };
}

function drillRecord(from: Members): DrillRecord {
  return {
    sinceWallMs: number(from, "sinceWallMs", -MAX_TIME, MAX_TIME),
    lastGoodWallMs: numberOrNull(from, "lastGoodWallMs"),
    failed:
      from["failed"] === null
        ? null
        : object(from, "failed", (failed) => ({
            atWallMs: number(failed, "atWallMs", -MAX_TIME, MAX_TIME),
            because: text(failed, "because", TEXT),
          })),
    run: from["run"] === null ? null : object(from, "run", drillRun),
    ...(present(from, "tried")
      ? { tried: record(from, "tried", NAMES, (entries, name) => object(entries, name, drillTrial)) }
      : {}),
  };
}

function drillTrial(from: Members): DrillTrial {
  return {
    atWallMs: number(from, "atWallMs", -MAX_TIME, MAX_TIME),
    because: from["because"] === null ? null : text(from, "because", TEXT),
  };
}

function drillRun(from: Members): DrillRun {
  return {
    by: text(from, "by", NAME * 4),
    home: word(from, "home", NAME),
    spare: word(from, "spare", NAME),
    holdMs: number(from, "holdMs", 0, MAX_TIME),
    startedWallMs: number(from, "startedWallMs", -MAX_TIME, MAX_TIME),
    stage: oneOf(from, "stage", ["out", "holding", "back"]),
    fromEpoch: integer(from, "fromEpoch", 0),
    outGapMs: numberOrNull(from, "outGapMs"),
    outOverlapMs: numberOrNull(from, "outOverlapMs"),
    failure: from["failure"] === null ? null : text(from, "failure", TEXT),
    moveBefore: from["moveBefore"] === null ? null : object(from, "moveBefore", wantedMove),
  };
}

function numberOrNull(from: Members, key: string): number | null {
  return from[key] === null ? null : number(from, key, -MAX_TIME, MAX_TIME);
}

function wantedMove(from: Members): WantedMove {
  return {
    verb: oneOf(from, "verb", ["switchover", "failover", "failback"]),
    to: wordOrNull(from, "to", NAME),
    by: text(from, "by", NAME * 4),
    requestedWallMs: number(from, "requestedWallMs", -MAX_TIME, MAX_TIME),
    ...(from["epoch"] === undefined ? {} : { epoch: integer(from, "epoch", 0) }),
    doneAtBoots:
      from["doneAtBoots"] === null
        ? null
        : record(from, "doneAtBoots", NAMES, (entries, name) => word(entries, name, NAME)),
  };
}
