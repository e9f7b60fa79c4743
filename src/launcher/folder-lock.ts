/**
 * The lock that a launcher, its guard and its programs hold together: flock(2) on a file of the
 * state folder. A new launcher waits for it, so that it begins only when nothing of the old one
 * runs any more.
 *
 * Node has no flock(2). But such a lock belongs to the *open file*, not to the process that asked
 * for it: so a short `flock` process (util-linux) that has inherited our descriptor locks it, ends,
 * and the lock stays with us, and with everyone who inherits the descriptor later. It is released
 * when the last of them is gone, however they went. A record lock (fcntl) could not be inherited.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { describeProcess, holdersOf, readStat } from "./process-group.ts";

export interface FolderLock {
  readonly file: string;
  /** Inherited by the guard and by every program. */
  readonly descriptor: number;
  release(): void;
}

export function lockFileOf(folder: string): string {
  return join(realpathSync(folder), "launcher.lock");
}

/** Asked anew so often; a helper whose launcher was killed is gone after that. */
const ROUND_S = "0.5";

/** Waits as long as it takes. `onWait` is told once, with who holds it; `eachRound` may do something about it. */
export async function lockFolder(
  folder: string,
  onWait: (text: string) => void,
  eachRound: () => Promise<void>,
): Promise<FolderLock> {
  const file = lockFileOf(folder);
  const descriptor = openLock(file, folder);
  try {
    if (!(await flock(["-n"], descriptor))) {
      onWait(waitingText(folder, file));
      do await eachRound();
      while (!(await flock(["-w", ROUND_S], descriptor)));
    }
  } catch (error) {
    closeSync(descriptor);
    throw error instanceof ArbiterError
      ? error
      : new ArbiterError("ERR_ARB_STATE_DIR", `${file} can't be locked: ${messageOf(error)}.`, {
          cause: error,
        });
  }
  return { file, descriptor, release: () => closeSync(descriptor) };
}

function openLock(file: string, folder: string): number {
  try {
    return openSync(file, "a", 0o640);
  } catch (error) {
    throw new ArbiterError(
      "ERR_ARB_STATE_DIR",
      `The state folder ${folder} can't be locked: ${messageOf(error)}. ` +
        `Make it writable, or name another one with --state-dir or \`state_dir\`.`,
      { cause: error },
    );
  }
}

function waitingText(folder: string, file: string): string {
  const holders = holdersOf(file).filter((pid) => pid !== process.pid);
  // A launcher stands for its guard and its programs; orphans stand for themselves.
  const who = holders.filter((pid) => !holders.includes(readStat(pid)?.parentPid ?? 0));
  const names = who.map((pid) => describeProcess(pid)).join(", ");
  return (
    `The state folder ${folder} is still in use by ${names === "" ? "another process" : names}. ` +
    `Waiting until it ends: end it, or give this daemon another name or another state folder.`
  );
}

/** Descriptor 3 of the helper is ours. True: locked; false: someone else has it. */
async function flock(options: readonly string[], descriptor: number): Promise<boolean> {
  const helper = spawn("flock", [...options, "3"], { stdio: ["ignore", "ignore", "pipe", descriptor] });
  let said = "";
  helper.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString("utf8");
  });
  let code: unknown;
  try {
    [code] = (await once(helper, "close")) as unknown[];
  } catch (error) {
    throw new ArbiterError(
      "ERR_ARB_LAUNCHER",
      `The program \`flock\` can't be run (${messageOf(error)}). It keeps two launchers from using one ` +
        `state folder. Install it: on Debian and most others it is part of the package util-linux.`,
      { cause: error },
    );
  }
  if (code === 0) return true;
  if (code === 1 && said === "") return false;
  throw new Error(said.trim() === "" ? `flock ended with ${String(code)}` : said.trim());
}
