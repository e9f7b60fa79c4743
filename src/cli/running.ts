/**
 * Finds the arbiter that was started with a configuration: by the pid files below its state folder.
 *
 * Every sub-folder is looked at rather than the names in the files: an arbiter that was renamed in
 * the files since it was started still runs, and must still be found.
 */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PidFile } from "../arbiter/pid-file.ts";
import { readPidFile } from "../arbiter/pid-file.ts";
import { ArbiterError, codeOf, messageOf } from "../protocol/errors.ts";
import { ClearNo } from "./failure.ts";

export interface RunningArbiter extends PidFile {
  /** `STATE_DIR/NAME` */
  readonly folder: string;
}

export async function runningArbiters(stateDir: string): Promise<readonly RunningArbiter[]> {
  let names: readonly string[];
  try {
    names = (await readdir(stateDir, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .toSorted();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw new ArbiterError(
      "ERR_ARB_STATE_DIR",
      `The state folder ${stateDir} can't be read: ${messageOf(error)}. Run this as the user of the arbiter.`,
      { cause: error },
    );
  }
  return names.flatMap((name) => {
    const folder = join(stateDir, name);
    const file = readPidFile(folder);
    return file === null ? [] : [{ ...file, folder }];
  });
}

/** The one that is meant. None, or several and no name, is a clear no. */
export async function theRunningArbiter(stateDir: string, name: string | undefined): Promise<RunningArbiter> {
  const running = await runningArbiters(stateDir);
  const meant = name === undefined ? running : running.filter((each) => each.name === name);
  const [first, ...others] = meant;
  if (first === undefined) {
    throw new ArbiterError(
      "ERR_ARB_NOT_RUNNING",
      `No arbiter${name === undefined ? "" : ` called ${name}`} runs on this machine with the state folder ${stateDir}. ` +
        (running.length === 0
          ? "`arbiter start` starts one; --config DIR names another configuration."
          : `Running: ${running.map((each) => each.name).join(", ")}.`),
    );
  }
  if (others.length > 0) {
    throw new ClearNo(
      `${meant.length} arbiters run with the state folder ${stateDir}: ${meant.map((each) => each.name).join(", ")}.`,
      "Say which one: --name NAME.",
    );
  }
  return first;
}

/** As `process.kill`; false when the process is gone. */
export function signal(arbiter: RunningArbiter, name: "SIGTERM" | "SIGHUP"): boolean {
  try {
    process.kill(arbiter.pid, name);
    return true;
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
    throw new ClearNo(
      `${arbiter.name} (pid ${arbiter.pid}) can't be signalled: ${messageOf(error)}.`,
      "Run this as the user of the arbiter, or as root.",
      { cause: error },
    );
  }
}

/**
 * The process is gone. Its pid file isn't what is asked: it is removed a moment before the end. A
 * zombie (in a container whose first process reaps nobody) has ended.
 */
export function hasEnded(arbiter: RunningArbiter): boolean {
  try {
    process.kill(arbiter.pid, 0);
  } catch (error) {
    if (codeOf(error) === "ESRCH") return true;
  }
  if (arbiter.startTicks === null) return false;
  try {
    const stat = readFileSync(`/proc/${arbiter.pid}/stat`, "utf8");
    // Fields 3 and 22; the name in field 2 may hold anything, so count from its last bracket.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[19] !== arbiter.startTicks;
  } catch {
    return true;
  }
}
