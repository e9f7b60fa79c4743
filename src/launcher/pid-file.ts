/**
 * `daemon.pid` in a daemon's state folder: how `arbiter daemon stop NAME` finds the process. Written
 * once it answers, removed when it has left. Numbers are used again, so the start time stands beside
 * it and both must agree; what excludes a second launcher is the lock, not this file.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRunning, readStat } from "./process-group.ts";

export interface RunningDaemonFile {
  readonly pid: number;
  readonly startTicks: string;
  readonly name: string;
  readonly url: string;
}

const FILE = "daemon.pid";

export function writePidFile(folder: string, name: string, url: string): void {
  const startTicks = readStat(process.pid)?.startTicks ?? "";
  const file = join(folder, FILE);
  writeFileSync(`${file}.new`, `${JSON.stringify({ pid: process.pid, startTicks, name, url })}\n`);
  renameSync(`${file}.new`, file);
}

export function removePidFile(folder: string): void {
  rmSync(join(folder, FILE), { force: true });
}

/** Null: there is none, or the process that it names has ended. */
export function readPidFile(folder: string): RunningDaemonFile | null {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(folder, FILE), "utf8"));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { pid, startTicks, name, url }: Partial<Record<keyof RunningDaemonFile, unknown>> = value;
  if (typeof pid !== "number" || typeof startTicks !== "string") return null;
  if (typeof name !== "string" || typeof url !== "string") return null;
  const daemon = { pid, startTicks, name, url };
  return hasEnded(daemon) ? null : daemon;
}

/** A zombie has ended: in a container whose first process reaps nobody it stays one. */
export function hasEnded({ pid, startTicks }: Pick<RunningDaemonFile, "pid" | "startTicks">): boolean {
  const stat = readStat(pid);
  return stat === null || !isRunning(stat) || stat.startTicks !== startTicks;
}

/** The daemons that run with this state folder. */
export function runningDaemons(stateDir: string): RunningDaemonFile[] {
  let entries: string[];
  try {
    entries = readdirSync(stateDir);
  } catch {
    return [];
  }
  return entries
    .toSorted()
    .map((entry) => readPidFile(join(stateDir, entry)))
    .filter((daemon) => daemon !== null);
}
