/**
 * A place before other work on a busy machine.
 *
 * A lease that isn't renewed in time ends, whether its holder is dead or only never got the processor.
 * What an arbiter, a launcher and a guard have to do takes a millisecond now and then, and can't wait
 * behind somebody's build: so they ask the kernel for round-robin scheduling at its lowest real-time
 * priority, as Corosync does. What they start goes on as usual (SCHED_RESET_ON_FORK), above all the
 * program. The kernel keeps a twentieth of each second from real-time work, so that even an endless
 * loop of ours leaves a shell to end it with.
 *
 * Safety never rests on it, and it is asked for once: without the right to it (CAP_SYS_NICE, or
 * `LimitRTPRIO=` of the unit), or without `chrt`, all goes on as it is.
 */
import { execFile } from "node:child_process";
import type { CpuPriority } from "../core/model.ts";

/** `chrt` answers within milliseconds, or this machine has other troubles. */
const TIMEOUT_MS = 5_000;

export interface Precedence {
  /** Processes of ours, all their present threads with them. */
  readonly pids: readonly number[];
  readonly wanted: CpuPriority;
  /** It was asked for in so many words, and is refused. */
  readonly warn: (text: string) => void;
}

/** Resolves to whether the kernel has granted it to all of them; never rejects. */
export async function askForPrecedence({ pids, wanted, warn }: Precedence): Promise<boolean> {
  if (wanted === "normal" || process.platform !== "linux") return false;
  const refusals = (await Promise.all(pids.map(async (pid) => await refusalOf(pid)))).filter(
    (refusal) => refusal !== null,
  );
  if (wanted === "realtime" && refusals[0] !== undefined) {
    warn(
      `\`cpu_priority = realtime\` is refused: ${refusals[0]}. It goes on at the usual priority. ` +
        "Give it CAP_SYS_NICE (or `LimitRTPRIO=1` in its unit), or write `cpu_priority = auto`.",
    );
  }
  return refusals.length === 0;
}

async function refusalOf(pid: number): Promise<string | null> {
  const words = ["--all-tasks", "--reset-on-fork", "--rr", "--pid", "1", String(pid)];
  return await new Promise((resolve) => {
    execFile("chrt", words, { timeout: TIMEOUT_MS }, (error, _stdout, stderr) => {
      if (error === null) resolve(null);
      else resolve(stderr.trim().split("\n").at(-1) || error.message);
    });
  });
}
