/**
 * The tables of the SQLite engine, and how an older file becomes a newer one.
 *
 * `application_id` marks the file as ours and `user_version` counts the migrations it has been
 * through; all that is missing runs in one transaction, so that a crash in between leaves the
 * old file. A file that isn't ours, or that a newer version made, is left untouched.
 */
import type { DatabaseSync } from "node:sqlite";
import { Misplaced } from "./sqlite-trouble.ts";

/** "Arbi" in ASCII. */
const APPLICATION_ID = 0x41726269;

/** Each step leads from the version of its index to the next. Never change one that was released. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE leadership (
     only INTEGER PRIMARY KEY CHECK (only = 1),
     record TEXT NOT NULL
   ) STRICT;
   CREATE TABLE state (
     only INTEGER PRIMARY KEY CHECK (only = 1),
     revision INTEGER NOT NULL,
     settings TEXT
   ) STRICT;
   INSERT INTO state (only, revision, settings) VALUES (1, 0, NULL);
   CREATE TABLE services (
     service TEXT PRIMARY KEY,
     epoch INTEGER NOT NULL,
     row TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE configurations (
     version INTEGER PRIMARY KEY,
     hash TEXT NOT NULL,
     configuration TEXT NOT NULL
   ) STRICT;
   CREATE TABLE events (
     seq INTEGER PRIMARY KEY,
     at_wall_ms REAL NOT NULL,
     event TEXT NOT NULL
   ) STRICT;`,
  `CREATE TABLE published (
     id TEXT PRIMARY KEY,
     seq INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX published_seq ON published (seq);
   CREATE TABLE notes (
     name TEXT PRIMARY KEY,
     note TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
];

/** Brings the file up to date. Takes the write lock, so that a read-only file is found out here. */
export function migrate(db: DatabaseSync, path: string): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    const application = pragma(db, "application_id");
    const version = pragma(db, "user_version");
    refuseForeign(db, path, application, version);
    if (version < MIGRATIONS.length) {
      for (const step of MIGRATIONS.slice(version)) db.exec(step);
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}`);
    }
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function refuseForeign(db: DatabaseSync, path: string, application: number, version: number): void {
  const other = `Choose another path with "url" in [store], or move the file aside.`;
  if (application === APPLICATION_ID) {
    if (version <= MIGRATIONS.length) return;
    throw new Misplaced(
      `was written by a newer version of Arbiter: ${path} has schema ${version}, this version knows ${MIGRATIONS.length}. Install the newer version again. ${other}`,
    );
  }
  const tables = db.prepare("SELECT name FROM sqlite_schema LIMIT 3").all();
  if (application === 0 && version === 0 && tables.length === 0) return;
  const names = tables.map((table) => String(table["name"])).join(", ");
  throw new Misplaced(
    `belongs to another program: ${path} is a SQLite database that Arbiter did not make (it holds ${names || "no tables"}). It was left as it is. ${other}`,
  );
}

function pragma(db: DatabaseSync, name: string): number {
  const value = db.prepare(`PRAGMA ${name}`).get()?.[name];
  return typeof value === "number" ? value : 0;
}
