/**
 * Tells systemd how this process is: ready, alive, stopping (`Type=notify`, `WatchdogSec=`).
 *
 * Node has no datagram sockets of the Unix kind, so `systemd-notify` says it, without waiting for an answer.
 * Started by root it speaks in its parent's name, else the unit needs `NotifyAccess=all`. "Alive" is
 * said from the loop: a process whose loop stands still says nothing, and systemd starts it anew.
 */
import { spawn } from "node:child_process";

export interface ServiceNotifier {
  ready(status: string): void;
  stopping(): void;
}

const SILENT: ServiceNotifier = { ready: () => {}, stopping: () => {} };

/**
 * Takes what systemd wrote out of the environment, so that no program that is started here speaks in
 * its place. Without systemd it does nothing.
 */
export function openServiceNotifier(env: NodeJS.ProcessEnv = process.env): ServiceNotifier {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdogUsec, WATCHDOG_PID: watchdogPid } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (socket === undefined || socket === "") return SILENT;
  const say = (...words: readonly string[]): void => {
    const notify = spawn("systemd-notify", ["--no-block", ...words], {
      stdio: "ignore",
      env: { ...env, NOTIFY_SOCKET: socket },
    });
    // Whoever set the socket has the program; a unit without it is told by its time-out.
    notify.once("error", () => {});
    notify.unref();
  };
  const isForUs = watchdogPid === undefined || Number(watchdogPid) === process.pid;
  const everyMs = isForUs && watchdogUsec !== undefined ? Number(watchdogUsec) / 2000 : 0;
  let timer: NodeJS.Timeout | null = null;
  return {
    ready(status): void {
      say("--ready", `--status=${status}`);
      if (everyMs > 0) timer ??= setInterval(() => say("WATCHDOG=1"), everyMs).unref();
    },
    stopping(): void {
      if (timer !== null) clearInterval(timer);
      say("STOPPING=1");
    },
  };
}
