/**
 * `arbiter start --detach`: the arbiter as a process of its own, in the background, with its log in
 * its state folder. The command returns when it answers; if it ends before that, its error is
 * printed here, where somebody reads it.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readPidFile } from "../arbiter/pid-file.ts";
import { stateDirOf, whichArbiter } from "../config/locate.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { loadValid } from "./configuration.ts";
import { ClearNo, SaidNo } from "./failure.ts";
import { httpText, NoAnswer } from "./http-request.ts";
import { printJson, standardError, standardOutput } from "./output.ts";
import type { StartOptions } from "./start.ts";

/** A store on a slow disk, a first start: far above what is usual. */
const READY_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 25;

export async function startDetached(options: StartOptions): Promise<void> {
  const loaded = await loadValid(options.config);
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const chosen = whichArbiter(loaded.model, {
    name: options.name,
    localAddresses: [...addresses.map(({ address }) => address), hostname()],
  });
  if (!chosen.ok) throw new ClearNo(chosen.error, "`arbiter start --name NAME` says which one this is.");
  const { name, url } = chosen.arbiter;
  const folder = stateDirOf(loaded, name);
  const logFile = join(folder, "arbiter.log");
  const begin = startLog(folder, logFile);
  const child = launch(["start", "--config", loaded.path, "--name", name, "--log", options.log], logFile);
  await untilReady(child, folder, { logFile, begin });
  child.unref();
  if (options.json === true) printJson({ name, url, pid: child.pid, stateFolder: folder, log: logFile });
  else
    standardOutput.write(
      `${name} runs in the background at ${url} (pid ${child.pid}), its log is ${logFile}\n`,
    );
}

/** Makes sure that there is one, and gives back where this start's part of it begins. */
function startLog(folder: string, logFile: string): number {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    closeSync(openSync(logFile, "a", 0o640));
    return statSync(logFile).size;
  } catch (error) {
    throw new ArbiterError(
      "ERR_ARB_STATE_DIR",
      `The state folder ${folder} can't be used: ${messageOf(error)}.`,
      {
        cause: error,
      },
    );
  }
}

function launch(argv: readonly string[], logFile: string): ChildProcess {
  const log = openSync(logFile, "a");
  try {
    return spawn(process.execPath, [process.argv[1] ?? "", ...argv], {
      detached: true,
      stdio: ["ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
}

/** Ready is: its own pid file is there (it listens and its store is open), and it answers. */
async function untilReady(
  child: ChildProcess,
  folder: string,
  log: { readonly logFile: string; readonly begin: number },
): Promise<void> {
  const failures: string[] = [];
  child.once("error", (error) => {
    failures.push(error.message);
  });
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const running = readPidFile(folder);
    if (running !== null && running.pid === child.pid && (await answers(running.url))) return;
    if (failures.length > 0)
      throw new ClearNo(
        `the arbiter can't be started: ${failures.join("; ")}`,
        "`arbiter start`, without --detach, shows more.",
      );
    if (child.exitCode !== null || child.signalCode !== null) {
      standardError.write(readFileSync(log.logFile).subarray(log.begin).toString("utf8"));
      throw new SaidNo(child.exitCode === 2 ? 2 : 1);
    }
    if (performance.now() > deadlineMs) {
      child.unref();
      throw new ClearNo(
        `the arbiter (pid ${child.pid}) was started, but has not answered for ${READY_TIMEOUT_MS / 1000} s.`,
        `It still runs. Its log is ${log.logFile}; \`arbiter stop\` ends it.`,
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** Whether anything answers at all: that it is the child is known from its pid file. */
async function answers(url: string): Promise<boolean> {
  try {
    await httpText({
      url: `${url}/healthz`,
      method: "GET",
      headers: {},
      connectMs: 1000,
      totalMs: 1000,
      // It is this machine's own process; whom it shows its certificate to is not decided here.
      tls: { rejectUnauthorized: false },
    });
    return true;
  } catch (error) {
    // A server that insists on a client's certificate has answered too.
    const cause = error instanceof NoAnswer ? error.cause : null;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    return code.startsWith("ERR_SSL");
  }
}
