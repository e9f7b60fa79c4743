/**
 * Which processes belong to a run: those with its marker in their environment, and those that have
 * a file of its folder open (a guard has an environment of its own). Asked of /proc, at the end of
 * every run and before any signal is sent to a process id that was read from somewhere.
 */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export const MARKER_VARIABLE = "ARBITER_CHAOS_RUN";

export function belongsTo(pid: number, marker: string, folder: string): boolean {
  return hasMarker(pid, marker) || hasOpenBelow(pid, folder);
}

/** Zombies hold nothing and run nothing: they don't count. Nor does the caller itself. */
export function processesOf(marker: string, folder: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/u.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && runs(pid) && belongsTo(pid, marker, folder));
}

export function runs(pid: number): boolean {
  const state = stateOf(pid);
  return state !== null && state !== "Z" && state !== "X";
}

/** One letter of /proc/PID/stat; null: there is no such process. */
export function stateOf(pid: number): string | null {
  const text = textOf(`/proc/${pid}/stat`);
  return text === "" ? null : (text.slice(text.lastIndexOf(")") + 2)[0] ?? null);
}

export function parentOf(pid: number): number {
  const text = textOf(`/proc/${pid}/stat`);
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}

export function wordsOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
}

function hasMarker(pid: number, marker: string): boolean {
  return textOf(`/proc/${pid}/environ`).split("\0").includes(`${MARKER_VARIABLE}=${marker}`);
}

function hasOpenBelow(pid: number, folder: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${folder}/`);
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
