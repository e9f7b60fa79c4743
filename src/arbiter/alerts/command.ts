/**
 * Runs a command with the message as JSON on its standard input, without a shell. Exit code 0 means
 * that it has been delivered. One that hangs is killed with everything that it started.
 */
import { spawn } from "node:child_process";
import type { AlertMessage } from "./message.ts";

const TIMEOUT_MS = 30_000;
/** Of what it said on standard error. */
const SHOWN = 500;

export async function runCommand(
  command: readonly string[],
  message: AlertMessage,
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  const [file = "", ...args] = command;
  const [first] = message.alerts;
  const child = spawn(file, args, {
    // A group of its own, so that all of it can be ended.
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
    env: {
      ...process.env,
      ARBITER_ALERT_ID: message.id,
      ARBITER_ALERT_KIND: first?.kind ?? "information",
      ARBITER_ALERT_TEXT: message.text,
      ARBITER_ALERT_CLUSTER: message.cluster,
    },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-SHOWN);
  });
  // A command that doesn't read what it gets is none of our errors.
  child.stdin.on("error", () => {});
  child.stdin.end(`${JSON.stringify(message)}\n`);
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    endGroup(child.pid);
    reject(new Error(`${file} did not end within ${timeoutMs / 1_000} s and was killed`));
  }, timeoutMs);
  child.once("error", (error) => reject(new Error(`${file} can't be run: ${error.message}`)));
  child.once("close", (code, signal) => {
    if (code === 0) resolve(undefined);
    else
      reject(
        new Error(
          `${file} ended with ${signal ?? `exit code ${code}`}${said === "" ? "" : `: ${said.trim()}`}`,
        ),
      );
  });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}
