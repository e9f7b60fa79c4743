/**
 * `arbiter daemon`: launches a daemon on this machine, with a command that runs only while it is
 * active. The process that is started is the launcher; only `--detach` starts another one. What runs
 * it is imported when it is needed: `--help` and `stop` answer at once.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Asked } from "../daemon/own-settings.ts";
import type { LaunchOrder } from "../launcher/launch.ts";
import { hasEnded, readPidFile, runningDaemons, type RunningDaemonFile } from "../launcher/pid-file.ts";
import { ArbiterError, codeOf, messageOf } from "../protocol/errors.ts";
import { durationOption } from "./duration.ts";
import { ClearNo, WrongUsage } from "./failure.ts";
import { withExamples, withJson, type PrintOptions } from "./options.ts";
import { durationText, printJson, standardOutput } from "./output.ts";
import { urlsOf } from "./places.ts";

interface DaemonOptions extends PrintOptions {
  readonly role?: "master" | "spare";
  readonly config?: string;
  readonly name?: string;
  readonly type?: string;
  readonly host?: string;
  readonly port?: number;
  readonly arbiter?: string;
  readonly join?: string;
  readonly tokenFile?: string;
  readonly stateDir?: string;
  readonly detach?: boolean;
  readonly forgetCluster?: boolean;
}

interface StopOptions extends PrintOptions {
  readonly config?: string;
  readonly stateDir?: string;
  readonly timeout: number;
}

export function daemonCommand(): Command {
  const command = new Command("daemon")
    .description(
      "Launches a daemon on this machine, waiting. While it is active it runs COMMAND, without a shell.",
    )
    .usage("--role master|spare [options] [-- COMMAND ARG...]")
    .argument("[command...]", "program and arguments, behind `--` (default: `command` of its file)")
    .addOption(
      new Option("--role <role>", "what it is meant to be; must agree with its file").choices([
        "master",
        "spare",
      ]),
    )
    .option(
      "--config <path>",
      "its .cfg file, or the folder (default: $ARBITER_CONFIG; without --type also ./etc/arbiter, /etc/arbiter)",
    )
    .option("--name <name>", "which daemon of the configuration it is")
    .option("--type <type>", "what kind of daemon it is, where no file says it")
    .option("--host <host>", "address to listen at (default: `address`, else 127.0.0.1)")
    .option("--port <port>", "port to listen at (default: `port`, else by type)", portOption)
    .option("--arbiter <url,...>", "arbiters to report to before one has called")
    .option("--join <url,...>", "join the running cluster of these arbiters, whose files don't name it")
    .option("--token-file <file>", "the cluster's token (default: $ARBITER_TOKEN_FILE, else `token_file`)")
    .option("--state-dir <dir>", "where its own folder is made (default: `state_dir`)")
    .option("--detach", "start it in the background; it logs to daemon.log in its own folder")
    .option("--forget-cluster", "forget the cluster that it belonged to, and obey another")
    .action(
      async (words: readonly string[], options: DaemonOptions) => await runDaemonCommand(words, options),
    );
  withExamples(withJson(command), [
    "arbiter daemon --role master --config /etc/arbiter/daemons/web.cfg -- /usr/sbin/nginx -g 'daemon off;'",
    "arbiter daemon --role spare --config web-spare.cfg --detach",
    "arbiter daemon --role master --type web --port 7801 --name web-1 -- ./serve",
    "arbiter daemon --role spare --type web --port 7801 --name web-3 --host 10.0.0.3 --join http://10.0.0.1:7770 -- ./serve",
    "arbiter daemon stop web-1",
  ]);
  return command.addCommand(stopCommand());
}

async function runDaemonCommand(words: readonly string[], options: DaemonOptions): Promise<void> {
  const { launchDetached, takeLogFile } = await import("../launcher/detach.ts");
  const order: LaunchOrder = {
    asked: await askedBy(options),
    type: options.type ?? null,
    command: words,
    logFile: takeLogFile(),
  };
  try {
    if (options.detach !== true) {
      const { launch } = await import("../launcher/launch.ts");
      await launch(order);
      // Whatever still holds the loop, its work is done.
      process.exit(0);
    }
    const started = await launchDetached(order, withoutDetach(process.argv.slice(1)));
    const { name, pid, url, logFile } = started;
    if (options.json === true) printJson({ name, pid, url, logFile });
    else standardOutput.write(`${name} runs as pid ${pid} at ${url}; its log is ${logFile}\n`);
  } catch (error) {
    if (error instanceof ArbiterError && error.code === "ERR_ARB_USAGE")
      throw new WrongUsage(error.message, "`arbiter daemon --help` has examples.");
    throw error;
  }
}

async function askedBy(options: DaemonOptions): Promise<Asked> {
  return {
    name: options.name ?? null,
    role: options.role ?? null,
    host: options.host ?? null,
    port: options.port ?? null,
    arbiters: options.arbiter === undefined ? [] : urlsOf(options.arbiter, "--arbiter"),
    join: options.join === undefined ? [] : urlsOf(options.join, "--join"),
    config: await configOf(options),
    tokenFile: options.tokenFile ?? null,
    stateDir: options.stateDir ?? null,
    forgetCluster: options.forgetCluster ?? false,
  };
}

/** With `--type` and without `--config` the command line says everything. */
async function configOf({ config, type }: Pick<DaemonOptions, "config" | "type">): Promise<string | null> {
  const inEnvironment = process.env["ARBITER_CONFIG"] ?? "";
  if (config === undefined && type !== undefined && inEnvironment === "") return null;
  const { resolveConfigPath } = await import("../config/locate.ts");
  const located = resolveConfigPath({ flag: config });
  if (located.ok) return located.path;
  throw new ClearNo(located.error, "Or say all of it here: --type TYPE --port PORT --name NAME.");
}

function portOption(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/u.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("Expected a number from 0 to 65535.");
}

/** The command's own arguments, behind `--`, are not ours to change. */
function withoutDetach(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  return argv.filter((word, at) => word !== "--detach" || (end !== -1 && at > end));
}

/** Long enough for `stop_timeout` and hooks with their defaults. */
const DEFAULT_STOP_MS = 60_000;
const LOOK_EVERY_MS = 10;

function stopCommand(): Command {
  const command = new Command("stop")
    .description(
      "Stops a daemon of this machine in good order, and waits until it and its program have ended.",
    )
    .argument("<name>", "the daemon's name")
    .option("--config <path>", "its .cfg file, or the folder: where its state folder is")
    .option("--state-dir <dir>", "the same, said directly")
    .option("--timeout <duration>", "how long to wait (default: 60s)", durationOption, DEFAULT_STOP_MS)
    .action(async (name: string, _options: unknown, self: Command) => {
      // The words may stand before or behind `stop`; commander gives some of them to `daemon`.
      const options: StopOptions & DaemonOptions = self.optsWithGlobals();
      await stopDaemon(name, options);
    });
  return withExamples(withJson(command), [
    "arbiter daemon stop web-1",
    "arbiter daemon stop web-1 --config ./etc/arbiter",
  ]);
}

async function stopDaemon(name: string, options: StopOptions & DaemonOptions): Promise<void> {
  if (options.role !== undefined) {
    throw new WrongUsage(
      "`arbiter daemon stop NAME` takes no --role.",
      "To launch a program that is called `stop`, give its path: -- ./stop",
    );
  }
  const daemon = await findDaemon(name, options);
  const beganMs = performance.now();
  try {
    process.kill(daemon.pid, "SIGTERM");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") {
      throw new ClearNo(
        `${name} (pid ${daemon.pid}) can't be signalled: ${messageOf(error)}.`,
        "Run this as the user of the daemon, or as root.",
      );
    }
  }
  while (!hasEnded(daemon)) {
    if (performance.now() - beganMs > options.timeout) {
      throw new ClearNo(
        `${name} (pid ${daemon.pid}) has not ended after ${durationText(options.timeout)}.`,
        `It still drains. \`kill -9 ${daemon.pid}\` ends it; its guard then kills the program.`,
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
  const tookMs = Math.round(performance.now() - beganMs);
  if (options.json === true) printJson({ name, pid: daemon.pid, tookMs });
  else standardOutput.write(`${name} (pid ${daemon.pid}) has stopped, after ${durationText(tookMs)}\n`);
}

async function findDaemon(name: string, options: StopOptions): Promise<RunningDaemonFile> {
  const stateDir = options.stateDir ?? (await stateDirOfOptions(options));
  const daemon = readPidFile(join(stateDir, name));
  if (daemon !== null) return daemon;
  const others = runningDaemons(stateDir).map((one) => one.name);
  throw new ArbiterError(
    "ERR_ARB_NOT_RUNNING",
    `No daemon called ${name} runs on this machine with the state folder ${stateDir}. ` +
      (others.length > 0
        ? `Running: ${others.join(", ")}.`
        : "--config PATH or --state-dir DIR names another one."),
  );
}

/** As the launcher chooses it: the configuration's, else `var`. */
async function stateDirOfOptions({ config }: StopOptions): Promise<string> {
  const { resolveConfigPath } = await import("../config/locate.ts");
  const { stateDirOf } = await import("./configuration.ts");
  const located = resolveConfigPath({ flag: config });
  return located.ok ? await stateDirOf(located.path) : "var";
}
