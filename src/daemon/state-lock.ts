/**
 * Keeps a state folder to one process. Two processes with one `stateId` would be one candidate
 * twice: the promise that one of them gave wouldn't bind the other.
 *
 * Node has no flock(2). SQLite has: in exclusive locking mode a connection that has written once
 * keeps its lock on the file until it is closed, and the kernel drops it when the process dies,
 * however it dies. POSIX drops such a lock as soon as *any* descriptor of the file is closed in
 * this process, so nothing else may ever open `lock.db`; the pid, which is for the error message
 * alone, stands in a file of its own.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ArbiterError, messageOf } from "../protocol/errors.ts";

export interface StateLock {
  release(): void;
}

/** Throws, naming the folder and (if it can be told) the process, when another one holds it. */
export function lockStateFolder(folder: string): StateLock {
  const file = join(folder, "lock.db");
  const pidFile = join(folder, "pid");
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    database.exec("PRAGMA journal_mode = DELETE");
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("BEGIN EXCLUSIVE; PRAGMA user_version = 1; COMMIT");
  } catch (error) {
    database?.close();
    throw lockError(folder, pidFile, error);
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  const held = database;
  return {
    release(): void {
      rmSync(pidFile, { force: true });
      held.close();
    },
  };
}

function lockError(folder: string, pidFile: string, cause: unknown): ArbiterError {
  const text = messageOf(cause);
  if (!/locked|busy/i.test(text)) {
    return new ArbiterError(
      "ERR_ARB_STATE_DIR",
      `The state folder ${folder} can't be locked: ${text}. Check that it is writable and on a local disk.`,
      { cause },
    );
  }
  const pid = readPid(pidFile);
  const who = pid === null ? "another process" : `the process with pid ${pid}`;
  return new ArbiterError(
    "ERR_ARB_ALREADY_RUNNING",
    `The state folder ${folder} is in use by ${who}: this daemon runs already. ` +
      `Stop that one first, or give this one another name or another state folder.`,
    { cause },
  );
}

/** The pid that the holder left there, or null where it can't be told. */
function readPid(pidFile: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, "utf8"), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}
