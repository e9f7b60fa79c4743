/**
 * The pid file, `arbiter.pid` in the arbiter's state folder: how `arbiter stop` and `arbiter
 * reload` find the process. It is for finding alone; the folder's lock is what excludes a second
 * arbiter. Pids are used again, so the process's start time stands beside it and both must agree.
 */
import { readFileSync } from "node:fs";
import path from "node:path";

export interface PidFile {
  readonly pid: number;
  /** ISO 8601, for people. */
  readonly startedAt: string;
  /** The kernel's own start time of the process, where it tells; null elsewhere. */
  readonly startTicks: string | null;
  readonly name: string;
  readonly url: string;
}

export function pidFileContent(name: string, url: string, startedWallMs: number): string {
  const content: PidFile = {
    pid: process.pid,
    startedAt: new Date(startedWallMs).toISOString(),
    startTicks: startTicksOf(process.pid),
    name,
    url,
  };
  return `${JSON.stringify(content)}\n`;
}

/** null: there is none, or the process that it names is gone. `folder`: `STATE_DIR/NAME`. */
export function readPidFile(folder: string): PidFile | null {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path.join(folder, "arbiter.pid"), "utf8"));
  } catch {
    return null;
  }
  if (!isPidFile(content) || !isAlive(content.pid)) return null;
  // A pid of the same number that started at another time is somebody else.
  return content.startTicks === startTicksOf(content.pid) ? content : null;
}

function isPidFile(value: unknown): value is PidFile {
  if (typeof value !== "object" || value === null) return false;
  const { pid, name, url, startTicks } = value as Partial<Record<keyof PidFile, unknown>>;
  return (
    typeof pid === "number" &&
    Number.isSafeInteger(pid) &&
    pid > 1 &&
    typeof name === "string" &&
    typeof url === "string" &&
    (startTicks === null || typeof startTicks === "string")
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold anything, so count from its last bracket. */
function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
