/**
 * The arbiter's own folder: who it is (`state-id`, random, made once), its pid file, its journal,
 * and the lock that keeps the folder to one process while it runs. The lock is what makes the same
 * `stateId` under a new instance a proof that the earlier one is gone.
 *
 * Node has no flock(2). SQLite has: in exclusive locking mode a connection that has written once
 * keeps its lock until it is closed, and the kernel drops it when the process dies, however it
 * dies. Nothing else may open `lock.db`: closing any descriptor of it would drop the lock.
 */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ArbiterError, codeOf, messageOf } from "../protocol/errors.ts";
import { readPidFile } from "./pid-file.ts";

export interface ArbiterStateFolder {
  readonly path: string;
  readonly stateId: string;
  /** Gives the lock back. */
  close(): void;
}

export function arbiterFolder(stateDir: string, name: string): string {
  return path.join(stateDir, name);
}

export function openArbiterFolder(stateDir: string, name: string): ArbiterStateFolder {
  const folder = arbiterFolder(stateDir, name);
  const lock = lockFolder(folder, name);
  try {
    return { path: folder, stateId: stateIdOf(folder), close: () => lock.close() };
  } catch (error) {
    lock.close();
    throw error instanceof ArbiterError ? error : unusable(folder, error);
  }
}

function lockFolder(folder: string, name: string): DatabaseSync {
  let lock: DatabaseSync | null = null;
  try {
    makeFolder(folder);
    lock = new DatabaseSync(path.join(folder, "lock.db"), { timeout: 0 });
    lock.exec("PRAGMA journal_mode = DELETE");
    lock.exec("PRAGMA locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE; PRAGMA user_version = 1; COMMIT");
    return lock;
  } catch (error) {
    lock?.close();
    if (!/locked|busy/iu.test(messageOf(error))) throw unusable(folder, error);
    const running = readPidFile(folder);
    const who = running === null ? "another process" : `pid ${running.pid} (${running.url})`;
    throw new ArbiterError(
      "ERR_ARB_ALREADY_RUNNING",
      `The arbiter ${name} runs already: ${who} holds ${folder}. ` +
        "Stop it with `arbiter stop`, or give this one another name with --name.",
      { cause: error },
    );
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 });
  } catch (error) {
    // On a read-only disk Node says ENOENT; the plain call says what it is.
    if (codeOf(error) !== "ENOENT") throw error;
    mkdirSync(folder, { mode: 0o750 });
  }
}

function stateIdOf(folder: string): string {
  const file = path.join(folder, "state-id");
  const known = readIfThere(file);
  if (known === null) {
    const made = randomUUID();
    replaceFile(file, `${made}\n`);
    return made;
  }
  const stateId = known.trim();
  if (/^[\w-]{8,64}$/u.test(stateId)) return stateId;
  throw new ArbiterError(
    "ERR_ARB_STATE_DIR",
    `${file} holds no state id. Remove the file: the arbiter then counts as a new one.`,
  );
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

/** A power cut leaves the old file or the new one, never half of one. */
function replaceFile(file: string, content: string): void {
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

function unusable(folder: string, error: unknown): ArbiterError {
  return new ArbiterError(
    "ERR_ARB_STATE_DIR",
    `The state folder ${folder} can't be used: ${messageOf(error)}. ` +
      "It must be writable, have space left and lie on a local disk; `state_dir` in [cluster] names another.",
    { cause: error },
  );
}

export function writePidFile(folder: string, content: string): void {
  try {
    writeFileSync(path.join(folder, "arbiter.pid"), content, { mode: 0o640 });
  } catch (error) {
    throw unusable(folder, error);
  }
}

export function removePidFile(folder: string): void {
  rmSync(path.join(folder, "arbiter.pid"), { force: true });
}
