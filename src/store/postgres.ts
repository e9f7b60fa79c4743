/**
 * The PostgreSQL engine. Everything that may be contended stands in one row, which each writing
 * transaction locks first: so they happen one after another, whatever their number.
 *
 * Three connections: one writes, one reads (a read never waits for a lock), one listens. A
 * transaction is decided by its COMMIT alone: whatever fails before it was sent is refused.
 */
import { randomUUID } from "node:crypto";
import type { Client, QueryResult, QueryResultRow } from "pg";
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
import { pause } from "./pause.ts";
import { migratePostgres } from "./postgres-schema.ts";
import { PostgresSession, type PostgresPlace } from "./postgres-session.ts";
import { readConfiguration, readEvent, readLeadership } from "./stored.ts";

/** Events removed by one statement: some 20 ms, so that a read behind it isn't late. */
const TRIM_PIECE = 5_000;
const LISTEN_AGAIN_MS = 500;

type Purpose = "write" | "read" | "listen";

export class PostgresEngine implements StoreEngine {
  readonly #place: PostgresPlace;
  readonly #prefix: string;
  readonly #sessions = new Map<Purpose, PostgresSession>();
  /** Tells own changes from those of others. */
  readonly #id: string = randomUUID();
  #closed = false;

  constructor(place: PostgresPlace) {
    this.#place = place;
    this.#prefix = place.location.prefix;
  }

  async open(attempt: Attempt): Promise<void> {
    const session = this.#session("write");
    await session.use(attempt, async (client) => {
      try {
        await migratePostgres(client, this.#prefix, attempt);
      } catch (error) {
        session.drop();
        throw error;
      }
    });
  }

  async transact(calls: readonly WriteCall[], attempt: Attempt): Promise<readonly WriteAnswer[]> {
    const session = this.#session("write");
    return session.use(attempt, async (client) => {
      try {
        return await this.#transaction(client, calls, attempt);
      } catch (error) {
        // With the connection goes whatever of the transaction is still open.
        session.drop();
        throw error;
      }
    });
  }

  async #transaction(
    client: Client,
    calls: readonly WriteCall[],
    attempt: Attempt,
  ): Promise<readonly WriteAnswer[]> {
    const basis = await this.#basis(client, calls);
    const { answers, changes } = decideGroup(calls, basis);
    if (changes === null) {
      await client.query("ROLLBACK");
      return answers;
    }
    await this.#write(client, changes);
    attempt.decide();
    const { command } = await client.query("COMMIT");
    if (command === "COMMIT") return answers;
    // A transaction that had failed is rolled back by COMMIT, without an error.
    throw new EngineTrouble("undid the transaction instead of committing it.", { isCertain: true });
  }

  async #basis(client: Client, calls: readonly WriteCall[]): Promise<Basis> {
    // The lock comes first: what the later statements see can't change any more.
    const state = await this.#state(client, "BEGIN;", "FOR UPDATE");
    const epochs = new Map<string, number>();
    const services = changedServices(calls);
    if (services.length > 0) {
      const { rows } = await client.query<QueryResultRow>(
        `SELECT service, epoch FROM ${this.#prefix}_services WHERE service = ANY($1)`,
        [services],
      );
      for (const row of rows) {
        const service = String(row["service"]);
        epochs.set(service, wholeNumber(row["epoch"], `the epoch of service ${service}`));
      }
    }
    let newest: Basis["newest"] = null;
    if (bringsConfiguration(calls)) {
      const { rows } = await client.query<QueryResultRow>(
        `SELECT version, hash FROM ${this.#prefix}_configurations ORDER BY version DESC LIMIT 1`,
      );
      const [row] = rows;
      if (row !== undefined) {
        newest = {
          version: wholeNumber(row["version"], "a configuration's version"),
          hash: String(row["hash"]),
        };
      }
    }
    return { ...state, newest, epochs, published: await this.#published(client, publishedIds(calls)) };
  }

  async #published(client: Client, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (ids.length === 0) return new Map();
    const { rows } = await client.query<QueryResultRow>(
      `SELECT id, seq FROM ${this.#prefix}_published WHERE id = ANY($1)`,
      [ids],
    );
    return new Map(rows.map((row) => [String(row["id"]), wholeNumber(row["seq"], "an event's number")]));
  }

  async #state(
    client: Client,
    before: "BEGIN;" | "",
    lock: "FOR UPDATE" | "",
  ): Promise<Pick<Basis, "record" | "revision" | "lastEvent">> {
    const answer = await client.query<QueryResultRow>(
      `${before} SELECT leadership, revision, last_event FROM ${this.#prefix}_state ${lock}`,
    );
    // Two statements in one request have two results.
    const results: readonly QueryResult<QueryResultRow>[] = [answer].flat();
    const rows = results.at(-1)?.rows ?? [];
    const [row] = rows;
    if (row === undefined) throw new EngineTrouble(damaged(`the table ${this.#prefix}_state is empty.`));
    return {
      record: recordOf(row["leadership"]),
      revision: wholeNumber(row["revision"], "the revision"),
      lastEvent: wholeNumber(row["last_event"], "an event's number"),
    };
  }

  /** One statement for all of it, and the note to those who listen, which COMMIT sends. */
  async #write(client: Client, changes: Changes): Promise<void> {
    const { record, settings, rows, configurations, events, published, notes } = changes;
    const p = this.#prefix;
    await client.query(
      `WITH state AS (
         UPDATE ${p}_state SET leadership = coalesce($1, leadership), settings = coalesce($2, settings),
           revision = $3, last_event = $4
       ), services AS (
         INSERT INTO ${p}_services (service, epoch, content)
         SELECT * FROM unnest($5::text[], $6::bigint[], $7::text[])
         ON CONFLICT (service) DO UPDATE SET epoch = excluded.epoch, content = excluded.content
       ), configurations AS (
         INSERT INTO ${p}_configurations (version, hash, content)
         SELECT * FROM unnest($8::bigint[], $9::text[], $10::text[])
       ), events AS (
         INSERT INTO ${p}_events (seq, at_wall_ms, content)
         SELECT * FROM unnest($11::bigint[], $12::float8[], $13::text[])
       ), published AS (
         INSERT INTO ${p}_published (id, seq) SELECT * FROM unnest($16::text[], $17::bigint[])
       ), notes AS (
         INSERT INTO ${p}_notes (name, note) SELECT * FROM unnest($18::text[], $19::text[])
         ON CONFLICT (name) DO UPDATE SET note = excluded.note
       )
       SELECT pg_notify($14, $15)`,
      [
        record === null ? null : JSON.stringify(record),
        settings === null ? null : JSON.stringify(settings),
        changes.revision,
        changes.lastEvent,
        rows.map(({ service }) => service),
        rows.map(({ epoch }) => epoch),
        rows.map((row) => JSON.stringify(row)),
        configurations.map(({ version }) => version),
        configurations.map(({ hash }) => hash),
        configurations.map((configuration) => JSON.stringify(configuration)),
        events.map(({ seq }) => seq),
        events.map(({ atWallMs }) => atWallMs),
        events.map((event) => JSON.stringify(event)),
        this.#channel(),
        this.#id,
        [...published.keys()],
        [...published.values()],
        [...notes.keys()],
        [...notes.values()],
      ],
    );
  }

  leadership(attempt: Attempt): Promise<LeadershipRecord | null> {
    return this.#session("read").use(attempt, async (client) => (await this.#state(client, "", "")).record);
  }

  load(attempt: Attempt): Promise<StoreContents> {
    const p = this.#prefix;
    return this.#session("read").use(attempt, async (client) => {
      // One statement, and so one moment.
      const { rows } = await client.query<QueryResultRow>(
        `SELECT revision, last_event, settings,
           (SELECT json_agg(json_build_array(service, epoch, content)) FROM ${p}_services) AS services,
           (SELECT content FROM ${p}_configurations ORDER BY version DESC LIMIT 1) AS configuration
         FROM ${p}_state`,
      );
      const [row] = rows;
      if (row === undefined) throw new EngineTrouble(damaged(`the table ${p}_state is empty.`));
      const { revision, last_event: lastEvent, settings, services, configuration } = row;
      return contentsOf({ revision, lastEvent, settings, services, configuration });
    });
  }

  events(after: number, limit: number, attempt: Attempt): Promise<readonly LoggedEvent[]> {
    return this.#session("read").use(attempt, async (client) => {
      const { rows } = await client.query<QueryResultRow>(
        `SELECT seq, content FROM ${this.#prefix}_events WHERE seq > $1 ORDER BY seq LIMIT $2`,
        [after, limit],
      );
      return rows.map((row) => {
        const seq = wholeNumber(row["seq"], "an event's number");
        return Object.assign(sound(readEvent(row["content"]), `event ${seq}`), { seq });
      });
    });
  }

  configurations(limit: number, attempt: Attempt): Promise<readonly ConfigurationVersion[]> {
    return this.#session("read").use(attempt, async (client) => {
      const { rows } = await client.query<QueryResultRow>(
        `SELECT version, content FROM ${this.#prefix}_configurations ORDER BY version DESC LIMIT $1`,
        [limit],
      );
      return rows.map((row) =>
        sound(readConfiguration(row["content"]), `configuration version ${String(row["version"])}`),
      );
    });
  }

  note(name: NoteName, attempt: Attempt): Promise<string | null> {
    return this.#session("read").use(attempt, async (client) => {
      const { rows } = await client.query<QueryResultRow>(
        `SELECT note FROM ${this.#prefix}_notes WHERE name = $1`,
        [name],
      );
      const note: unknown = rows[0]?.["note"];
      return typeof note === "string" ? note : null;
    });
  }

  // From the oldest on and no further than the first to be kept: the numbers stay consecutive even
  // where the wall clock was stepped.
  trim(
    beforeWallMs: number,
    attempt: Attempt,
  ): Promise<{ readonly removed: number; readonly more: boolean }> {
    const table = `${this.#prefix}_events`;
    return this.#session("read").use(attempt, async (client) => {
      attempt.decide();
      const { rowCount } = await client.query(
        `DELETE FROM ${table} WHERE seq < least(
           coalesce((SELECT seq FROM ${table} WHERE at_wall_ms >= $1 ORDER BY seq LIMIT 1), (SELECT max(seq) FROM ${table})),
           (SELECT min(seq) + $2::bigint FROM ${table}))`,
        [beforeWallMs, TRIM_PIECE],
      );
      await client.query(`DELETE FROM ${this.#prefix}_published WHERE seq < (SELECT min(seq) FROM ${table})`);
      return { removed: rowCount ?? 0, more: rowCount === TRIM_PIECE };
    });
  }

  /** After each interruption something may have been missed, and so it is said that something changed. */
  watch(onChange: () => void): () => void {
    const abort = new AbortController();
    const attempt = new Attempt(abort.signal);
    const listen = async (isFirst: boolean): Promise<void> => {
      const session = new PostgresSession(this.#place);
      session.onNotification((payload) => {
        if (payload !== this.#id && !abort.signal.aborted) onChange();
      });
      try {
        await session.use(attempt, (client) => client.query(`LISTEN ${this.#channel()}`));
        if (!isFirst) onChange();
        abort.signal.addEventListener("abort", () => void session.end(), { once: true });
        await session.over();
      } catch {
        // The calls that this store is used for tell of the trouble; here it is only tried again.
        session.drop();
      }
    };
    const listenOn = async (): Promise<void> => {
      for (let isFirst = true; !abort.signal.aborted; isFirst = false) {
        await listen(isFirst);
        await pause(LISTEN_AGAIN_MS, abort.signal);
      }
    };
    void listenOn();
    return () => abort.abort();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.end()));
    this.#sessions.clear();
  }

  #channel(): string {
    return `${this.#prefix}_changes`;
  }

  #session(purpose: Purpose): PostgresSession {
    if (this.#closed) throw new EngineTrouble("is closed.", { isCertain: true });
    const known = this.#sessions.get(purpose);
    if (known !== undefined && !known.isOver) return known;
    const session = new PostgresSession(this.#place);
    this.#sessions.set(purpose, session);
    return session;
  }
}

function recordOf(json: unknown): LeadershipRecord | null {
  return json === null ? null : sound(readLeadership(json), "the leadership record");
}
