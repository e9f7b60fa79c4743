/**
 * A daemon from its author's hooks: `await defineDaemon({ type, activate, demote }).run()`.
 *
 * `run` is for a program whose whole purpose is the daemon: it reads the command line, answers
 * --help, prints one clear sentence where it can't start, ends the process when the daemon has
 * left. `start` is for a program that brings its own settings and has a life besides.
 */
import { ArbiterError } from "../protocol/errors.ts";
import { readCommandLine, USAGE } from "./command-line.ts";
import { askForPrecedence } from "../shell/processor.ts";
import { LibraryWorkload } from "./library-workload.ts";
import type { Hooks } from "./library-workload.ts";
import { createLogger } from "./log.ts";
import type { Logger, RunningDaemon, RuntimeOptions } from "./options.ts";
import { ownSettings } from "./own-settings.ts";

export interface DaemonDefinition extends Hooks {
  /** `scheduler`, `broker`, any word. */
  readonly type: string;
  /** (Default: --name, its file's, else `TYPE-ROLE`.) */
  readonly name?: string;
  /** How often `health()` is asked. (Default: 500.) */
  readonly healthIntervalMs?: number;
  /** After so long without an answer of `health()` it counts as unhealthy. (Default: 2000.) */
  readonly healthTimeoutMs?: number;
  /** (Default: lines on standard error; JSON unless it is a terminal.) */
  readonly logger?: Logger;
}

/** Settings of a daemon that reads no command line. */
export type StartOptions = Omit<RuntimeOptions, "type" | "logger" | "lock">;

export interface DefinedDaemon {
  /** Never returns: the process ends with the daemon. (Default: the process's own arguments.) */
  run(argv?: readonly string[]): Promise<never>;
  /** Rejects with an `ArbiterError` if it can't start. */
  start(options: StartOptions): Promise<RunningDaemon>;
}

/** Exit codes: wrong usage, and everything else that keeps it from starting. */
const USAGE_EXIT_CODE = 2;
const FAILED_EXIT_CODE = 1;
const DEFAULT_HEALTH_INTERVAL_MS = 500;
const DEFAULT_HEALTH_TIMEOUT_MS = 2000;

export function defineDaemon(definition: DaemonDefinition): DefinedDaemon {
  const logger = definition.logger ?? createLogger();
  const workload = new LibraryWorkload(definition, {
    intervalMs: definition.healthIntervalMs ?? DEFAULT_HEALTH_INTERVAL_MS,
    timeoutMs: definition.healthTimeoutMs ?? DEFAULT_HEALTH_TIMEOUT_MS,
  });
  return {
    async run(argv = process.argv.slice(2)): Promise<never> {
      try {
        await runFromCommandLine(argv, definition, workload, logger);
      } catch (error) {
        process.exit(sayWhy(error, definition.type));
      }
      process.exit(0);
    },
    start: async (options) => await runRuntime({ ...options, type: definition.type, logger }, workload),
  };
}

async function runFromCommandLine(
  argv: readonly string[],
  { type, name }: DaemonDefinition,
  workload: LibraryWorkload,
  logger: Logger,
): Promise<void> {
  const asked = readCommandLine(argv);
  if (asked === null) {
    process.stdout.write(
      `A daemon of type ${type}, kept running on exactly one machine by Arbiter.\n\n${USAGE}`,
    );
    return;
  }
  const { runtime, warnings } = await ownSettings(asked, { type, name: name ?? null }, process.env);
  for (const warning of warnings) logger.warn(warning);
  const daemon = await runRuntime({ ...runtime, logger }, workload);
  await daemon.closed;
}

/** HTTP and metrics are loaded only once it is clear that there is a daemon to run. */
async function runRuntime(options: RuntimeOptions, workload: LibraryWorkload): Promise<RunningDaemon> {
  const { runDaemon } = await import("./runtime.ts");
  const daemon = await runDaemon(options, workload);
  // What the author's code does is long work, perhaps: only whoever says so puts it before everything else.
  if (options.cpuPriority === "realtime") {
    const { logger } = options;
    void askForPrecedence({
      pids: [process.pid],
      wanted: "realtime",
      warn: (text) => logger.warn(text),
    });
  }
  return daemon;
}

/** One clear sentence for what an operator can mend; the whole stack for what nobody expected. */
function sayWhy(error: unknown, type: string): number {
  if (!(error instanceof ArbiterError)) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return FAILED_EXIT_CODE;
  }
  process.stderr.write(`${type}: ${error.message}\n`);
  return error.code === "ERR_ARB_USAGE" ? USAGE_EXIT_CODE : FAILED_EXIT_CODE;
}
