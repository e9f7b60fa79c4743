/**
 * The tables of the PostgreSQL engine, and how older ones become newer ones.
 *
 * All that is missing runs in one transaction, under a lock that only migrations take, so that
 * several arbiters may start at once and a crash in between leaves what was there.
 */
import type { Client, QueryResultRow } from "pg";
import { EngineTrouble, wholeNumber, type Attempt } from "./engine.ts";

/** Each step leads from the version of its index to the next. Never change one that was released. */
export const POSTGRES_MIGRATIONS: readonly ((prefix: string) => string)[] = [
  (prefix) => `
    CREATE TABLE ${prefix}_state (
      only_one smallint PRIMARY KEY CHECK (only_one = 1),
      schema_version integer NOT NULL,
      revision bigint NOT NULL,
      last_event bigint NOT NULL,
      leadership text,
      settings text
    );
    CREATE TABLE ${prefix}_services (
      service text COLLATE "C" PRIMARY KEY,
      epoch bigint NOT NULL,
      content text NOT NULL
    );
    CREATE TABLE ${prefix}_configurations (
      version bigint PRIMARY KEY,
      hash text NOT NULL,
      content text NOT NULL
    );
    CREATE TABLE ${prefix}_events (
      seq bigint PRIMARY KEY,
      at_wall_ms double precision NOT NULL,
      content text NOT NULL
    );
    INSERT INTO ${prefix}_state (only_one, schema_version, revision, last_event) VALUES (1, 0, 0, 0);`,
  (prefix) => `
    CREATE TABLE ${prefix}_published (
      id text COLLATE "C" PRIMARY KEY,
      seq bigint NOT NULL
    );
    CREATE INDEX ${prefix}_published_seq ON ${prefix}_published (seq);
    CREATE TABLE ${prefix}_notes (
      name text COLLATE "C" PRIMARY KEY,
      note text NOT NULL
    );`,
];

/** "Arbi" in ASCII: the key of the lock, beside the prefix's hash. */
const LOCK = 0x41726269;

export async function migratePostgres(
  client: Client,
  prefix: string,
  attempt: Attempt,
  migrations: typeof POSTGRES_MIGRATIONS = POSTGRES_MIGRATIONS,
): Promise<void> {
  if ((await schemaVersion(client, prefix, migrations.length)) === migrations.length) return;
  // Before the transaction begins: only its beginning makes this session forget that it has just seen
  // no table. Inside of it, after a wait for the lock, it would still believe so.
  await client.query(`SELECT pg_advisory_lock($1, hashtext($2))`, [LOCK, prefix]);
  await client.query("BEGIN");
  // Whoever had the lock before may have done it all.
  const version = await schemaVersion(client, prefix, migrations.length);
  for (const step of migrations.slice(version)) await client.query(step(prefix));
  await client.query(`UPDATE ${prefix}_state SET schema_version = $1`, [migrations.length]);
  attempt.signal.throwIfAborted();
  await client.query("COMMIT");
  // A session that fails before this is closed, which lets go of the lock, too.
  await client.query(`SELECT pg_advisory_unlock($1, hashtext($2))`, [LOCK, prefix]);
}

/** 0: there is nothing yet. */
async function schemaVersion(client: Client, prefix: string, known: number): Promise<number> {
  const table = await client.query<QueryResultRow>("SELECT to_regclass($1) IS NOT NULL AS there", [
    `${prefix}_state`,
  ]);
  if (table.rows[0]?.["there"] !== true) return 0;
  const { rows } = await client.query<QueryResultRow>(`SELECT schema_version FROM ${prefix}_state`);
  const version = wholeNumber(rows[0]?.["schema_version"], `the table ${prefix}_state`);
  if (version <= known) return version;
  throw new EngineTrouble(
    `was written by a newer version of Arbiter: its tables ${prefix}_… have schema ${version}, this version knows ${known}. Install the newer version again, or choose another "prefix" in the store's url.`,
    { isCertain: true },
  );
}
