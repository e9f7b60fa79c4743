/**
 * A program that has put itself into the background: its first process has ended, what that one started
 * goes on in the control group. Who of them is the program?
 *
 * The one whose parent is outside: daemons give themselves to process 1, and their workers are their
 * children. Where there is exactly one such, its end is the program's end, even if workers live on
 * (those of nginx do, and would go on answering without a master). Where there are several, the end is when
 * nothing is left. Nobody tells a process of the end of one that isn't its child: so it is looked at.
 */
import type { Cgroup } from "./cgroup.ts";
import { isRunning, readStat, type ProcessStat } from "./process-group.ts";

const LOOK_EVERY_MS = 200;
/** Until it is known who the program is: its death must not go unnoticed meanwhile. */
const FIRST_LOOKS_MS = 25;

interface Known {
  readonly pid: number;
  readonly startTicks: string;
}

/** Calls back once, with what is to be told. Returns how to stop watching. */
export function watchBackground(cgroup: Cgroup, onEnded: (what: string) => void): () => void {
  let main: Known | null = null;
  /** Seen once: one that only forks and ends is gone at the next look, and has left a single child. */
  let likely: Known | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;
  const end = (what: string): void => {
    stop();
    onEnded(what);
  };
  const look = (): void => {
    if (main !== null) {
      if (!isSame(main)) end(`its main process ${main.pid}, in the background, has ended`);
      return;
    }
    const roots = rootsOf(cgroup.members());
    if (likely !== null && roots.length > 1 && !isSame(likely)) {
      end(`its main process ${likely.pid}, in the background, has ended`);
      return;
    }
    const only = roots.length === 1 ? (roots[0] ?? null) : null;
    if (only !== null && likely?.pid === only.pid && likely.startTicks === only.startTicks) main = likely;
    likely = only;
  };
  const lookAgain = (): void => {
    look();
    if (!isStopped) timer = setTimeout(lookAgain, main === null ? FIRST_LOOKS_MS : LOOK_EVERY_MS);
  };
  const stopEmpty = cgroup.onceEmpty(() => end("the last of its processes in the background has ended"));
  const stop = (): void => {
    isStopped = true;
    if (timer !== null) clearTimeout(timer);
    stopEmpty();
  };
  lookAgain();
  return stop;
}

function isSame({ pid, startTicks }: Known): boolean {
  const stat = readStat(pid);
  return stat !== null && stat.startTicks === startTicks && isRunning(stat);
}

/** Those whose parent isn't one of them. */
export function rootsOf(members: readonly number[]): ProcessStat[] {
  return members.flatMap((pid) => {
    const stat = readStat(pid);
    return stat === null || !isRunning(stat) || members.includes(stat.parentPid) ? [] : [stat];
  });
}
