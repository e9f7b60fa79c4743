/**
 * The launcher's end of a guard (see guard-script.ts): starts it, tells it what to watch over, and
 * replaces it when it dies.
 *
 * A new guard first gets the line that states everything; a renewal is the lease's new end alone, and only
 * now and then a line that wakes it: the others lie in a file, which it reads before it kills (end-file.ts).
 * A guard counts as watching once it has said so. One that can't be replaced is reported as lost: the program
 * must then be stopped, since nobody would stop it otherwise.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { ArbiterError } from "../protocol/errors.ts";
import { nowMs } from "../shell/clock.ts";
import { EndFile } from "./end-file.ts";
import type { GuardAnswers } from "./guard-answers.ts";
import { GUARD_NAME, GUARD_SCRIPT } from "./guard-script.ts";
import { uptimeCentisecondsAt } from "./uptime.ts";

export interface WatchedGroup {
  readonly pgid: number;
  readonly startTicks: string;
  /** Of the program's control group, which is killed with it; null: none. */
  readonly cgroup: string | null;
}

export interface GuardOptions {
  readonly bash: string;
  /** For people who look at `ps`. */
  readonly label: string;
  /** Where it answers. */
  readonly answers: GuardAnswers;
  /** Inherited, and with it the lock. */
  readonly lockDescriptor: number;
  /** Each one that is started, with its pid. */
  readonly onStarted: (pid: number) => void;
  /** Let go of when the launcher has ended and nothing runs any more; null: none. */
  readonly watchdog: string | null;
  /** No guard can be started any more. */
  readonly onLost: (reason: string) => void;
  readonly log: (level: "info" | "warn", text: string) => void;
}

/** The script comes in the environment, so that `ps` shows one short line. */
const RUN_SCRIPT = 'eval "$ARBITER_GUARD"';
/** A guard that starts and dies at once would otherwise be started for ever. */
const REPLACEMENTS_IN_A_ROW = 5;
/** One that has lived for so long was a good one. */
const GOOD_LIFE_MS = 1000;
/** It is asked to end when nothing is left that it could have to kill. */
const CLOSE_PATIENCE_MS = 1000;
/** Far more than a busy machine needs for the start of a shell. */
const ANSWER_PATIENCE_MS = 3000;
/**
 * It answers each line within a millisecond. One that was asked so long ago and has said nothing since is
 * stopped: that is seen at the next renewal (every third of a second with the default lease). Longer than a
 * busy machine keeps a shell waiting, and far shorter than an ordinary lease: its successor
 * knows the lease's end before that has come.
 */
const SILENCE_LIMIT_MS = 300;
/** One that was just started has a shell to load first, on a machine that may be busy with just that. */
const START_LIMIT_MS = 1000;
/** And where no renewal follows. */
const LOOK_AFTER_MS = 2500;
/**
 * A renewal is a line if the last one was so long ago: a guard that is stopped has to be noticed. With a
 * short lease it is a line more often, twice in what is left of it.
 */
const LINE_EVERY_MS = 1000;
/** A machine that stood still gives the processor to the guard before it is judged. */
const GRACE_MS = 20;
/** A shell starts within some five; only then somebody waits for its word. */
const LISTEN_EVERY_MS = 1;

export class Guard {
  readonly #options: GuardOptions;
  #process: ChildProcess | null = null;
  #group: WatchedGroup | null = null;
  /** The newest; `null`: no lease yet. */
  #endCs: number | null = null;
  #watching: PromiseWithResolvers<void> | null = null;
  readonly #answers: GuardAnswers;
  #startedAt = 0;
  #endFile: EndFile | null = null;
  /** That this process was sent, and when the last one was. */
  #lines = 0;
  #lineAtMs = 0;
  #failuresInARow = 0;
  #isClosing = false;
  #lostReason: string | null = null;
  /** Never taken back: a timer that was set wakes the loop even if it is cleared. */
  #lookTimer: NodeJS.Timeout | null = null;
  #graceTimer: NodeJS.Timeout | null = null;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#answers = options.answers;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves when the guard has said that it watches over the group. No lease goes with it yet. */
  async watch(group: WatchedGroup): Promise<void> {
    if (this.#lostReason !== null) throw new ArbiterError("ERR_ARB_LAUNCHER", this.#lostReason);
    this.#group = group;
    this.#endCs = null;
    const watching = Promise.withResolvers<void>();
    this.#watching = watching;
    this.#state();
    const listening = setInterval(() => {
      if (this.#answers.isWatching(group.pgid)) watching.resolve();
      if (this.#isClosing) watching.reject(new ArbiterError("ERR_ARB_LAUNCHER", "The launcher is ending."));
    }, LISTEN_EVERY_MS);
    // One that is stopped says nothing: another is asked the same.
    const timer = setInterval(() => this.#process?.kill("SIGKILL"), ANSWER_PATIENCE_MS);
    try {
      await watching.promise;
    } finally {
      clearInterval(listening);
      clearInterval(timer);
    }
  }

  /** What runs is killed at that instant of `nowMs()`, whatever becomes of this process. */
  killAt(atMs: number): void {
    const endCs = uptimeCentisecondsAt(atMs);
    // A file that says less than a line would never be believed.
    const isLater = this.#endCs !== null && endCs >= this.#endCs;
    this.#endCs = endCs;
    if (isLater && !this.#isLineDue(atMs) && this.#endFile?.write(this.#lines, endCs) === true) {
      if (this.#isSilent()) this.#suspect();
      return;
    }
    this.#write(`=${endCs}`);
  }

  #isLineDue(endMs: number): boolean {
    const everyMs = Math.min(LINE_EVERY_MS, (endMs - nowMs()) / 2);
    return performance.now() - this.#lineAtMs >= everyMs;
  }

  /** Nothing of the group is left. */
  rest(): void {
    this.#group = null;
    this.#endCs = null;
    this.#state();
  }

  /** Closes its pipe: it kills what there is to kill, and ends. Resolves when it has. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const guard = this.#process;
    if (guard !== null) await this.#end(guard);
    for (const timer of [this.#lookTimer, this.#graceTimer]) if (timer !== null) clearTimeout(timer);
    this.#answers.close();
  }

  async #end(guard: ChildProcess): Promise<void> {
    const ended = Promise.withResolvers<void>();
    guard.once("exit", () => ended.resolve());
    guard.stdin?.end();
    // One that is stopped reads nothing any more.
    const timer = setTimeout(() => guard.kill("SIGKILL"), CLOSE_PATIENCE_MS);
    await ended.promise;
    clearTimeout(timer);
  }

  /** All of it: what a new guard has to know. */
  #state(): void {
    const { pgid, startTicks, cgroup } = this.#group ?? { pgid: 0, startTicks: "0", cgroup: null };
    this.#write(`${pgid} ${startTicks} ${this.#endCs ?? "-"} ${cgroup ?? ""}`);
  }

  #write(line: string): void {
    if (this.#isClosing) return;
    if (this.#isSilent()) this.#suspect();
    this.#process?.stdin?.write(`${line}\n`);
    this.#lines += 1;
    this.#lineAtMs = performance.now();
    this.#answers.asked(this.#lineAtMs);
    this.#lookTimer ??= setTimeout(() => this.#look(), LOOK_AFTER_MS).unref();
  }

  /** What lies unread is read before it is judged. */
  #isSilent(): boolean {
    const askedAtMs = this.#answers.read();
    const limitMs = this.#answers.hasSpoken ? SILENCE_LIMIT_MS : START_LIMIT_MS;
    return askedAtMs !== null && performance.now() - askedAtMs >= limitMs;
  }

  #look(): void {
    this.#lookTimer = null;
    if (this.#isSilent()) this.#suspect();
    if (this.#answers.read() !== null) {
      this.#lookTimer = setTimeout(() => this.#look(), LOOK_AFTER_MS).unref();
    }
  }

  #suspect(): void {
    this.#graceTimer ??= setTimeout(() => {
      this.#graceTimer = null;
      // SIGKILL reaches a stopped process too; another takes its place.
      if (!this.#isClosing && this.#isSilent()) this.#process?.kill("SIGKILL");
    }, GRACE_MS).unref();
  }

  #start(): void {
    const { label } = this.#options;
    this.#endFile = new EndFile();
    this.#lines = 0;
    const guard = spawn(this.#options.bash, ["--norc", "--noprofile", "-c", RUN_SCRIPT, GUARD_NAME, label], {
      // A session of its own: what the terminal sends to the launcher's group doesn't reach it.
      detached: true,
      cwd: "/",
      env: {
        LC_ALL: "C",
        PATH: process.env["PATH"],
        ARBITER_GUARD: GUARD_SCRIPT,
        ARBITER_WATCHDOG: this.#options.watchdog ?? "",
      },
      stdio: [
        "pipe",
        this.#answers.writeDescriptor,
        "ignore",
        this.#options.lockDescriptor,
        this.#endFile.descriptor ?? "ignore",
      ],
    });
    this.#process = guard;
    this.#startedAt = performance.now();
    if (guard.pid !== undefined) this.#options.onStarted(guard.pid);
    // Its end is told by `exit`; a write into a closed pipe says nothing more.
    guard.stdin?.on("error", () => {});
    guard.once("error", (error) => this.#ended(guard, error.message));
    guard.once("exit", (code, signal) => this.#ended(guard, `it ended with ${signal ?? String(code)}`));
  }

  #ended(guard: ChildProcess, why: string): void {
    // `error` and `exit` may both come; only the first one counts.
    if (this.#process !== guard) return;
    this.#process = null;
    this.#endFile?.close();
    if (this.#isClosing) return;
    const lifeMs = performance.now() - this.#startedAt;
    this.#failuresInARow = lifeMs < GOOD_LIFE_MS ? this.#failuresInARow + 1 : 1;
    if (this.#failuresInARow > REPLACEMENTS_IN_A_ROW) {
      const reason = `the guard can't be kept running: ${why}`;
      this.#lostReason = reason;
      this.#watching?.reject(new ArbiterError("ERR_ARB_LAUNCHER", reason));
      this.#options.onLost(reason);
      return;
    }
    this.#options.log("warn", `the guard is gone (${why}); another takes its place`);
    this.#answers.forget();
    this.#start();
    this.#state();
  }
}
