/**
 * The tables of the MySQL engine, and how older ones become newer ones.
 *
 * These servers end a transaction at each change of a table. So every step is a single statement
 * that may be run twice, the version is raised behind each of them, and a named lock keeps
 * migrations apart: a crash in between leaves a store that the next start finishes.
 */
import type { Connection } from "mysql2/promise";
import { EngineTrouble, wholeNumber, type Attempt } from "./engine.ts";
import { firstOf } from "./mysql-session.ts";

const TABLE = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/**
 * Each step leads from the version of its index to the next; all only make what is
 * missing. Names are kept as bytes: collations would take "a" and "a " for the same service.
 */
export const MYSQL_MIGRATIONS: readonly ((prefix: string) => string)[] = [
  (prefix) => `CREATE TABLE IF NOT EXISTS ${prefix}_services (
     service VARBINARY(3000) NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, content LONGTEXT NOT NULL) ${TABLE}`,
  (prefix) => `CREATE TABLE IF NOT EXISTS ${prefix}_configurations (
     version BIGINT NOT NULL PRIMARY KEY, hash VARBINARY(1024) NOT NULL, content LONGTEXT NOT NULL) ${TABLE}`,
  (prefix) => `CREATE TABLE IF NOT EXISTS ${prefix}_events (
     seq BIGINT NOT NULL PRIMARY KEY, at_wall_ms DOUBLE NOT NULL, content LONGTEXT NOT NULL) ${TABLE}`,
  (prefix) => `CREATE TABLE IF NOT EXISTS ${prefix}_published (
     id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, seq BIGINT NOT NULL, KEY (seq)) ${TABLE}`,
  (prefix) => `CREATE TABLE IF NOT EXISTS ${prefix}_notes (
     name VARBINARY(255) NOT NULL PRIMARY KEY, note LONGTEXT NOT NULL) ${TABLE}`,
];

/** Without it the store is not there yet; it is made first, its only row last. */
function stateTable(prefix: string): string {
  return `CREATE TABLE IF NOT EXISTS ${prefix}_state (
     only_one TINYINT NOT NULL PRIMARY KEY, schema_version INT NOT NULL, revision BIGINT NOT NULL,
     last_event BIGINT NOT NULL, leadership LONGTEXT, settings LONGTEXT) ${TABLE}`;
}

const LOCK_SECONDS = 10;

export async function migrateMysql(
  connection: Connection,
  prefix: string,
  attempt: Attempt,
  migrations: typeof MYSQL_MIGRATIONS = MYSQL_MIGRATIONS,
): Promise<void> {
  if ((await schemaVersion(connection, prefix, migrations.length)) === migrations.length) return;
  const lock = `arbiter ${prefix}`;
  const [locked] = await connection.query("SELECT GET_LOCK(?, ?) AS locked", [lock, LOCK_SECONDS]);
  if (Number(firstOf(locked)["locked"]) !== 1) {
    throw new EngineTrouble(
      `is being set up by another arbiter, which did not finish within ${LOCK_SECONDS} s. Look whether that one hangs.`,
    );
  }
  await connection.query(stateTable(prefix));
  await connection.query(
    `INSERT IGNORE INTO ${prefix}_state (only_one, schema_version, revision, last_event) VALUES (1, 0, 0, 0)`,
  );
  // Whoever had the lock before may have done it all.
  const version = await schemaVersion(connection, prefix, migrations.length);
  for (let next = version; next < migrations.length; next++) {
    attempt.signal.throwIfAborted();
    await connection.query(migrations[next]?.(prefix) ?? "");
    await connection.query(`UPDATE ${prefix}_state SET schema_version = ?`, [next + 1]);
  }
  await connection.query("SELECT RELEASE_LOCK(?)", [lock]);
}

/** 0: there is nothing yet. */
async function schemaVersion(connection: Connection, prefix: string, known: number): Promise<number> {
  const [tables] = await connection.query(
    "SELECT COUNT(*) AS there FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
    [`${prefix}_state`],
  );
  if (Number(firstOf(tables)["there"]) === 0) return 0;
  const [rows] = await connection.query(`SELECT schema_version FROM ${prefix}_state`);
  const version = wholeNumber(firstOf(rows)["schema_version"] ?? 0, `the table ${prefix}_state`);
  if (version <= known) return version;
  throw new EngineTrouble(
    `was written by a newer version of Arbiter: its tables ${prefix}_… have schema ${version}, this version knows ${known}. Install the newer version again, or choose another "prefix" in the store's url.`,
    { isCertain: true },
  );
}
