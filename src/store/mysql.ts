/**
 * The engine for MariaDB and MySQL. Everything that may be contended stands in one row, which each
 * writing transaction locks first: so they happen one after another, whatever their number.
 *
 * Two connections: one writes, one reads (a read never waits for a lock). A transaction is decided
 * by its COMMIT alone: whatever fails before it was sent is refused. These servers can't push, so
 * who watches looks twice a second.
 */
import type { Connection } from "mysql2/promise";
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord, LoggedEvent } from "../core/model.ts";
import { contentsOf } from "./contents.ts";
import type { NoteName, StoreContents } from "./contract.ts";
import { Attempt, EngineTrouble, damaged, sound, wholeNumber, type StoreEngine } from "./engine.ts";
import {
  bringsConfiguration,
  changedServices,
  decideGroup,
  publishedIds,
  type Basis,
  type Changes,
  type WriteAnswer,
  type WriteCall,
} from "./group.ts";
import { migrateMysql } from "./mysql-schema.ts";
import { BEGIN, MysqlSession, RELAX, firstOf, type MysqlPlace } from "./mysql-session.ts";
import { readConfiguration, readEvent, readLeadership } from "./stored.ts";

/** Events removed by one statement: some 20 ms, so that a read behind it isn't late. */
const TRIM_PIECE = 5_000;
const LOOK_EVERY_MS = 500;

type Purpose = "write" | "read";
type Row = Readonly<Record<string, unknown>>;

export class MysqlEngine implements StoreEngine {
  readonly #place: MysqlPlace;
  readonly #prefix: string;
  readonly #sessions = new Map<Purpose, MysqlSession>();
  #closed = false;

  constructor(place: MysqlPlace) {
    this.#place = place;
    this.#prefix = place.location.prefix;
  }

  open(attempt: Attempt): Promise<void> {
    return this.#droppedOnError("write", attempt, (connection) =>
      migrateMysql(connection, this.#prefix, attempt),
    );
  }

  transact(calls: readonly WriteCall[], attempt: Attempt): Promise<readonly WriteAnswer[]> {
    return this.#droppedOnError("write", attempt, async (connection) => {
      const basis = await this.#basis(connection, calls);
      const { answers, changes } = decideGroup(calls, basis);
      if (changes === null) {
        await connection.query(`ROLLBACK; ${RELAX}`);
        return answers;
      }
      await this.#write(connection, changes);
      attempt.decide();
      await connection.query(`COMMIT; ${RELAX}`);
      return answers;
    });
  }

  /** With the connection goes whatever of a transaction is still open. */
  #droppedOnError<T>(
    purpose: Purpose,
    attempt: Attempt,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const session = this.#session(purpose);
    return session.use(attempt, async (connection) => {
      try {
        return await work(connection);
      } catch (error) {
        session.drop();
        throw error;
      }
    });
  }

  async #basis(connection: Connection, calls: readonly WriteCall[]): Promise<Basis> {
    // The lock comes first: what the later statements see can't change any more.
    const [, , states] = await several(connection, `${BEGIN}; ${this.#stateQuery()} FOR UPDATE`);
    const state = this.#stateOf(states);
    const epochs = new Map<string, number>();
    const services = changedServices(calls);
    if (services.length > 0) {
      const names = services.map((service) => Buffer.from(service));
      const [rows] = await connection.query(
        `SELECT service, epoch FROM ${this.#prefix}_services WHERE service IN (?)`,
        [names],
      );
      for (const row of rowsOf(rows)) {
        const service = textOf(row["service"]);
        epochs.set(service, wholeNumber(row["epoch"], `the epoch of service ${service}`));
      }
    }
    let newest: Basis["newest"] = null;
    if (bringsConfiguration(calls)) {
      const [rows] = await connection.query(
        `SELECT version, hash FROM ${this.#prefix}_configurations ORDER BY version DESC LIMIT 1`,
      );
      const [row] = rowsOf(rows);
      if (row !== undefined) {
        const version = wholeNumber(row["version"], "a configuration's version");
        newest = { version, hash: textOf(row["hash"]) };
      }
    }
    return { ...state, newest, epochs, published: await this.#published(connection, publishedIds(calls)) };
  }

  async #published(connection: Connection, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (ids.length === 0) return new Map();
    const [rows] = await connection.query(`SELECT id, seq FROM ${this.#prefix}_published WHERE id IN (?)`, [
      ids,
    ]);
    return new Map(
      rowsOf(rows).map((row) => [textOf(row["id"]), wholeNumber(row["seq"], "an event's number")]),
    );
  }

  #stateQuery(): string {
    return `SELECT leadership, revision, last_event, settings FROM ${this.#prefix}_state WHERE only_one = 1`;
  }

  #stateOf(rows: unknown): Pick<Basis, "record" | "revision" | "lastEvent"> {
    const [row] = rowsOf(rows);
    if (row === undefined) throw new EngineTrouble(damaged(`the table ${this.#prefix}_state is empty.`));
    const leadership = row["leadership"];
    return {
      record: leadership === null ? null : sound(readLeadership(leadership), "the leadership record"),
      revision: wholeNumber(row["revision"], "the revision"),
      lastEvent: wholeNumber(row["last_event"], "an event's number"),
    };
  }

  async #write(connection: Connection, changes: Changes): Promise<void> {
    const { record, settings, rows, configurations, events, published, notes } = changes;
    const p = this.#prefix;
    const statements = [
      `UPDATE ${p}_state SET leadership = COALESCE(?, leadership), settings = COALESCE(?, settings), revision = ?, last_event = ? WHERE only_one = 1`,
    ];
    const values: unknown[] = [
      record === null ? null : JSON.stringify(record),
      settings === null ? null : JSON.stringify(settings),
      changes.revision,
      changes.lastEvent,
    ];
    if (rows.length > 0) {
      statements.push(
        `INSERT INTO ${p}_services (service, epoch, content) VALUES ? ON DUPLICATE KEY UPDATE epoch = VALUES(epoch), content = VALUES(content)`,
      );
      values.push(rows.map((row) => [Buffer.from(row.service), row.epoch, JSON.stringify(row)]));
    }
    if (configurations.length > 0) {
      statements.push(`INSERT INTO ${p}_configurations (version, hash, content) VALUES ?`);
      values.push(configurations.map((one) => [one.version, Buffer.from(one.hash), JSON.stringify(one)]));
    }
    if (events.length > 0) {
      statements.push(`INSERT INTO ${p}_events (seq, at_wall_ms, content) VALUES ?`);
      values.push(events.map((event) => [event.seq, event.atWallMs, JSON.stringify(event)]));
    }
    if (published.size > 0) {
      statements.push(`INSERT INTO ${p}_published (id, seq) VALUES ?`);
      values.push([...published]);
    }
    if (notes.size > 0) {
      statements.push(
        `INSERT INTO ${p}_notes (name, note) VALUES ? ON DUPLICATE KEY UPDATE note = VALUES(note)`,
      );
      values.push([...notes].map(([name, note]) => [Buffer.from(name), note]));
    }
    await connection.query(statements.join("; "), values);
  }

  leadership(attempt: Attempt): Promise<LeadershipRecord | null> {
    return this.#session("read").use(attempt, async (connection) => {
      const [rows] = await connection.query(this.#stateQuery());
      return this.#stateOf(rows).record;
    });
  }

  load(attempt: Attempt): Promise<StoreContents> {
    const p = this.#prefix;
    return this.#droppedOnError("read", attempt, async (connection) => {
      // One request: nobody else's statement comes between, and all see the same moment.
      const [, states, services, configurations] = await several(
        connection,
        `START TRANSACTION WITH CONSISTENT SNAPSHOT; ${this.#stateQuery()};
         SELECT service, epoch, content FROM ${p}_services;
         SELECT content FROM ${p}_configurations ORDER BY version DESC LIMIT 1; COMMIT`,
      );
      const { revision, lastEvent } = this.#stateOf(states);
      return contentsOf({
        revision,
        lastEvent,
        settings: rowsOf(states)[0]?.["settings"],
        services: rowsOf(services).map((row) => [textOf(row["service"]), row["epoch"], row["content"]]),
        configuration: rowsOf(configurations)[0]?.["content"],
      });
    });
  }

  events(after: number, limit: number, attempt: Attempt): Promise<readonly LoggedEvent[]> {
    return this.#session("read").use(attempt, async (connection) => {
      const [rows] = await connection.query(
        `SELECT seq, content FROM ${this.#prefix}_events WHERE seq > ? ORDER BY seq LIMIT ?`,
        [after, limit],
      );
      return rowsOf(rows).map((row) => {
        const seq = wholeNumber(row["seq"], "an event's number");
        return Object.assign(sound(readEvent(row["content"]), `event ${seq}`), { seq });
      });
    });
  }

  configurations(limit: number, attempt: Attempt): Promise<readonly ConfigurationVersion[]> {
    return this.#session("read").use(attempt, async (connection) => {
      const [rows] = await connection.query(
        `SELECT version, content FROM ${this.#prefix}_configurations ORDER BY version DESC LIMIT ?`,
        [limit],
      );
      return rowsOf(rows).map((row) =>
        sound(readConfiguration(row["content"]), `configuration version ${String(row["version"])}`),
      );
    });
  }

  note(name: NoteName, attempt: Attempt): Promise<string | null> {
    return this.#session("read").use(attempt, async (connection) => {
      const [rows] = await connection.query(`SELECT note FROM ${this.#prefix}_notes WHERE name = ?`, [
        Buffer.from(name),
      ]);
      const [row] = rowsOf(rows);
      return row === undefined ? null : textOf(row["note"]);
    });
  }

  // From the oldest on and no further than the first to be kept: the numbers stay consecutive even
  // where the wall clock was stepped.
  trim(
    beforeWallMs: number,
    attempt: Attempt,
  ): Promise<{ readonly removed: number; readonly more: boolean }> {
    const table = `${this.#prefix}_events`;
    return this.#session("read").use(attempt, async (connection) => {
      const [found] = await connection.query(
        `SELECT LEAST(COALESCE((SELECT seq FROM ${table} WHERE at_wall_ms >= ? ORDER BY seq LIMIT 1), MAX(seq)),
           MIN(seq) + ?) AS upto FROM ${table}`,
        [beforeWallMs, TRIM_PIECE],
      );
      const upto = firstOf(found)["upto"] ?? null;
      if (upto === null) return { removed: 0, more: false };
      attempt.decide();
      const [done] = await connection.query(`DELETE FROM ${table} WHERE seq < ?`, [
        wholeNumber(upto, "an event's number"),
      ]);
      const removed = "affectedRows" in done ? done.affectedRows : 0;
      await connection.query(
        `DELETE FROM ${this.#prefix}_published WHERE seq < (SELECT MIN(seq) FROM ${table})`,
      );
      return { removed, more: removed === TRIM_PIECE };
    });
  }

  watch(onChange: () => void): () => void {
    const abort = new AbortController();
    const attempt = new Attempt(abort.signal);
    let known: string | null = null;
    let isLooking = false;
    const look = async (): Promise<void> => {
      if (isLooking) return;
      isLooking = true;
      try {
        const state = await this.#session("read").use(attempt, async (connection) => {
          const [rows] = await connection.query(this.#stateQuery());
          return JSON.stringify(rowsOf(rows));
        });
        if (known !== null && known !== state && !abort.signal.aborted) onChange();
        known = state;
      } catch {
        // The calls that this store is used for tell of the trouble; here it is only tried again.
      } finally {
        isLooking = false;
      }
    };
    const timer = setInterval(() => void look(), LOOK_EVERY_MS);
    void look();
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.end()));
    this.#sessions.clear();
  }

  #session(purpose: Purpose): MysqlSession {
    if (this.#closed) throw new EngineTrouble("is closed.", { isCertain: true });
    const known = this.#sessions.get(purpose);
    if (known !== undefined && !known.isOver) return known;
    const session = new MysqlSession(this.#place);
    this.#sessions.set(purpose, session);
    return session;
  }
}

/** The results of several statements that were sent as one request. */
async function several(connection: Connection, sql: string): Promise<readonly unknown[]> {
  const [results] = await connection.query(sql);
  return Array.isArray(results) ? results : [];
}

function rowsOf(rows: unknown): readonly Row[] {
  const list: readonly unknown[] = Array.isArray(rows) ? rows : [];
  return list.map((row) => firstOf([row]));
}

function textOf(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString("utf8") : String(value);
}
