/** What the launcher's tests share: a launcher with a recording sink, and questions to the kernel. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { LaunchSpec } from "../../src/core/model.ts";
import type { WorkloadSink } from "../../src/daemon/workload.ts";
import { openLauncher, type Launcher, type LauncherOptions } from "../../src/launcher/launcher.ts";
import { readStat, runningMembers } from "../../src/launcher/process-group.ts";
import { nowMs } from "../../src/shell/clock.ts";

export function launchSpec(command: readonly string[], more: Partial<LaunchSpec> = {}): LaunchSpec {
  return {
    command,
    cwd: null,
    env: {},
    user: null,
    stopSignal: "SIGTERM",
    stopTimeoutMs: 5000,
    healthUrl: null,
    healthText: null,
    healthCommand: null,
    healthTcp: null,
    startTimeoutMs: 5000,
    restartAttempts: 0,
    restartDelayMs: 0,
    preStart: null,
    postStart: null,
    preStop: null,
    postStop: null,
    hookTimeoutMs: 5000,
    hookDryRun: false,
    watchdog: null,
    outputFile: null,
    outputMaxMib: 10,
    outputKeep: 5,
    logLevel: "info",
    ...more,
  };
}

export function launcherOptions(
  folder: string,
  command: readonly string[],
  more: Partial<LaunchSpec> = {},
): LauncherOptions {
  return {
    name: "d1",
    role: "master",
    spec: launchSpec(command, more),
    stateFolder: folder,
    healthUrl: "http://127.0.0.1:7799/health",
    checkIntervalMs: 50,
    timeoutMs: 100,
    onGuard: () => {},
    failureTimeoutMs: 60_000,
    maxCheckAttempts: 3,
    log: () => {},
  };
}

/** Everything that the launcher told its sink, in order. */
export class RecordingSink implements WorkloadSink {
  readonly said: string[] = [];
  readonly atMs: number[] = [];
  #record(text: string): void {
    this.said.push(text);
    this.atMs.push(performance.now());
  }
  exited(service: string, epoch: number, reason: string): void {
    this.#record(`exited ${service} ${epoch} ${reason}`);
  }
  restarting(service: string, epoch: number, reason: string): void {
    this.#record(`restarting ${service} ${epoch} ${reason}`);
  }
  restarted(service: string, epoch: number): void {
    this.#record(`restarted ${service} ${epoch}`);
  }
  health(healthy: boolean, _ready: boolean, reason: string): void {
    this.#record(`health ${String(healthy)} ${reason}`);
  }
  log(level: "info" | "warn" | "error", text: string): void {
    this.#record(`${level} ${text}`);
  }
  count(start: string): number {
    return this.said.filter((line) => line.startsWith(start)).length;
  }
}

export interface Workshop extends AsyncDisposable {
  readonly folder: string;
  readonly launcher: Launcher;
  readonly sink: RecordingSink;
  /** A lease of 60 s, or as given, and the activation. */
  activate(epoch?: number, leaseMs?: number): Promise<void>;
  path(name: string): string;
}

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "arbiter-launcher-"));
}

/** A launcher in this process. At the end it is closed, and its lock must be free again. */
export async function openWorkshop(
  command: (folder: string) => readonly string[],
  more: (folder: string) => Partial<LaunchSpec> = () => ({}),
): Promise<Workshop> {
  const folder = makeFolder();
  const options = launcherOptions(folder, command(folder), more(folder));
  const launcher = await openLauncher(options).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const sink = new RecordingSink();
  await launcher.prepare(sink);
  return {
    folder,
    launcher,
    sink,
    path: (name) => join(folder, name),
    async activate(epoch = 1, leaseMs = 60_000): Promise<void> {
      const leaseEndMs = nowMs() + leaseMs;
      launcher.leaseSet("s", epoch, leaseEndMs, leaseEndMs - 40);
      const arbiters = ["http://127.0.0.1:7770", "http://127.0.0.2:7770"];
      await launcher.activate({ service: "s", epoch, config: { answer: "42" }, leaseEndMs, arbiters });
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await launcher.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs a line of shell: tests write programs as they would stand in a terminal. */
export function shell(line: string): readonly string[] {
  return ["sh", "-c", line];
}

export async function until(what: string, holds: () => boolean, limitMs = 8000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await sleep(2);
  }
}

export function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

export function runs(pid: number): boolean {
  const stat = readStat(pid);
  return stat !== null && stat.state !== "Z" && stat.state !== "X";
}

export { runningMembers };

/** True if nobody holds the lock of this state folder. */
export function isLockFree(folder: string): boolean {
  try {
    execFileSync("flock", ["-n", join(folder, "launcher.lock"), "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** An object of JSON, as the tests' own programs write it. */
export function parseObject(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new Error(`no object: ${text}`);
  return Object.fromEntries(Object.entries(value));
}
