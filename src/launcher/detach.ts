/**
 * `--detach`: starts the launcher in the background, in a session of its own, and waits until it
 * answers or has ended. What it says goes to `daemon.log` in its state folder.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeStateFolder } from "../daemon/state-folder.ts";
import { ArbiterError } from "../protocol/errors.ts";
import { settingsOf, type LaunchOrder } from "./launch.ts";
import { readPidFile, type RunningDaemonFile } from "./pid-file.ts";

const LOOK_EVERY_MS = 20;
/** Tells the one in the background which file is its log: it bounds it. */
const LOG_VARIABLE = "ARBITER_DAEMON_LOG";

/** Taken out of the environment: it means nothing to programs that are started here. */
export function takeLogFile(env: NodeJS.ProcessEnv = process.env): string | null {
  const file = env[LOG_VARIABLE] ?? null;
  delete env[LOG_VARIABLE];
  return file;
}

/** `argv`: this process's own arguments, without `--detach`. */
export async function launchDetached(
  order: LaunchOrder,
  argv: readonly string[],
): Promise<RunningDaemonFile & { readonly logFile: string }> {
  // Read here too, so that a mistake is told at once and at this terminal.
  const { runtime } = await settingsOf(order);
  const folder = makeStateFolder(runtime.stateDir, runtime.name);
  const already = readPidFile(folder);
  if (already !== null) {
    throw new ArbiterError(
      "ERR_ARB_ALREADY_RUNNING",
      `${runtime.name} runs already, as pid ${already.pid} at ${already.url}. ` +
        `\`arbiter daemon stop ${runtime.name}\` stops it.`,
    );
  }
  const logFile = join(folder, "daemon.log");
  const log = openSync(logFile, "a", 0o640);
  const saidBefore = statSync(logFile).size;
  const child = spawn(process.execPath, [...process.execArgv, ...argv], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, [LOG_VARIABLE]: logFile },
  });
  closeSync(log);
  let ended: string | null = null;
  child.once("error", (error) => {
    ended = error.message;
  });
  child.once("exit", (code, signal) => {
    ended = `it ended with ${signal ?? `code ${code ?? "?"}`}`;
  });
  for (;;) {
    const running = readPidFile(folder);
    if (running !== null && running.pid === child.pid) {
      child.unref();
      return { ...running, logFile };
    }
    if (ended !== null) {
      const said = readFileSync(logFile).subarray(saidBefore).toString("utf8").trim();
      throw new ArbiterError(
        "ERR_ARB_LAUNCHER",
        `${runtime.name} didn't start: ${String(ended)}. It said (${logFile}):\n${said}`,
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
}
