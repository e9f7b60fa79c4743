/**
 * The arbiter's own folder: who it is (`state-id`), its pid file, its journal, and the lock that
 * keeps the folder to one process while it runs. The lock is what makes the same `stateId` under a
 * new instance a proof that the earlier one is gone.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ArbiterError, codeOf, messageOf } from "../protocol/errors.ts";
import { lockFolder, stateIdIn } from "../shell/own-folder.ts";
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
  const release = takeFolder(folder, name);
  try {
    return { path: folder, stateId: stateIdOf(folder), close: release };
  } catch (error) {
    release();
    throw error instanceof ArbiterError ? error : unusable(folder, error);
  }
}

/** Returns what gives it back. */
function takeFolder(folder: string, name: string): () => void {
  try {
    makeFolder(folder);
  } catch (error) {
    throw unusable(folder, error);
  }
  const lock = lockFolder(folder);
  if (lock.ok) return () => lock.release();
  if (!lock.isHeld) throw unusable(folder, lock.cause);
  const running = readPidFile(folder);
  const who = running === null ? "another process" : `pid ${running.pid} (${running.url})`;
  throw new ArbiterError(
    "ERR_ARB_ALREADY_RUNNING",
    `The arbiter ${name} runs already: ${who} holds ${folder}. ` +
      "Stop it with `arbiter stop`, or give this one another name with --name.",
    { cause: lock.cause },
  );
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
  const read = stateIdIn(folder);
  if (read.ok) return read.stateId;
  throw new ArbiterError(
    "ERR_ARB_STATE_DIR",
    `${path.join(folder, "state-id")} holds no state id. Remove the file: the arbiter then counts as a new one.`,
  );
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
