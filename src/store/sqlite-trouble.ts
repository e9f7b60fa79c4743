/**
 * SQLite's errors as sentences: what happened, where, and what to do. Each says whether the work
 * may have been done all the same, since a leader must know that before it does anything else.
 */
import { dirname } from "node:path";
import type { SqliteOptions, SqliteTrouble } from "./sqlite-calls.ts";

/** Fenced: nothing was changed. */
export class Fenced extends Error {}

/** A row that isn't what was written. */
export class Damaged extends Error {}

/** Where the database isn't any more, or never was. */
export class Misplaced extends Error {}

/** Primary result codes, the low byte of SQLite's `errcode`. */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** After these a commit is certainly not in the file, even when they come from COMMIT itself. */
const NEVER_APPLIED: ReadonlySet<number> = new Set([BUSY, LOCKED, READONLY, FULL, CANTOPEN]);

/** The handle may be in a bad state after these: it is opened anew for the next call. */
export function needsReopening(error: unknown): boolean {
  if (error instanceof Misplaced) return true;
  const code = primaryCode(error);
  return code === IOERR || code === CORRUPT || code === CANTOPEN || code === NOTADB || code === READONLY;
}

export function troubleOf(error: unknown, options: SqliteOptions, whileCommitting: boolean): SqliteTrouble {
  if (error instanceof Fenced) return { kind: "fenced", message: error.message, outcome: "refused" };
  const code = primaryCode(error);
  const outcome = whileCommitting && !NEVER_APPLIED.has(code ?? -1) ? "unknown" : "refused";
  const message = `The store ${options.description} ${sentence(error, code, options)}`;
  return { kind: "unavailable", message, outcome };
}

/** Errors of the file system itself, before SQLite has the file. */
const SYSTEM_CODES: Readonly<Record<string, number>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EROFS: READONLY,
  EACCES: READONLY,
  EPERM: READONLY,
  ENOENT: CANTOPEN,
  ENOTDIR: CANTOPEN,
  EISDIR: CANTOPEN,
  EIO: IOERR,
};

function primaryCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode & 0xff;
  return "code" in error && typeof error.code === "string" ? (SYSTEM_CODES[error.code] ?? null) : null;
}

function sentence(error: unknown, code: number | null, options: SqliteOptions): string {
  const { path } = options;
  const folder = dirname(path);
  const said = error instanceof Error ? error.message : String(error);
  if (error instanceof Misplaced || error instanceof Damaged) return said;
  switch (code) {
    case BUSY:
    case LOCKED:
      return `is locked: another process holds ${path} and did not let go within ${options.busyTimeoutMs} ms. Find it with "fuser ${path}" and end it, or wait until it has finished.`;
    case READONLY:
      return `can't be written: ${path} or its folder is read-only for this user, or its file system is mounted read-only. Make both writable, or choose another path with "url" in [store].`;
    case FULL:
      return `can't be written: the disk that holds ${folder} is full. Free some space; nothing was lost.`;
    case CORRUPT:
    case NOTADB:
      return `can't be read: ${path} is damaged or is no SQLite database (${said}). Stop every arbiter that uses it, move the file and its -wal and -shm aside and put a copy back, or start with an empty store: daemons that run are then adopted.`;
    case CANTOPEN:
      return `can't be opened: ${path} or its folder does not exist or denies access to this user. Create the folder ${folder} or correct its permissions, or choose another path with "url" in [store].`;
    case IOERR:
      return `can't be used: the disk that holds ${folder} reported an error (${said}). Look at the kernel's log (dmesg) and at the disk.`;
    case null:
    default:
      return `failed: ${said}. The file is ${path}.`;
  }
}
