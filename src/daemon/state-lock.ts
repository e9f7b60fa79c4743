/**
 * Keeps a state folder to one process. Two processes with one `stateId` would be one candidate
 * twice: the promise that one of them gave wouldn't bind the other. The pid, which is for the error
 * message alone, stands in a file of its own.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { lockFolder } from "../shell/own-folder.ts";

export interface StateLock {
  release(): void;
}

/** Throws, naming the folder and (if it can be told) the process, when another one holds it. */
export function lockStateFolder(folder: string): StateLock {
  const pidFile = join(folder, "pid");
  const lock = lockFolder(folder);
  if (!lock.ok) throw lockError(folder, pidFile, lock);
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    release(): void {
      rmSync(pidFile, { force: true });
      lock.release();
    },
  };
}

function lockError(
  folder: string,
  pidFile: string,
  { isHeld, cause }: { readonly isHeld: boolean; readonly cause: unknown },
): ArbiterError {
  if (!isHeld) {
    return new ArbiterError(
      "ERR_ARB_STATE_DIR",
      `The state folder ${folder} can't be locked: ${messageOf(cause)}. Check that it is writable and on a local disk.`,
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
