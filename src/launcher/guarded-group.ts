/**
 * A process group of our own that never runs without a guard: shim, guard, record, lock and output
 * pipes put together, in the only order that leaves no gap.
 *
 *   stand   the shim is started, its group recorded, the guard watches over it   (while waiting)
 *   killAt  the lease's end is in the guard's hands                              (on activation)
 *   go      the shim becomes the program
 *   ended   the first process has exited; what is left of the group gets SIGKILL
 *
 * After `ended` and an empty group it can stand again: guard and pipes stay, the shim is new.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { ArbiterError } from "../protocol/errors.ts";
import { Guard } from "./guard.ts";
import type { GroupRecord } from "./group-record.ts";
import type { OutputPipe } from "./output.ts";
import { isGroupGone, killGroup, readStat, signalGroup, waitUntilEmpty } from "./process-group.ts";
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
  readonly cwd: string;
}

export interface GroupPipes {
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
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
  #shim: ChildProcess | null = null;
  #pgid = 0;
  #end: GroupEnd | null = null;
  #firstExit: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #lostReason: string | null = null;
  #closing: Promise<void> | null = null;
  /** Called when the first process has exited; the group may hold more. */
  onEnded: (end: GroupEnd) => void = () => {};

  constructor(surroundings: GroupSurroundings, command: GroupCommand, pipes: GroupPipes) {
    this.#surroundings = surroundings;
    this.#command = command;
    this.#pipes = pipes;
    this.#guard = new Guard({
      bash: surroundings.bash,
      label: surroundings.label,
      lockDescriptor: surroundings.lockDescriptor,
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
    const group = { pgid: shim.pid, startTicks: stat.startTicks };
    this.#surroundings.record.add(group);
    await this.#guard.watch(group);
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
    channel.write(`${order.service}\n${order.epoch}\n${order.configFile}\n${order.cwd}\n`);
    await settled.promise;
    const code = /^failed (\d+)/.exec(said)?.[1];
    if (code === undefined) return;
    const word = this.#command.words[0] ?? "";
    throw new ArbiterError(
      "ERR_ARB_PROGRAM",
      `\`${word}\` can't be run: ${SHIM_FAILURES[code] ?? `the shell said ${code}`} (cwd ${order.cwd})`,
    );
  }

  signal(signal: string): void {
    if (this.#pgid !== 0) signalGroup(this.#pgid, signal);
  }

  /** SIGKILL to the whole group, now. */
  kill(): void {
    this.signal("SIGKILL");
  }

  /** True if nothing is left, not even what the kernel still has to tidy up. */
  get isGone(): boolean {
    return this.#pgid === 0 || (this.#end !== null && isGroupGone(this.#pgid));
  }

  /** Waits until nothing of the group runs; false if that lasts longer. */
  async waitUntilEmpty(limitMs: number): Promise<boolean> {
    const untilMs = performance.now() + limitMs;
    // The usual case: one process, whose exit is an event and needs no asking again and again.
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, limitMs);
    await Promise.race([this.#firstExit.promise, timer.promise]);
    clearTimeout(timeout);
    return await waitUntilEmpty(this.#pgid, () => untilMs - performance.now());
  }

  /** Kills what is left and waits until nothing of it runs. */
  async clear(): Promise<void> {
    if (this.#pgid !== 0) await killGroup(this.#pgid);
    this.retire();
  }

  /** To be called once the group is known to be empty. */
  retire(): void {
    if (this.#pgid === 0) return;
    this.#surroundings.record.remove(this.#pgid);
    this.#pgid = 0;
    this.#guard.rest();
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
