/**
 * The database itself: opens the file, and carries out one call inside a transaction that its
 * caller holds. Synchronous, and so it lives on a thread of its own.
 *
 * WAL with `synchronous = FULL`: what COMMIT has returned from survives the loss of power (I5).
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Commit, ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord, LoggedEvent, ServiceRow } from "../core/model.ts";
import type { Parsed } from "../protocol/reading.ts";
import type { Committed, StoreContents } from "./contract.ts";
import { numberEvents } from "./once.ts";
import { asNextVersion, mayCampaign, raisesRevision, whyFenced } from "./rules.ts";
import type { SqliteCall, SqliteCallName, SqliteCalls, SqliteOptions } from "./sqlite-calls.ts";
import { migrate } from "./sqlite-schema.ts";
import { Damaged, Fenced, Misplaced } from "./sqlite-trouble.ts";
import {
  NO_SETTINGS,
  readConfiguration,
  readEvent,
  readLeadership,
  readServiceRow,
  readSettings,
} from "./stored.ts";

const STATEMENTS = {
  record: "SELECT record FROM leadership",
  setRecord: "INSERT OR REPLACE INTO leadership (only, record) VALUES (1, ?)",
  state: "SELECT revision, settings FROM state",
  raiseRevision: "UPDATE state SET revision = max(revision, ?) + 1",
  setSettings: "UPDATE state SET settings = ?",
  rows: "SELECT service, epoch, row FROM services ORDER BY service",
  epoch: "SELECT epoch FROM services WHERE service = ?",
  setRow: "INSERT OR REPLACE INTO services (service, epoch, row) VALUES (?, ?, ?)",
  newestVersion: "SELECT version, hash FROM configurations ORDER BY version DESC LIMIT 1",
  configurations: "SELECT version, configuration FROM configurations ORDER BY version DESC LIMIT ?",
  addConfiguration: "INSERT INTO configurations (version, hash, configuration) VALUES (?, ?, ?)",
  lastEvent: "SELECT max(seq) AS seq FROM events",
  addEvent: "INSERT INTO events (seq, at_wall_ms, event) VALUES (?, ?, ?)",
  events: "SELECT seq, event FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
  firstKept: "SELECT seq FROM events WHERE at_wall_ms >= ? ORDER BY seq LIMIT 1",
  firstEvent: "SELECT min(seq) AS seq FROM events",
  trim: "DELETE FROM events WHERE seq < ?",
  publishedAs: "SELECT seq FROM published WHERE id = ?",
  addPublished: "INSERT INTO published (id, seq) VALUES (?, ?)",
  trimPublished: "DELETE FROM published WHERE seq < ?",
  note: "SELECT note FROM notes WHERE name = ?",
  setNote: "INSERT OR REPLACE INTO notes (name, note) VALUES (?, ?)",
  foreignVersion: "PRAGMA data_version",
} as const;

export class SqliteDatabase {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #fileId: string;
  readonly #statements = new Map<string, StatementSync>();

  /** `mayCreate`: false when the store was open before, since an empty one in its place would be another past. */
  constructor(options: SqliteOptions, mayCreate: boolean) {
    this.#path = options.path;
    prepareFile(options, mayCreate);
    this.#fileId = fileId(options.path);
    this.#db = new DatabaseSync(options.path, { timeout: options.busyTimeoutMs });
    try {
      const mode = this.#db.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
      if (mode !== "wal") {
        throw new Misplaced(
          `can't be used: the file system of ${options.path} does not allow SQLite's write-ahead log (network file systems don't). Choose a path on a local disk with "url" in [store].`,
        );
      }
      this.#db.exec("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF");
      migrate(this.#db, options.path);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  get isTransaction(): boolean {
    return this.#db.isTransaction;
  }

  exec(sql: string): void {
    this.#db.exec(sql);
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  /** A file that was deleted or replaced goes on taking writes that nobody will ever read. */
  assertInPlace(): void {
    if (fileId(this.#path) === this.#fileId) return;
    throw new Misplaced(
      `has lost its file: ${this.#path} was deleted or replaced while it was in use. Put the file back, or restart every arbiter that uses it.`,
    );
  }

  run(call: SqliteCall): SqliteCalls[SqliteCallName]["out"] {
    switch (call.name) {
      case "leadership":
        return this.#leadership();
      case "campaign":
        return this.#campaign(call.in.expected, call.in.next);
      case "load":
        return this.#load();
      case "commit":
        return this.#commit(call.in);
      case "note": {
        const row = this.#prepared("note").get(call.in.name);
        return row === undefined ? null : String(row["note"]);
      }
      case "events":
        return this.#events(call.in.after, call.in.limit);
      case "configurations":
        return this.#configurations(call.in.limit);
      case "trim":
        return this.#trim(call.in.beforeWallMs, call.in.limit);
      case "foreignVersion":
        return asNumber(this.#prepared("foreignVersion").get()?.["data_version"], "data_version");
      // Opening and closing are the caller's.
      case "open":
      case "close":
      default:
        return null;
    }
  }

  #prepared(name: keyof typeof STATEMENTS): StatementSync {
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      statement = this.#db.prepare(STATEMENTS[name]);
      this.#statements.set(name, statement);
    }
    return statement;
  }

  #leadership(): LeadershipRecord | null {
    const row = this.#prepared("record").get();
    return row === undefined ? null : sound(readLeadership(row["record"]), "the leadership record");
  }

  #campaign(
    expected: LeadershipRecord | null,
    next: LeadershipRecord,
  ): { won: boolean; record: LeadershipRecord | null } {
    const current = this.#leadership();
    if (!mayCampaign(current, expected)) return { won: false, record: current };
    this.#prepared("setRecord").run(JSON.stringify(next));
    return { won: true, record: next };
  }

  #load(): StoreContents {
    const state = this.#prepared("state").get();
    const settings = state?.["settings"] ?? null;
    return {
      revision: asNumber(state?.["revision"], "the revision"),
      rows: this.#prepared("rows").all().map(serviceRow),
      settings: settings === null ? NO_SETTINGS : sound(readSettings(settings), "the settings"),
      configuration: this.#configurations(1)[0] ?? null,
      lastEvent: this.#lastEvent(),
    };
  }

  #commit(commit: Commit): Committed {
    const refusal = whyFenced(commit, this.#leadership(), (service) => {
      const row = this.#prepared("epoch").get(service);
      return row === undefined ? null : asNumber(row["epoch"], `the epoch of service ${service}`);
    });
    if (refusal !== null) throw new Fenced(refusal);
    for (const { row } of commit.changes) {
      this.#prepared("setRow").run(row.service, row.epoch, JSON.stringify(row));
    }
    if (commit.settings !== null) this.#prepared("setSettings").run(JSON.stringify(commit.settings));
    if (commit.configuration !== null) this.#addConfiguration(commit.configuration);
    if (raisesRevision(commit)) this.#prepared("raiseRevision").run(commit.revisionAbove ?? 0);
    for (const [name, note] of Object.entries(commit.notes ?? {})) this.#prepared("setNote").run(name, note);
    const { events, repeats } = this.#addEvents(commit.events);
    const revision = asNumber(this.#prepared("state").get()?.["revision"], "the revision");
    return { revision, events, repeats };
  }

  #addConfiguration(wanted: ConfigurationVersion): void {
    const row = this.#prepared("newestVersion").get();
    const newest =
      row === undefined
        ? null
        : { version: asNumber(row["version"], "a configuration's version"), hash: String(row["hash"]) };
    const next = asNextVersion(wanted, newest);
    if (next === null) return;
    this.#prepared("addConfiguration").run(next.version, next.hash, JSON.stringify(next));
  }

  #addEvents(drafts: Commit["events"]): Pick<Committed, "events" | "repeats"> {
    if (drafts.length === 0) return { events: [], repeats: [] };
    const { events, repeats, ids } = numberEvents(drafts, this.#lastEvent(), (id) => {
      const row = this.#prepared("publishedAs").get(id);
      return row === undefined ? null : asNumber(row["seq"], "an event's number");
    });
    for (const event of events) {
      this.#prepared("addEvent").run(event.seq, event.atWallMs, JSON.stringify(event));
    }
    for (const [id, seq] of ids) this.#prepared("addPublished").run(id, seq);
    return { events, repeats };
  }

  #lastEvent(): number {
    return asNumber(this.#prepared("lastEvent").get()?.["seq"] ?? 0, "an event's number");
  }

  #events(after: number, limit: number): LoggedEvent[] {
    return this.#prepared("events")
      .all(after, limit)
      .map((row) => {
        const seq = asNumber(row["seq"], "an event's number");
        return Object.assign(sound(readEvent(row["event"]), `event ${seq}`), { seq });
      });
  }

  #configurations(limit: number): ConfigurationVersion[] {
    return this.#prepared("configurations")
      .all(limit)
      .map((row) =>
        sound(readConfiguration(row["configuration"]), `configuration version ${String(row["version"])}`),
      );
  }

  // From the oldest on and no further than the first to be kept: the numbers stay consecutive even
  // where the wall clock was stepped.
  #trim(beforeWallMs: number, limit: number): number {
    const first = this.#prepared("firstEvent").get()?.["seq"] ?? null;
    if (first === null) return 0;
    const kept = this.#prepared("firstKept").get(beforeWallMs)?.["seq"] ?? this.#lastEvent();
    const piece = asNumber(first, "an event's number") + limit;
    const before = Math.min(asNumber(kept, "an event's number"), piece);
    this.#prepared("trimPublished").run(before);
    return Number(this.#prepared("trim").run(before).changes);
  }
}

function serviceRow(row: Record<string, unknown>): ServiceRow {
  const service = String(row["service"]);
  const read = sound(readServiceRow(row["row"]), `the row of service ${service}`);
  if (read.service === service && read.epoch === row["epoch"]) return read;
  throw new Damaged(`${damaged(`the row of service ${service}`)} (its columns contradict each other).`);
}

function sound<T>(read: Parsed<T>, what: string): T {
  if (read.ok) return read.value;
  throw new Damaged(`${damaged(what)} (${read.error}).`);
}

function asNumber(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new Damaged(`${damaged(what)} (it must be a whole number).`);
}

function damaged(what: string): string {
  return `holds damaged contents, and nothing was changed: put back a copy of the file, or start with an empty store (daemons that run are then adopted). What is damaged: ${what}`;
}

/** Only the owner may read it: configuration versions may hold what the files held. */
function prepareFile(options: SqliteOptions, mayCreate: boolean): void {
  const { path } = options;
  const folder = dirname(path);
  if (!existsSync(folder)) {
    if (!options.makeFolder || !mayCreate) {
      throw new Misplaced(
        `can't be opened: the folder ${folder} does not exist. Create it (is its disk mounted?), or choose another path with "url" in [store].`,
      );
    }
    makeFolder(folder);
  }
  if (existsSync(path)) {
    accessSync(path, constants.R_OK | constants.W_OK);
    // The write-ahead log lies beside it.
    accessSync(folder, constants.W_OK | constants.X_OK);
    return;
  }
  if (!mayCreate) {
    throw new Misplaced(
      `has lost its file: ${path} was deleted while it was in use. Put the file back, or restart every arbiter that uses it to begin with an empty store.`,
    );
  }
  closeSync(openSync(path, "a", 0o600));
  syncFolder(folder);
}

/** The new names must survive a loss of power as what is committed below them does. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
  syncFolder(dirname(folder));
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function fileId(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
}
