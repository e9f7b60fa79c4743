/** The keys of a launched program, and the environment that it gets. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { DaemonSpec, LaunchSpec } from "../core/model.ts";
import type { KeyReader } from "./reader.ts";

/** One of these written makes a launched daemon of it; `user` and `log_level` are other tools' keys too. */
const MEANS_LAUNCH = [
  "command",
  "cwd",
  "stop_signal",
  "stop_timeout",
  "health_url",
  "health_text",
  "health_command",
  "health_tcp",
  "start_timeout",
  "restart_attempts",
  "restart_delay",
  "pre_start",
  "post_start",
  "pre_stop",
  "post_stop",
  "hook_timeout",
  "watchdog",
  "output_file",
];

export function buildLaunch(reader: KeyReader): { readonly spec: LaunchSpec; readonly isWritten: boolean } {
  const env = new Map<string, string>();
  for (const layer of reader.layers) {
    for (const [name, entry] of layer.env) if (!env.has(name)) env.set(name, entry.value);
  }
  const spec: LaunchSpec = {
    command: reader.read("command", "command") ?? [],
    cwd: reader.read("cwd", "path"),
    env: Object.fromEntries([...env].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    user: reader.read("user", "text"),
    stopSignal: reader.need("stop_signal", "signal"),
    stopTimeoutMs: reader.read("stop_timeout", "duration") ?? reader.need("drain_timeout", "duration"),
    healthUrl: reader.read("health_url", "url"),
    healthText: reader.read("health_text", "text"),
    healthCommand: reader.read("health_command", "command"),
    healthTcp: reader.read("health_tcp", "hostPort"),
    startTimeoutMs: reader.need("start_timeout", "duration"),
    restartAttempts: reader.need("restart_attempts", "integer"),
    restartDelayMs: reader.need("restart_delay", "duration"),
    preStart: reader.read("pre_start", "command"),
    postStart: reader.read("post_start", "command"),
    preStop: reader.read("pre_stop", "command"),
    postStop: reader.read("post_stop", "command"),
    hookTimeoutMs: reader.need("hook_timeout", "duration"),
    hookDryRun: reader.need("hook_dry_run", "boolean"),
    watchdog: reader.read("watchdog", "path"),
    outputFile: reader.read("output_file", "path"),
    outputMaxMib: reader.need("output_max", "integer"),
    outputKeep: reader.need("output_keep", "integer"),
    logLevel: reader.need("log_level", "text"),
  };
  return { spec, isWritten: env.size > 0 || MEANS_LAUNCH.some((key) => reader.find(key) !== null) };
}

/** For a program that only the command line names: what holds where its file says nothing. */
export function defaultLaunch(daemon: Pick<DaemonSpec, "drainTimeoutMs">): LaunchSpec {
  return {
    command: [],
    cwd: null,
    env: {},
    user: null,
    stopSignal: "SIGTERM",
    stopTimeoutMs: daemon.drainTimeoutMs,
    healthUrl: null,
    healthText: null,
    healthCommand: null,
    healthTcp: null,
    startTimeoutMs: 30_000,
    restartAttempts: 0,
    restartDelayMs: 0,
    preStart: null,
    postStart: null,
    preStop: null,
    postStop: null,
    hookTimeoutMs: 10_000,
    hookDryRun: false,
    watchdog: null,
    outputFile: null,
    outputMaxMib: 10,
    outputKeep: 5,
    logLevel: "info",
  };
}

/**
 * The program's variables: `env_NAME` as it stands, `env_NAME_file` by reading the file. Called when
 * the program is started, on its own machine: the file need not be anywhere else.
 */
export async function environmentOf(launch: LaunchSpec, directory: string): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(launch.env)) {
    if (!name.endsWith("_file")) variables[name] = value;
    else
      variables[name.slice(0, -"_file".length)] = (await readFile(resolve(directory, value), "utf8")).trim();
  }
  return variables;
}
