/**
 * What runs in a process group, asked of the kernel.
 *
 * `kill(-group, 0)` answers in a microsecond, but it also says yes while only zombies are left, and
 * a container's first process may never reap them. So the answer "nothing" is believed at once,
 * and "something" is looked up in /proc only where it stays so. Zombies hold no file, no socket and
 * no lock: they don't count.
 *
 * A group's number is reused one day. Whoever kills a group that it didn't start itself compares
 * the start time of the group's first process (field 22 of /proc/PID/stat) beforehand.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "../protocol/errors.ts";

export interface ProcessStat {
  readonly pid: number;
  /** One letter: `Z` is a zombie, `X` a dead one. */
  readonly state: string;
  readonly parentPid: number;
  readonly pgid: number;
  readonly session: number;
  readonly threads: number;
  /** Clock ticks from the kernel's start to its own; with the boot id it names a process for good. */
  readonly startTicks: string;
}

/** Null where there is no such process. */
export function readStat(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  // The name in brackets may hold blanks and brackets: fields are counted from its end.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    pid,
    state: fields[0] ?? "X",
    parentPid: Number(fields[1]),
    pgid: Number(fields[2]),
    session: Number(fields[3]),
    threads: Number(fields[17]),
    startTicks: fields[19] ?? "",
  };
}

/** Changes with every start of the kernel. */
export function kernelBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

/** One whose first thread has ended looks like a zombie while its other threads go on. */
export function isRunning(stat: ProcessStat): boolean {
  return (stat.state !== "Z" && stat.state !== "X") || stat.threads > 1;
}

function processIds(): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^[0-9]+$/u.test(entry))
    .map(Number);
}

/** Members of a group that still run, zombies left out. Reads all of /proc: not for every millisecond. */
export function runningMembers(pgid: number): number[] {
  return processIds().filter((pid) => {
    const stat = readStat(pid);
    return stat !== null && stat.pgid === pgid && isRunning(stat);
  });
}

/** True if the kernel knows of nothing in the group, not even a zombie. */
export function isGroupGone(pgid: number): boolean {
  try {
    process.kill(-pgid, 0);
    return false;
  } catch (error) {
    // EPERM: something is there that isn't ours to signal.
    return codeOf(error) === "ESRCH";
  }
}

/** Sends a signal (by its name) to the whole group; a group that is gone is no error. */
export function signalGroup(pgid: number, signal: string): void {
  try {
    process.kill(-pgid, signal);
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}

/** The same for one process. */
export function signalProcess(pid: number, signal: string): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}

/** For so long the cheap question alone is asked: an orphan is reaped in a millisecond or two. */
const PATIENCE_BEFORE_SCAN_MS = 12;
const SCAN_EVERY_MS = 50;

/** Waits until nothing of the group runs any more; false once no time remains. */
export async function waitUntilEmpty(
  pgid: number,
  remainingMs: () => number = () => Infinity,
): Promise<boolean> {
  const beganAt = performance.now();
  let lastScanAt = -Infinity;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 10)) {
    if (isGroupGone(pgid)) return true;
    const now = performance.now();
    if (now - beganAt >= PATIENCE_BEFORE_SCAN_MS && now - lastScanAt >= SCAN_EVERY_MS) {
      lastScanAt = now;
      if (runningMembers(pgid).length === 0) return true;
    }
    const leftMs = remainingMs();
    if (leftMs <= 0) return runningMembers(pgid).length === 0;
    await sleep(Math.min(pauseMs, leftMs));
  }
}

/** SIGKILL to the group, until nothing of it runs any more. */
export async function killGroup(pgid: number): Promise<void> {
  signalGroup(pgid, "SIGKILL");
  while (!(await waitUntilEmpty(pgid, oneSecond()))) signalGroup(pgid, "SIGKILL");
}

/** A process forked while the signal was on its way would be missed by it: so it is repeated. */
function oneSecond(): () => number {
  const endAt = performance.now() + 1000;
  return () => endAt - performance.now();
}

/** Who has this file open: process ids, for messages and to recognise our own. */
export function holdersOf(path: string): number[] {
  return processIds().filter((pid) => hasOpen(pid, path));
}

export function hasOpen(pid: number, path: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`) === path;
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** Program and arguments; none where there is no such process. */
export function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}

/** `PID (program and arguments)`, as people know it from `ps`. */
export function describeProcess(pid: number): string {
  const words = wordsOf(pid).join(" ").replaceAll(/\s+/gu, " ").trim();
  return words === "" ? String(pid) : `${pid} (${words.length > 80 ? `${words.slice(0, 79)}…` : words})`;
}
