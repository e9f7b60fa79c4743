/**
 * A process group of our own that never runs without a guard: shim, guard, record, lock and output
 * pipes put together, in the only order that leaves no gap.
 *
 *   stand   the shim is started, its group recorded, the guard watches over it   (while waiting)
 *   killAt  the lease's end is in the guard's hands                              (on activation)
 *   go      the shim becomes the program
 *   ended   the first process has exited; what is left of the group gets SIGKILL
 *
 * Where the machine has cgroup v2, the program also gets a control group: what leaves the process group is
 * signalled, killed and waited for with it.
 *
 * After `ended` and an empty group it can stand again: guard and pipes stay, the shim is new.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { watchBackground } from "./background.ts";
import type { Cgroup } from "./cgroup.ts";
import { GuardAnswers } from "./guard-answers.ts";
import { Guard } from "./guard.ts";
import type { GroupRecord } from "./group-record.ts";
import { lastWordsOf } from "./last-words.ts";
import type { OutputPipe } from "./output.ts";
import type { Pipe } from "./pipes.ts";
import {
  isGroupGone,
  killGroup,
  readStat,
  signalGroup,
  signalProcess,
  waitUntilEmpty,
} from "./process-group.ts";
import type { Privileges } from "./account.ts";
import { SHIM_FAILURES, SHIM_SCRIPT } from "./shim-script.ts";

/** What all groups of a launcher share. */
export interface GroupSurroundings {
  readonly bash: string;
  /** The daemon's name. */
  readonly label: string;
  readonly lockDescriptor: number;
  readonly record: GroupRecord;
  readonly onGuard: (pid: number) => void;
  /** See guard.ts. */
  readonly watchdog: string | null;
  readonly log: (level: "info" | "warn", text: string) => void;
}

export interface GroupCommand {
  readonly words: readonly string[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly privileges: Privileges;
}

export interface GoOrder {
  readonly service: string;
  readonly epoch: number;
  readonly configFile: string;
  /** Of all arbiters, with commas; empty: none is known. */
  readonly arbiterUrl: string;
  readonly cwd: string;
}

export interface GroupPipes {
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
  /** The guard's. */
  readonly answers: Pipe;
}

/** How the first process of the group ended. */
export interface GroupEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The script comes in the environment, so that `ps` shows the program's own words. */
const RUN_SCRIPT = 'eval "$ARBITER_SHIM"';

export class GuardedGroup {
  readonly #surroundings: GroupSurroundings;
  readonly #command: GroupCommand;
  readonly #pipes: GroupPipes;
  readonly #guard: Guard;
  readonly #makeCgroup: () => Cgroup | null;
  /** A new one each time: what a slow guard still does to an old one must not meet the next program. */
  #cgroup: Cgroup | null = null;
  #shim: ChildProcess | null = null;
  #pgid = 0;
  #end: GroupEnd | null = null;
  #firstExit: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #lostReason: string | null = null;
  #closing: Promise<void> | null = null;
  /** Called when the first process has exited; the group may hold more. */
  onEnded: (end: GroupEnd) => void = () => {};

  constructor(
    surroundings: GroupSurroundings,
    command: GroupCommand,
    pipes: GroupPipes,
    makeCgroup: () => Cgroup | null,
  ) {
    this.#surroundings = surroundings;
    this.#command = command;
    this.#pipes = pipes;
    this.#makeCgroup = makeCgroup;
    this.#guard = new Guard({
      bash: surroundings.bash,
      label: surroundings.label,
      answers: new GuardAnswers(pipes.answers),
      lockDescriptor: surroundings.lockDescriptor,
      watchdog: surroundings.watchdog,
      log: surroundings.log,
      onStarted: surroundings.onGuard,
      onLost: (reason) => {
        // Unguarded it must not go on.
        this.#lostReason = reason;
        surroundings.log("warn", `${reason}: what it watched over is killed`);
        this.kill();
      },
    });
  }

  /** The group's number; 0: nothing stands. */
  get pgid(): number {
    return this.#pgid;
  }
  get guardPid(): number | undefined {
    return this.#guard.pid;
  }
  /** Why it was killed by ourselves, if it was. */
  get lostReason(): string | null {
    return this.#lostReason;
  }
  /** Whether a shim waits here for the word to go. */
  get isStanding(): boolean {
    return this.#pgid !== 0 && this.#end === null;
  }

  /** Starts the shim; resolves when it is recorded and guarded. */
  async stand(): Promise<void> {
    const { words, env, privileges } = this.#command;
    const line = [...privileges.words, "/bin/sh", "-c", RUN_SCRIPT, "arbiter-shim", ...words];
    const { stdout, stderr } = this.#pipes;
    const shim = spawn(line[0] ?? "/bin/sh", line.slice(1), {
      detached: true,
      cwd: "/",
      env: { ...env, ARBITER_SHIM: SHIM_SCRIPT },
      ...privileges.spawn,
      stdio: [
        "ignore",
        stdout.writeDescriptor,
        stderr.writeDescriptor,
        "pipe",
        this.#surroundings.lockDescriptor,
      ],
    });
    this.#shim = shim;
    this.#end = null;
    this.#firstExit = Promise.withResolvers<void>();
    const failed = Promise.withResolvers<never>();
    shim.once("error", (error) => {
      failed.reject(
        new ArbiterError("ERR_ARB_LAUNCHER", `No process can be started: ${error.message}.`, {
          cause: error,
        }),
      );
    });
    shim.once("exit", (code, signal) => this.#ended(code, signal));
    if (shim.pid === undefined) return await failed.promise;
    this.#pgid = shim.pid;
    const stat = readStat(shim.pid);
    if (stat === null)
      throw new ArbiterError("ERR_ARB_LAUNCHER", "The process that stands by ended at once.");
    this.#enterCgroup(shim.pid);
    const group = { pgid: shim.pid, startTicks: stat.startTicks, cgroup: this.#cgroup?.folder ?? null };
    this.#surroundings.record.add(group);
    await this.#guard.watch(group);
  }

  /** It reads a pipe, and has started nothing yet. */
  #enterCgroup(pid: number): void {
    this.#cgroup = this.#makeCgroup();
    try {
      this.#cgroup?.add(pid);
    } catch (error) {
      this.#surroundings.log("warn", `the program gets no control group: ${messageOf(error)}`);
      this.#cgroup?.remove();
      this.#cgroup = null;
    }
  }

  killAt(atMs: number): void {
    this.#guard.killAt(atMs);
  }

  /** Resolves when the program runs in the shim's place; rejects if it can't be run. */
  async go(order: GoOrder): Promise<void> {
    const channel = this.#shim?.stdio[3];
    if (!this.isStanding || !(channel instanceof Socket)) {
      throw new ArbiterError("ERR_ARB_PROGRAM", this.#lostReason ?? "it was killed before it could start");
    }
    let said = "";
    const settled = Promise.withResolvers<void>();
    channel.on("data", (chunk: Buffer) => {
      said += chunk.toString("latin1");
    });
    channel.on("error", () => {});
    channel.once("close", () => settled.resolve());
    this.#pipes.stdout.forget();
    this.#pipes.stderr.forget();
    const { service, epoch, configFile, arbiterUrl, cwd } = order;
    channel.write(`${[service, epoch, configFile, arbiterUrl, cwd].join("\n")}\n`);
    await settled.promise;
    const code = /^failed (\d+)/.exec(said)?.[1];
    if (code === undefined) return;
    const word = this.#command.words[0] ?? "";
    throw new ArbiterError(
      "ERR_ARB_PROGRAM",
      `\`${word}\` can't be run: ${SHIM_FAILURES[code] ?? `the shell said ${code}`} (cwd ${cwd})`,
    );
  }

  /** To the whole process group, and to what has left it. */
  signal(signal: string): void {
    if (this.#pgid === 0) return;
    signalGroup(this.#pgid, signal);
    for (const pid of this.#cgroup?.members() ?? []) {
      if (readStat(pid)?.pgid !== this.#pgid) signalProcess(pid, signal);
    }
  }

  /** SIGKILL to all of it, now. */
  kill(): void {
    if (this.#pgid === 0) return;
    signalGroup(this.#pgid, "SIGKILL");
    this.#cgroup?.kill();
  }

  /** The last lines that the program wrote, read out of its pipes up to this instant; empty: none. */
  lastWords(): string {
    return lastWordsOf(this.#pipes.stdout, this.#pipes.stderr);
  }

  /** True if nothing is left, not even what the kernel still has to tidy up. */
  get isGone(): boolean {
    if (this.#pgid === 0) return true;
    return this.#end !== null && isGroupGone(this.#pgid) && (this.#cgroup?.isEmpty ?? true);
  }

  /** What of it runs, wherever it went; known only with a control group. */
  members(): readonly number[] {
    return this.#cgroup?.members() ?? [];
  }

  /** Follows a program in the background; see background.ts. */
  watchBackground(onEnded: (what: string) => void): () => void {
    return this.#cgroup === null ? (): void => {} : watchBackground(this.#cgroup, onEnded);
  }

  /** Waits until nothing of the group runs; false if that lasts longer. */
  async waitUntilEmpty(limitMs: number): Promise<boolean> {
    const untilMs = performance.now() + limitMs;
    const remainingMs = (): number => untilMs - performance.now();
    // The usual case: one process, whose exit is an event and needs no asking again and again.
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, limitMs);
    await Promise.race([this.#firstExit.promise, timer.promise]);
    clearTimeout(timeout);
    if (!(await waitUntilEmpty(this.#pgid, remainingMs))) return false;
    return this.#cgroup === null || (await this.#cgroup.waitUntilEmpty(remainingMs));
  }

  /** Kills what is left and waits until nothing of it runs. */
  async clear(): Promise<void> {
    if (this.#pgid !== 0) {
      this.#cgroup?.kill();
      await killGroup(this.#pgid);
      await this.#cgroup?.killAll();
    }
    this.retire();
  }

  /** To be called once the group is known to be empty. */
  retire(): void {
    if (this.#pgid === 0) return;
    this.#surroundings.record.remove(this.#pgid);
    this.#pgid = 0;
    this.#guard.rest();
    this.#cgroup?.remove();
    this.#cgroup = null;
  }

  /** Kills what there is; ends guard and pipes. Asking twice changes nothing. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    await this.clear();
    await this.#guard.close();
    await Promise.all([this.#pipes.stdout.close(), this.#pipes.stderr.close()]);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.#end = { code, signal };
    this.#firstExit.resolve();
    this.onEnded(this.#end);
  }
}
