/** Values that are complete and not empty, so that a member lost on the way to disk is noticed. */
import type { Commit, ConfigurationVersion } from "../../src/core/arbiter-io.ts";
import type { EventDraft, LeadershipRecord, ServiceRow, Settings } from "../../src/core/model.ts";

export function leadershipRecord(rest: Partial<LeadershipRecord> = {}): LeadershipRecord {
  return {
    clusterId: "cluster-1",
    term: 1,
    leader: "arbiter-1",
    instance: "arbiter-1-start-1",
    url: "http://127.0.0.1:7770",
    beat: 1,
    released: false,
    ttlMs: 2_000,
    electable: [
      { name: "arbiter-1", stateId: "state-1", url: "http://127.0.0.1:7770" },
      { name: "arbiter-2", stateId: null, url: "http://127.0.0.2:7770" },
    ],
    ...rest,
  };
}

export function serviceRow(rest: Partial<ServiceRow> = {}): ServiceRow {
  const one = { name: "scheduler-1", stateId: "s1", url: "http://127.0.0.1:7768" };
  const two = { name: "scheduler-2", stateId: "s2", url: "http://[::1]:7768" };
  return {
    service: "scheduler-master",
    holder: "scheduler-1",
    stateId: "s1",
    bootId: "b1",
    epoch: 1,
    cleared: 0,
    leaseMaxMs: 2_000,
    candidates: { version: 2, list: [one, two] },
    pastSets: [{ epoch: 1, set: { version: 1, list: [one] } }],
    sinceWallMs: 1_790_000_000_123.5,
    ...rest,
  };
}

export const SETTINGS: Settings = {
  pauses: {
    "*": { by: "anna", reason: "moving racks — „heute“ 🛠", untilWallMs: 1_790_000_100_000 },
    "scheduler-master": { by: "ben", reason: "", untilWallMs: null },
  },
  maintenance: { "scheduler-2": { by: "anna", reason: "new disk" } },
  moves: {
    "scheduler-master": {
      verb: "switchover",
      to: "scheduler-2",
      by: "anna",
      requestedWallMs: 5,
      doneAtBoots: { "scheduler-1": "b1" },
    },
    broker: { verb: "failback", to: null, by: "ben", requestedWallMs: 6, doneAtBoots: null },
    poller: { verb: "failover", to: null, by: "ben", requestedWallMs: 7, epoch: 4, doneAtBoots: null },
  },
  joined: { late: { keys: { type: "web", address: "10.0.0.9", port: "80" }, by: "ben", atWallMs: 7 } },
};

export function configuration(version: number, hash: string = `hash-${version}`): ConfigurationVersion {
  return {
    version,
    hash,
    atWallMs: version * 1_000,
    by: "anna",
    files: { "arbiter.cfg": "[cluster]\r\nname = ü\n", "daemons/a.cfg": "scheduler_name\ta\u0000\n" },
  };
}

export function event(text: string, rest: Partial<EventDraft> = {}): EventDraft {
  return { type: "service-moved", atWallMs: 1_000, text, ...rest };
}

/** A program's own event. */
export function published(
  idempotencyKey: string,
  value: unknown = null,
  rest: Partial<EventDraft> = {},
): EventDraft {
  const publication = { namespace: "jobs", key: "etl", value, idempotencyKey };
  return { type: "published", atWallMs: 1_000, text: "jobs/etl", publication, ...rest };
}

export function commit(rest: Partial<Commit> = {}): Commit {
  return { commitId: 1, term: 1, changes: [], settings: null, configuration: null, events: [], ...rest };
}
