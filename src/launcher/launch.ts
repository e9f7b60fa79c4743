/**
 * From what was asked for to a running daemon: its settings, its state folder, the launcher with its
 * lock, the runtime, the pid file. The order matters: the lock comes before the port is opened and
 * before any assignment is answered; the pid file comes last, when there is something to be stopped.
 *
 * Without a command the daemon runs nothing: it waits, takes the service, and says at `/active`
 * whether it holds it. Something else on the machine may ask there.
 */
import { resolve } from "node:path";
import { defaultLaunch, environmentOf } from "../config/index.ts";
import type { LaunchSpec } from "../core/model.ts";
import { LibraryWorkload } from "../daemon/library-workload.ts";
import type { Logger, RunningDaemon } from "../daemon/options.ts";
import { ownSettings, type Asked, type OwnSettings } from "../daemon/own-settings.ts";
import { runDaemon } from "../daemon/runtime.ts";
import { makeStateFolder } from "../daemon/state-folder.ts";
import type { Workload } from "../daemon/workload.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { askForPrecedence } from "../shell/processor.ts";
import { openServiceNotifier } from "../shell/service-notify.ts";
import { openLauncher } from "./launcher.ts";
import { createLauncherLogger } from "./log.ts";
import { flushOutlets, useAsOutlets } from "./output.ts";
import { removePidFile, writePidFile } from "./pid-file.ts";
import { RotatingFile } from "./rotating-file.ts";

export interface LaunchOrder {
  readonly asked: Asked;
  /** `--type`; null: the configuration says. */
  readonly type: string | null;
  /** What stands behind `--`; empty: the configuration says. */
  readonly command: readonly string[];
  /** Where a launcher in the background writes; null: its standard output and error. */
  readonly logFile: string | null;
}

/** The daemon's settings, as the command line and its file have them. */
export async function settingsOf({ asked, type }: LaunchOrder): Promise<OwnSettings> {
  return await ownSettings(asked, { type, name: null }, process.env);
}

/** Runs until it has left: SIGTERM, SIGINT, or the arbiter's word. */
export async function launch(order: LaunchOrder): Promise<void> {
  const notifier = openServiceNotifier();
  const settings = await settingsOf(order);
  const spec = await launchSpecOf(settings, order.command);
  if (order.logFile !== null) logInto(order.logFile, spec);
  const logger = createLauncherLogger(spec.logLevel);
  for (const warning of settings.warnings) logger.warn(warning);
  const folder = makeStateFolder(settings.runtime.stateDir, settings.runtime.name);
  const goesFirst = (pid: number): void => {
    const wanted = settings.spec?.cpuPriority ?? "auto";
    void askForPrecedence({ pids: [pid], wanted, warn: (text) => logger.warn(text) });
  };
  const workload = await workloadOf(settings, spec, folder, { logger, onGuard: goesFirst });
  let daemon: RunningDaemon;
  try {
    daemon = await runDaemon({ ...settings.runtime, logger }, workload);
  } catch (error) {
    await workload.close();
    throw error;
  }
  // Without a command nothing of ours has to be in time for somebody else's sake.
  if (workload.launched) goesFirst(process.pid);
  writePidFile(folder, daemon.name, daemon.url);
  notifier.ready(`${daemon.name} (${settings.runtime.role}) listens at ${daemon.url}`);
  process.once("SIGTERM", () => notifier.stopping());
  await daemon.closed;
  removePidFile(folder);
  await flushOutlets();
}

/** In the background: its own log and the program's output, bounded as `output_file` is. */
function logInto(file: string, spec: LaunchSpec): void {
  const { outputMaxMib, outputKeep } = spec;
  const rotateAtBytes = outputMaxMib * 1_048_576;
  useAsOutlets(new RotatingFile({ file, rotateAtBytes, kept: outputKeep, onProblem: () => {} }));
}

/** The command line's command goes before the file's; paths become absolute, `env_NAME_file` is read. */
async function launchSpecOf({ launch: own }: OwnSettings, command: readonly string[]): Promise<LaunchSpec> {
  if (own === null) return { ...defaultLaunch({ drainTimeoutMs: DRAIN_TIMEOUT_MS }), command };
  const { spec, directory } = own;
  return {
    ...spec,
    command: command.length === 0 ? spec.command : command,
    cwd: spec.cwd === null ? null : resolve(directory, spec.cwd),
    outputFile: spec.outputFile === null ? null : resolve(directory, spec.outputFile),
    env: await readEnvironment(spec, directory),
  };
}

async function readEnvironment(spec: LaunchSpec, directory: string): Promise<Record<string, string>> {
  try {
    return await environmentOf(spec, directory);
  } catch (error) {
    throw new ArbiterError("ERR_ARB_CONFIG", `An \`env_NAME_file\` can't be read: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

/** What their keys' defaults are, without a file. */
const DRAIN_TIMEOUT_MS = 10_000;
const CHECK_INTERVAL_MS = 500;
const TIMEOUT_MS = 300;
const FAILURE_TIMEOUT_MS = 600_000;
const MAX_CHECK_ATTEMPTS = 3;

async function workloadOf(
  { runtime, spec }: OwnSettings,
  launchSpec: LaunchSpec,
  folder: string,
  { logger, onGuard }: { readonly logger: Logger; readonly onGuard: (pid: number) => void },
): Promise<Workload> {
  if (launchSpec.command.length === 0) {
    logger.info(
      `${runtime.name} has no command: it runs nothing, and says at /active whether it holds the service. ` +
        "Say what to run behind `--`, or as `command` in its file.",
    );
    const hooks = { activate: (): void => {}, demote: (): void => {} };
    return new LibraryWorkload(hooks, { intervalMs: CHECK_INTERVAL_MS, timeoutMs: TIMEOUT_MS });
  }
  return await openLauncher({
    name: runtime.name,
    role: runtime.role,
    spec: launchSpec,
    stateFolder: folder,
    healthUrl: healthUrlOf(runtime),
    checkIntervalMs: spec?.checkIntervalMs ?? CHECK_INTERVAL_MS,
    timeoutMs: spec?.timeoutMs ?? TIMEOUT_MS,
    failureTimeoutMs: spec?.failureTimeoutMs ?? FAILURE_TIMEOUT_MS,
    onGuard,
    maxCheckAttempts: spec?.maxCheckAttempts ?? MAX_CHECK_ATTEMPTS,
    log: (level, text) => logger[level](text),
  });
}

/** Where the program finds the daemon: one that listens everywhere is asked on loopback. */
function healthUrlOf({ host, port, useSsl }: OwnSettings["runtime"]): string {
  const near = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const scheme = useSsl === true ? "https" : "http";
  return `${scheme}://${near.includes(":") ? `[${near}]` : near}:${port}/health`;
}
