/**
 * The launcher: runs any command as a daemon. A `Workload`, driven by the daemon's runtime exactly as
 * the library's hooks are: all decisions about leases and epochs are made there.
 *
 * Two steps lead to a launcher that may answer an arbiter (I1): what a dead launcher of this state
 * folder left behind is killed, and the folder's lock is ours, so that nothing of it runs any more.
 * `openLauncher` does both and waits as long as it takes; only then the runtime is started.
 *
 * Without cgroup v2, a program that leaves its process group (a "daemon" that calls setsid) isn't
 * killed with it. It keeps the lock if it keeps its open files, and no new launcher starts then.
 */
import { closeSync, fchownSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { LaunchSpec, Role } from "../core/model.ts";
import type { ActivationContext, Workload, WorkloadSink } from "../daemon/workload.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { nowMs } from "../shell/clock.ts";
import { findAccount, findProgram, privilegesFor, settingsFolder, type Account } from "./account.ts";
import { CgroupMaker, findCgroupPlace, type CgroupPlace } from "./cgroup.ts";
import { DaemonHealth } from "./daemon-health.ts";
import { lockFileOf, lockFolder, type FolderLock } from "./folder-lock.ts";
import { killRecordedGroups, openGroupRecord } from "./group-record.ts";
import type { GoOrder } from "./guarded-group.ts";
import { probeOf } from "./health.ts";
import type { HookSurroundings } from "./hooks.ts";
import { flush, flushOutlets, openOutlet, type OutputPlace } from "./output.ts";
import { readStat } from "./process-group.ts";
import { ProgramRun, type RunOptions } from "./program-run.ts";
import { missingHere } from "./readiness.ts";
import { RotatingFile } from "./rotating-file.ts";
import { StandbyPool } from "./standby-pool.ts";
import { Watchdog, type WatchedLease } from "./watchdog.ts";

export interface LauncherOptions {
  readonly name: string;
  readonly role: Role;
  readonly spec: LaunchSpec;
  /** The daemon's own folder; it exists. */
  readonly stateFolder: string;
  /** What the program finds in ARBITER_HEALTH_URL: the daemon's own `/health`. */
  readonly healthUrl: string;
  readonly checkIntervalMs: number;
  readonly timeoutMs: number;
  readonly failureTimeoutMs: number;
  /** Each guard that is started, with its pid. */
  readonly onGuard: (pid: number) => void;
  readonly maxCheckAttempts: number;
  readonly log: (level: "info" | "warn", text: string) => void;
  /** Where control groups may be made; default: what the kernel says. */
  readonly cgroupPlace?: CgroupPlace;
}

/** What the tests look at, beside the workload. */
export interface Launcher extends Workload {
  readonly lockFile: string;
  /** Process group of the service's program; 0: none. */
  groupOf(service: string): number;
}

/** A file that is missing is missing for longer. */
const READINESS_EVERY_MS = 5000;

interface KnownLease extends WatchedLease {
  readonly fenceAtMs: number;
}

export async function openLauncher(options: LauncherOptions): Promise<Launcher> {
  const { spec, stateFolder, log } = options;
  assertUsable(spec);
  const account = findAccount(spec.user);
  const lockFile = lockFileOf(stateFolder);
  const killWhatIsLeft = async (): Promise<void> => {
    const killed = await killRecordedGroups(stateFolder, lockFile);
    if (killed.length === 0) return;
    log("warn", `killed what an earlier launcher left: process group ${killed.join(", ")}`);
  };
  const lock = await lockFolder(stateFolder, (text) => log("warn", text), killWhatIsLeft);
  // Again: a program may have closed what it inherited, and with it its part of the lock.
  await killWhatIsLeft();
  return new CommandLauncher(options, account, lock);
}

class CommandLauncher implements Launcher {
  readonly launched = true;
  readonly #options: LauncherOptions;
  readonly #account: Account | null;
  readonly #lock: FolderLock;
  readonly #pool: StandbyPool;
  readonly #setpriv: string | null = findProgram("setpriv");
  readonly #env: NodeJS.ProcessEnv;
  readonly #settingsFolder: string;
  readonly #runs = new Map<string, ProgramRun>();
  /** What was last said of the leases of services that run or are about to. */
  readonly #leases = new Map<string, KnownLease>();
  readonly #watchdog: Watchdog | null;
  readonly #output: OutputPlace;
  #sink: WorkloadSink | null = null;
  #health: DaemonHealth | null = null;
  readonly #ending = new AbortController();
  #closing: Promise<void> | null = null;

  constructor(options: LauncherOptions, account: Account | null, lock: FolderLock) {
    this.#options = options;
    this.#account = account;
    this.#lock = lock;
    this.#env = environmentOf(options);
    this.#settingsFolder = settingsFolder(options.stateFolder, account);
    const { watchdog } = options.spec;
    this.#watchdog =
      watchdog === null
        ? null
        : new Watchdog({
            file: watchdog,
            leases: () => [...this.#runs.keys()].flatMap((service) => this.#leases.get(service) ?? []),
            log: options.log,
          });
    this.#output = outputPlaceOf(options);
    this.#pool = new StandbyPool({
      surroundings: {
        bash: bashFile(),
        label: options.name,
        lockDescriptor: lock.descriptor,
        record: openGroupRecord(options.stateFolder),
        onGuard: options.onGuard,
        watchdog: options.spec.watchdog,
        log: options.log,
      },
      cgroups: new CgroupMaker(options.cgroupPlace ?? findCgroupPlace(), launcherKey(), options.log),
      program: {
        words: options.spec.command,
        env: account === null ? this.#env : { ...this.#env, ...identityOf(account) },
        privileges: privilegesFor(account, this.#setpriv),
      },
      folder: options.stateFolder,
      output: this.#output,
      owner: account,
    });
  }

  get lockFile(): string {
    return this.#lock.file;
  }

  groupOf(service: string): number {
    return this.#runs.get(service)?.pgid ?? 0;
  }

  async prepare(sink: WorkloadSink): Promise<void> {
    this.#health = new DaemonHealth(({ healthy, ready, reason }) => sink.health(healthy, ready, reason));
    this.#sink = sink;
    await this.#pool.fill();
    void this.#watchReadiness();
  }

  /** While nothing runs here: could something? A service that runs says so itself. */
  async #watchReadiness(): Promise<void> {
    const { signal } = this.#ending;
    const options = {
      spec: this.#options.spec,
      env: this.#env,
      wrap: privilegesFor(null, this.#setpriv).words,
    };
    try {
      for (;;) {
        if (this.#runs.size === 0) {
          const missing = await missingHere(options, signal);
          if (this.#runs.size === 0) this.#health?.setMissing(missing);
        }
        await sleep(READINESS_EVERY_MS, undefined, { signal });
      }
    } catch (error) {
      if (!signal.aborted) this.#options.log("warn", `readiness isn't watched any more: ${messageOf(error)}`);
    }
  }

  /** A run's own sink: what it says of its health is one part of the daemon's. */
  #sinkFor(service: string, sink: WorkloadSink): WorkloadSink {
    return {
      exited: (...told) => sink.exited(...told),
      restarting: (...told) => sink.restarting(...told),
      restarted: (...told) => sink.restarted(...told),
      log: (level, text) => sink.log(level, text),
      health: (healthy, ready, reason) => this.#health?.set(service, { healthy, ready, reason }),
    };
  }

  leaseSet(service: string, _epoch: number, leaseEndMs: number, fenceAtMs: number): void {
    // The longest that was ever left is what was granted.
    const leaseMs = Math.max(this.#leases.get(service)?.leaseMs ?? 0, leaseEndMs - nowMs());
    this.#leases.set(service, { leaseMs, leaseEndMs, fenceAtMs });
    this.#runs.get(service)?.killAt(fenceAtMs);
  }

  async activate(context: ActivationContext): Promise<void> {
    const { service, epoch } = context;
    const sink = this.#sink;
    if (sink === null) throw new Error("activate before prepare");
    // One that is over may still be tidying up: it was told as an exit before that.
    if (this.#runs.get(service)?.isOver === false)
      throw new ArbiterError("ERR_ARB_PROGRAM", `${service} runs already`);
    const configFile = this.#writeConfig(service, context.config);
    const cwd = this.#options.spec.cwd ?? (this.#account === null ? process.cwd() : "/");
    const arbiterUrl = this.#options.spec.env["ARBITER_URL"] ?? context.arbiters.join(",");
    const order = { service, epoch, configFile, arbiterUrl, cwd };
    this.#watchdog?.arm(context.leaseEndMs - nowMs());
    const run = new ProgramRun(order, this.#leases.get(service)?.fenceAtMs ?? context.leaseEndMs, {
      ...this.#runOptions(order),
      sink: this.#sinkFor(service, sink),
      onOver: () => {
        if (this.#runs.get(service) !== run) return;
        this.#health?.forget(service);
        this.#runs.delete(service);
        this.#leases.delete(service);
        if (this.#runs.size === 0) this.#watchdog?.disarm();
        rmSync(configFile, { force: true });
      },
    });
    this.#runs.set(service, run);
    this.#health?.setMissing("");
    await run.start();
  }

  async demote(service: string, epoch: number, _reason: string, deadlineMs: number): Promise<void> {
    const run = this.#runOf(service, epoch);
    if (run !== null) await run.stop(deadlineMs);
  }

  fence(service: string, epoch: number, reason: string): void {
    const run = this.#runOf(service, epoch);
    if (run === null) return;
    this.#sink?.log("warn", `${service}: the program gets SIGKILL: ${reason}`);
    run.fence();
  }

  /** Kills what runs, ends the guards, lets go of the lock. Asking twice changes nothing. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    for (const run of this.#runs.values()) run.fence();
    await this.#pool.close();
    this.#watchdog?.disarm();
    await Promise.all([flushOutlets(), flush(this.#output.stdout)]);
    rmSync(join(this.#options.stateFolder, "groups.json"), { force: true });
    if (this.#account !== null) rmSync(this.#settingsFolder, { recursive: true, force: true });
    this.#lock.release();
  }

  #runOf(service: string, epoch: number): ProgramRun | null {
    const run = this.#runs.get(service);
    return run === undefined || run.order.epoch !== epoch ? null : run;
  }

  #runOptions(order: GoOrder): Omit<RunOptions, "sink" | "onOver"> {
    const { spec, checkIntervalMs, timeoutMs, failureTimeoutMs, maxCheckAttempts } = this.#options;
    const privileges = privilegesFor(null, this.#setpriv);
    const hooks: HookSurroundings = {
      pool: this.#pool,
      env: this.#env,
      privileges,
      timeoutMs: spec.hookTimeoutMs,
    };
    const probe = probeOf({
      spec: { ...spec, cwd: order.cwd },
      checkIntervalMs,
      timeoutMs,
      env: {
        ...this.#env,
        ARBITER_SERVICE: order.service,
        ARBITER_EPOCH: String(order.epoch),
        ARBITER_CONFIG: order.configFile,
        ...(order.arbiterUrl !== "" && { ARBITER_URL: order.arbiterUrl }),
      },
      wrap: privileges.words,
    });
    return { spec, hooks, probe, failureTimeoutMs, maxCheckAttempts };
  }

  /** Readable for the program's user alone: settings may hold secrets. */
  #writeConfig(service: string, config: Readonly<Record<string, string>>): string {
    const file = join(this.#settingsFolder, `config-${encodeURIComponent(service)}.json`);
    rmSync(file, { force: true });
    // Made anew or not at all, and given away by its descriptor: never through a link.
    const descriptor = openSync(file, "wx", 0o600);
    try {
      writeFileSync(descriptor, `${JSON.stringify(config, null, 2)}\n`);
      if (this.#account !== null) fchownSync(descriptor, this.#account.uid, this.#account.gid);
    } finally {
      closeSync(descriptor);
    }
    return file;
  }
}

function environmentOf({ name, role, healthUrl, spec }: LauncherOptions): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...spec.env,
    ARBITER_NAME: name,
    ARBITER_ROLE: role,
    ARBITER_HEALTH_URL: healthUrl,
  };
}

/** A file of its own holds nothing else: no name has to stand before its lines. */
function outputPlaceOf({ name, spec, log }: LauncherOptions): OutputPlace {
  if (spec.outputFile === null) {
    return { prefix: `${name} | `, stdout: openOutlet(1), stderr: openOutlet(2) };
  }
  const file = new RotatingFile({
    file: spec.outputFile,
    rotateAtBytes: spec.outputMaxMib * 1_048_576,
    kept: spec.outputKeep,
    onProblem: (text) => log("warn", text),
  });
  file.setMaxListeners(0);
  return { prefix: "", stdout: file, stderr: file };
}

/** Never used twice: a number comes back one day, with another start time. */
function launcherKey(): string {
  return `${process.pid}-${readStat(process.pid)?.startTicks ?? "0"}`;
}

function identityOf(account: Account): NodeJS.ProcessEnv {
  return { USER: account.name, LOGNAME: account.name, HOME: account.home };
}

function bashFile(): string {
  const file = findProgram("bash");
  if (file !== null) return file;
  throw new ArbiterError(
    "ERR_ARB_LAUNCHER",
    "The program `bash` isn't in PATH. The guard that ends a program at its lease's end needs it " +
      "(a POSIX shell alone can't read with a time-out). Install the package bash.",
  );
}

function assertUsable(spec: LaunchSpec): void {
  if (process.platform !== "linux") {
    throw new ArbiterError("ERR_ARB_LAUNCHER", "`arbiter daemon` with a command needs Linux (/proc, flock).");
  }
  if (spec.command.length === 0) {
    throw new ArbiterError(
      "ERR_ARB_LAUNCHER",
      "There is no command to run: give one as `command`, or behind `--`.",
    );
  }
  bashFile();
}
