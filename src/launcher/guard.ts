/**
 * The launcher's end of a guard (see guard-script.ts): starts it, tells it what to watch over, and
 * replaces it when it dies.
 *
 * Each line states everything, so a new guard needs the last line only, and nothing that was lost
 * or repeated matters. A guard counts as watching once it has said so. One that can't be replaced is
 * reported as lost: the program must then be stopped, since nobody would stop it otherwise.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { ArbiterError } from "../protocol/errors.ts";
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
/** `watching PID` twice over. */
const LONGEST_ANSWER = 64;
/** Far more than a busy machine needs for the start of a shell. */
const ANSWER_PATIENCE_MS = 3000;
/**
 * It answers each line within a millisecond. One that was asked so long ago and has said nothing
 * since is stopped. Longer than a busy machine keeps a shell waiting, and far shorter than
 * the two seconds of an ordinary lease: its successor knows the lease's end before that has come.
 */
const SILENCE_LIMIT_MS = 400;
const READ_FIRST_MS = 20;

export class Guard {
  readonly #options: GuardOptions;
  #process: ChildProcess | null = null;
  #group: WatchedGroup | null = null;
  /** `null`: no lease yet. */
  #endCs: number | null = null;
  #watching: PromiseWithResolvers<void> | null = null;
  #startedAt = 0;
  #failuresInARow = 0;
  #isClosing = false;
  #lostReason: string | null = null;
  /** Runs from the first line that it has not answered yet. */
  #answerTimer: NodeJS.Timeout | null = null;
  #heard = "";

  constructor(options: GuardOptions) {
    this.#options = options;
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
    this.#send();
    // One that is stopped says nothing: another is asked the same.
    const timer = setInterval(() => this.#process?.kill("SIGKILL"), ANSWER_PATIENCE_MS);
    try {
      await watching.promise;
    } finally {
      clearInterval(timer);
    }
  }

  /** What runs is killed at that instant of `nowMs()`, whatever becomes of this process. */
  killAt(atMs: number): void {
    this.#endCs = uptimeCentisecondsAt(atMs);
    this.#send();
  }

  /** Nothing of the group is left. */
  rest(): void {
    this.#group = null;
    this.#endCs = null;
    this.#send();
  }

  /** Closes its pipe: it kills what there is to kill, and ends. Resolves when it has. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const guard = this.#process;
    if (guard === null) return;
    const ended = Promise.withResolvers<void>();
    guard.once("exit", () => ended.resolve());
    guard.stdin?.end();
    // One that is stopped reads nothing any more.
    const timer = setTimeout(() => guard.kill("SIGKILL"), CLOSE_PATIENCE_MS);
    await ended.promise;
    clearTimeout(timer);
  }

  #send(): void {
    const { pgid, startTicks, cgroup } = this.#group ?? { pgid: 0, startTicks: "0", cgroup: null };
    this.#process?.stdin?.write(`${pgid} ${startTicks} ${this.#endCs ?? "-"} ${cgroup ?? ""}\n`);
    this.#answerTimer ??= setTimeout(() => this.#suspect(), SILENCE_LIMIT_MS).unref();
  }

  /** Its answer may lie here unread, if it was this process that stood still: that is read first. */
  #suspect(): void {
    const guard = this.#process;
    this.#answerTimer = setTimeout(() => {
      this.#answerTimer = null;
      // SIGKILL reaches a stopped process too; another takes its place.
      guard?.kill("SIGKILL");
    }, READ_FIRST_MS).unref();
  }

  #answered(): void {
    if (this.#answerTimer !== null) clearTimeout(this.#answerTimer);
    this.#answerTimer = null;
  }

  #start(): void {
    const { label } = this.#options;
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
      stdio: ["pipe", "pipe", "ignore", this.#options.lockDescriptor],
    });
    this.#process = guard;
    this.#startedAt = performance.now();
    this.#answered();
    this.#heard = "";
    if (guard.pid !== undefined) this.#options.onStarted(guard.pid);
    // Its end is told by `exit`; a write into a closed pipe says nothing more.
    guard.stdin?.on("error", () => {});
    guard.stdout?.on("data", (chunk: Buffer) => this.#hear(chunk.toString("latin1")));
    guard.once("error", (error) => this.#ended(guard, error.message));
    guard.once("exit", (code, signal) => this.#ended(guard, `it ended with ${signal ?? String(code)}`));
  }

  #hear(text: string): void {
    this.#answered();
    this.#heard = (this.#heard + text).slice(-LONGEST_ANSWER);
    const group = this.#group;
    if (group !== null && this.#heard.includes(`watching ${group.pgid}\n`)) this.#watching?.resolve();
  }

  #ended(guard: ChildProcess, why: string): void {
    // `error` and `exit` may both come; only the first one counts.
    if (this.#process !== guard) return;
    this.#process = null;
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
    this.#start();
    this.#send();
  }
}
