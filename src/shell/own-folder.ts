/**
 * A process's own folder: kept to one process while it runs, and who lives there (`state-id`,
 * random, made once). Arbiters and daemons have one each; what they say to people when it can't be
 * used is theirs.
 *
 * Node has no flock(2). SQLite has: in exclusive locking mode a connection that has written once
 * keeps its lock on the file until it is closed, and the kernel drops it when the process dies,
 * however it dies. POSIX drops such a lock as soon as *any* descriptor of the file is closed in
 * this process, so nothing else may ever open `lock.db`.
 */
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

export type FolderLock =
  | { readonly ok: true; release(): void }
  /** `isHeld`: by another process; else the folder can't be used. */
  | { readonly ok: false; readonly isHeld: boolean; readonly cause: unknown };

export function lockFolder(folder: string): FolderLock {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path.join(folder, "lock.db"), { timeout: 0 });
    database.exec("PRAGMA journal_mode = DELETE");
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("BEGIN EXCLUSIVE; PRAGMA user_version = 1; COMMIT");
  } catch (cause) {
    database?.close();
    const text = cause instanceof Error ? cause.message : String(cause);
    return { ok: false, isHeld: /locked|busy/iu.test(text), cause };
  }
  const held = database;
  return { ok: true, release: () => held.close() };
}

/**
 * A sentence where every account of the machine may write there; null: none may. Whoever may can
 * name a process for a launcher to kill, or make a daemon forget what it has promised.
 */
export function openFolderWarning(folder: string): string | null {
  if ((statSync(folder).mode & 0o002) === 0) return null;
  return `Everybody on this machine may write to the state folder ${folder}: \`chmod 750\` it.`;
}

/** Call it with the folder's lock held. `found`: there is a file, but it holds no id. */
export function stateIdIn(
  folder: string,
): { readonly ok: true; readonly stateId: string } | { readonly ok: false; readonly found: string } {
  const file = path.join(folder, "state-id");
  const text = readIfThere(file)?.trim() ?? null;
  if (text === null) {
    const stateId = randomUUID();
    replaceFile(file, `${stateId}\n`);
    return { ok: true, stateId };
  }
  return /^[\w-]{8,64}$/u.test(text) ? { ok: true, stateId: text } : { ok: false, found: text };
}

/** null: there is no such file. Whatever else keeps it from being read is thrown. */
export function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** Synced: a power cut leaves the old file or the new one, never half of one. */
export function replaceFile(file: string, content: string): void {
  const temporary = `${file}.new`;
  const descriptor = openSync(temporary, "w", 0o640);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, file);
}
