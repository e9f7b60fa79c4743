/**
 * Who the launcher is and which process groups it has started, in a file of its state folder: what
 * the next launcher kills before it answers anyone, should this one be killed together with its
 * guard. While the launcher itself lives, nothing that it recorded is touched: a second one that was
 * started by mistake must not end a service.
 *
 * Written before a program runs. A process is named by its number, the start time of its first
 * process and the kernel's boot id: after a reboot, or once the number belongs to someone else, the
 * entry means nothing and nothing is killed. Not synced to disk: a power cut ends the groups too.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Cgroup, CGROUP_PREFIX } from "./cgroup.ts";
import { GUARD_NAME } from "./guard-script.ts";
import {
  hasOpen,
  holdersOf,
  isRunning,
  kernelBootId,
  killGroup,
  readStat,
  runningMembers,
  signalGroup,
  wordsOf,
} from "./process-group.ts";

export interface RecordedGroup {
  readonly pgid: number;
  readonly startTicks: string;
  /** Its control group's folder, under a name that is used once; null: none. */
  readonly cgroup: string | null;
}

export interface GroupRecord {
  add(group: RecordedGroup): void;
  remove(pgid: number): void;
}

const FILE = "groups.json";

export function openGroupRecord(folder: string): GroupRecord {
  const file = join(folder, FILE);
  const bootId = kernelBootId();
  const groups = new Map<number, RecordedGroup>();
  const launcher = { pid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? "" };
  const save = (): void => {
    writeFileSync(`${file}.new`, `${JSON.stringify({ bootId, launcher, groups: [...groups.values()] })}\n`);
    renameSync(`${file}.new`, file);
  };
  save();
  return {
    add(group): void {
      groups.set(group.pgid, group);
      save();
    },
    remove(pgid): void {
      if (!groups.delete(pgid)) return;
      try {
        save();
      } catch {
        // On a full disk: an entry too many names a group that is known to be gone by its start time.
      }
    },
  };
}

interface Recorded {
  readonly launcher: { readonly pid: number; readonly startTicks: string } | null;
  readonly groups: readonly RecordedGroup[];
}

/** Null where there is no record, or one from before the machine's last start. */
function readRecord(folder: string): Recorded | null {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(folder, FILE), "utf8"));
  } catch {
    return null;
  }
  if (!isRecord(value) || value["bootId"] !== kernelBootId() || !Array.isArray(value["groups"])) return null;
  const launcher = value["launcher"];
  return {
    launcher:
      isRecord(launcher) && typeof launcher["pid"] === "number" && typeof launcher["startTicks"] === "string"
        ? { pid: launcher["pid"], startTicks: launcher["startTicks"] }
        : null,
    groups: value["groups"]
      .filter(isRecordedGroup)
      .map(({ pgid, startTicks, cgroup }) => ({ pgid, startTicks, cgroup: cgroup ?? null })),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** An older version wrote no control group. */
type WrittenGroup = Omit<RecordedGroup, "cgroup"> & { readonly cgroup?: string | null };

function isRecordedGroup(value: unknown): value is WrittenGroup {
  if (!isRecord(value)) return false;
  const { pgid } = value;
  const isNumber = typeof pgid === "number" && Number.isSafeInteger(pgid) && pgid > 1;
  const cgroup = value["cgroup"] ?? null;
  // Nothing else is ever written to.
  if (cgroup !== null && !(typeof cgroup === "string" && basename(cgroup).startsWith(CGROUP_PREFIX)))
    return false;
  return isNumber && typeof value["startTicks"] === "string";
}

/**
 * Kills what still runs of the recorded groups, unless their launcher lives; says which. A group
 * whose first process has ended can't be known by its start time: then one of its members must have
 * our lock file open, which only our own programs have inherited.
 */
export async function killRecordedGroups(folder: string, lockFile: string): Promise<number[]> {
  const record = readRecord(folder);
  if (record === null || lives(record.launcher)) return [];
  const killed: number[] = [];
  for (const group of record.groups) {
    const isFilled = await killCgroup(group.cgroup);
    const isOwn = isOurs(group, lockFile);
    if (isOwn) await killGroup(group.pgid);
    if (isOwn || isFilled) killed.push(group.pgid);
  }
  killIdleGuards(lockFile);
  return killed;
}

/** What left its process group is in there still. True: there was something. */
async function killCgroup(folder: string | null): Promise<boolean> {
  if (folder === null) return false;
  const cgroup = Cgroup.at(folder);
  const isFilled = !cgroup.isEmpty;
  await cgroup.killAll();
  cgroup.remove();
  return isFilled;
}

/**
 * Guards that outlived their launcher and have nothing left to watch over. One that runs is about to
 * end by itself; one that is stopped would hold the lock for as long as it is.
 */
function killIdleGuards(lockFile: string): void {
  for (const pid of holdersOf(lockFile)) {
    // It leads a group of its own.
    if (wordsOf(pid).includes(GUARD_NAME)) signalGroup(pid, "SIGKILL");
  }
}

function lives(launcher: Recorded["launcher"]): boolean {
  if (launcher === null || launcher.pid === process.pid) return false;
  const stat = readStat(launcher.pid);
  return stat !== null && isRunning(stat) && stat.startTicks === launcher.startTicks;
}

function isOurs(group: RecordedGroup, lockFile: string): boolean {
  const first = readStat(group.pgid);
  if (first !== null && first.startTicks !== group.startTicks) return false;
  const members = runningMembers(group.pgid);
  if (first !== null) return members.length > 0;
  return members.some((pid) => hasOpen(pid, lockFile));
}
