/**
 * One service's program, from activation to the last of its processes: start, exit, restart in
 * place, stop.
 *
 *   starting ─ runs and is well ─▶ running ─ exits ─▶ tidying ─ attempts left ─▶ starting
 *      │ can't                        │                  └──── none left ──────▶ over: `exited`
 *      └────────▶ over                └─ demoted ─▶ stopping ─────────────────▶ over
 *
 * A program that is unhealthy `max_check_attempts` times in a row is restarted in place too, while
 * attempts are left: until then it counts as healthy, but not as ready, so that no arbiter moves the
 * service meanwhile. Without attempts left the first bad answer is told, and the arbiter counts.
 *
 * A program that puts itself into the background (its first process exits with 0, what it started goes
 * on) is followed where two things are there: a control group, which says what goes on, and a health
 * check, which says that this is the program.
 *
 * `exited` is proof of death, and the spare is waiting for it: in the usual case (no other process
 * is left in the group, no `post_stop`) it is said in the same turn of the loop in which Node says
 * that the process has exited. It is never said while anything of the group still runs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { LaunchSpec } from "../core/model.ts";
import type { WorkloadSink } from "../daemon/workload.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { nowMs } from "../shell/clock.ts";
import type { GoOrder, GroupEnd, GuardedGroup } from "./guarded-group.ts";
import { untilWell, watchHealth, type Probe, type Verdict } from "./health.ts";
import { describeEnd, HookRun, type HookName, type HookSurroundings } from "./hooks.ts";

export interface RunOptions {
  readonly spec: LaunchSpec;
  readonly hooks: HookSurroundings;
  readonly probe: Probe | null;
  /** After so long without a failure the restarts are counted from zero. */
  readonly failureTimeoutMs: number;
  /** Bad answers in a row after which it is restarted in place. */
  readonly maxCheckAttempts: number;
  readonly sink: WorkloadSink;
  /** Called when nothing of it runs any more, right after `exited` where that is said. */
  readonly onOver: () => void;
}

/** The guard takes so much off for the grain of its clock; see guard-script.ts. */
const GUARD_EARLY_MS = 30;

type Phase = "starting" | "running" | "tidying" | "stopping" | "over";

export class ProgramRun {
  readonly order: GoOrder;
  readonly #options: RunOptions;
  #phase: Phase = "starting";
  #group: GuardedGroup | null = null;
  #hook: HookRun | null = null;
  #fenceAtMs: number;
  #isFenced = false;
  /** Aborted when the program is to be stopped: ends waiting and probing. */
  readonly #stop = new AbortController();
  /** Once for each process: the group is emptied, `post_stop` has run. */
  #tidying: Promise<void> | null = null;
  #isReady = true;
  #badAnswers = 0;
  /** Instant of `nowMs()` at which the program was told to go. */
  #goneAtMs = 0;
  #unfollow: () => void = () => {};
  #winding: Promise<void> | null = null;
  #restartsAt: number[] = [];

  constructor(order: GoOrder, fenceAtMs: number, options: RunOptions) {
    this.order = order;
    this.#fenceAtMs = fenceAtMs;
    this.#options = options;
  }

  /** Nothing of it runs, and that has been said. */
  get isOver(): boolean {
    return this.#phase === "over";
  }

  get pgid(): number {
    return this.#group?.pgid ?? 0;
  }

  /** The lease's end has moved. */
  killAt(atMs: number): void {
    this.#fenceAtMs = atMs;
    this.#group?.killAt(atMs);
    this.#hook?.killAt(atMs);
  }

  /** SIGKILL to all of it, now. What follows is told as an exit. */
  fence(): void {
    this.#isFenced = true;
    this.#hook?.kill();
    this.#group?.kill();
  }

  /** Resolves when the program runs and is well; rejects when it doesn't, and nothing of it is left. */
  async start(): Promise<void> {
    try {
      await this.#begin();
    } catch (error) {
      await this.#windUp(0, messageOf(error));
      throw error;
    }
  }

  /** Resolves when nothing of it runs any more. */
  async stop(deadlineMs: number): Promise<void> {
    await this.#windUp(deadlineMs, "stopped");
  }

  async #begin(): Promise<void> {
    const { spec, hooks, probe } = this.#options;
    this.#phase = "starting";
    const group = await hooks.pool.take();
    if (this.#stop.signal.aborted) {
      hooks.pool.giveBack(group);
      this.#stop.signal.throwIfAborted();
    }
    this.#group = group;
    this.#tidying = null;
    const exit = new AbortController();
    group.onEnded = (end): void => {
      if (!this.#goesOnInBackground(group, end, exit)) this.#ended(this.#describe(end), exit);
    };
    group.killAt(this.#fenceAtMs);
    if (spec.preStart !== null) await this.#runHook("pre_start", spec.preStart);
    this.#assertMayStart();
    this.#goneAtMs = nowMs();
    await group.go(this.order);
    const halt = AbortSignal.any([this.#stop.signal, exit.signal]);
    if (probe !== null) {
      await untilWell(probe, spec.startTimeoutMs, halt).catch((error: unknown) => {
        halt.throwIfAborted();
        throw error;
      });
    }
    if (spec.postStart !== null) await this.#tryHook("post_start", spec.postStart);
    halt.throwIfAborted();
    this.#phase = "running";
    this.#badAnswers = 0;
    this.#tellHealth(null);
    if (probe !== null) watchHealth(probe, halt, (verdict) => this.#judge(verdict));
  }

  /** True: what it started goes on without it, and is taken for the program. */
  #goesOnInBackground(group: GuardedGroup, end: GroupEnd, exit: AbortController): boolean {
    const { probe, spec, sink } = this.#options;
    if (end.code !== 0 || probe === null || group.lostReason !== null) return false;
    const isStarting = this.#phase === "starting" || this.#phase === "running";
    if (!isStarting || nowMs() - this.#goneAtMs > spec.startTimeoutMs) return false;
    const members = group.members();
    if (members.length === 0) return false;
    sink.log(
      "info",
      `${this.order.service}: the program went into the background (process ${members.join(", ")}); ` +
        "it is followed through its control group",
    );
    this.#unfollow = group.watchBackground((what) => this.#ended(this.#withLastWords(what), exit));
    return true;
  }

  /** Its first process, or the last one in the background, has exited. Nothing may be awaited on the way to `exited`. */
  #ended(reason: string, exit: AbortController): void {
    const wasRunning = this.#phase === "running";
    if (!wasRunning) {
      exit.abort(new ArbiterError("ERR_ARB_PROGRAM", `it ended before it was ready: ${reason}`));
      return;
    }
    this.#phase = "tidying";
    const group = this.#group;
    if (group !== null && group.isGone && this.#options.spec.postStop === null) {
      this.#afterExit(reason);
      exit.abort();
      return;
    }
    exit.abort();
    void this.#tidy().then(() => {
      // `stop` may have come meanwhile: then it says that all is over.
      if (this.#phase === "tidying") this.#afterExit(reason);
    });
  }

  #describe(end: GroupEnd): string {
    const lostReason = this.#group?.lostReason ?? null;
    if (lostReason !== null) return lostReason;
    const isAtTheEnd = this.#isFenced || nowMs() >= this.#fenceAtMs - GUARD_EARLY_MS;
    if (end.signal === "SIGKILL" && isAtTheEnd) return "it was killed, since its lease was over";
    return this.#withLastWords(describeEnd(end));
  }

  #withLastWords(text: string): string {
    const words = this.#group?.lastWords() ?? "";
    return words === "" ? text : `${text}; its last words: ${words}`;
  }

  /** One answer of the probe, while it runs. */
  #judge(verdict: Verdict): void {
    // What is being stopped may well be unhealthy.
    if (this.#phase !== "running") return;
    const { maxCheckAttempts, sink } = this.#options;
    this.#badAnswers = verdict === null ? 0 : this.#badAnswers + 1;
    if (verdict === null || !this.#hasAttempts()) {
      this.#tellHealth(verdict);
    } else if (this.#badAnswers < maxCheckAttempts) {
      this.#isReady = false;
      sink.health(
        true,
        false,
        `${verdict} (${this.#badAnswers} of ${maxCheckAttempts}, then a restart in place)`,
      );
    } else {
      void this.#restartUnwell(verdict);
    }
  }

  async #restartUnwell(verdict: string): Promise<void> {
    const { sink, spec } = this.#options;
    const { service, epoch } = this.order;
    if (!this.#mayRestart()) return;
    this.#phase = "tidying";
    sink.restarting(
      service,
      epoch,
      this.#withLastWords(`it was unhealthy ${this.#badAnswers} times: ${verdict}`),
    );
    const untilMs = Math.min(this.#fenceAtMs, nowMs() + spec.stopTimeoutMs);
    if (this.#group !== null) await this.#endGently(this.#group, untilMs);
    await this.#tidy();
    // Whoever stops it winds up by itself.
    if (this.#stop.signal.aborted) return;
    this.#giveBack();
    await this.#restart(spec.restartDelayMs);
  }

  async #tidy(): Promise<void> {
    this.#tidying ??= this.#clearGroup();
    await this.#tidying;
  }

  async #clearGroup(): Promise<void> {
    if (this.#group === null) return;
    await this.#group.clear();
    const { postStop } = this.#options.spec;
    if (postStop !== null) await this.#tryHook("post_stop", postStop);
  }

  /** Nothing of it runs: restart in place, or proof of death. */
  #afterExit(reason: string): void {
    const { sink, spec } = this.#options;
    const { service, epoch } = this.order;
    if (this.#mayRestart()) {
      this.#phase = "starting";
      sink.restarting(service, epoch, reason);
      this.#giveBack();
      void this.#restart(spec.restartDelayMs);
      return;
    }
    this.#phase = "over";
    sink.exited(service, epoch, reason);
    // The report of it leaves first: files to tidy up would keep the proof back for a millisecond.
    setImmediate(() => {
      this.#tellHealth(null);
      this.#giveBack();
      this.#options.onOver();
    });
  }

  async #restart(delayMs: number): Promise<void> {
    const { service, epoch } = this.order;
    try {
      if (delayMs > 0) await sleep(delayMs, undefined, { signal: this.#stop.signal });
      await this.#begin();
      this.#options.sink.restarted(service, epoch);
    } catch (error) {
      // Whoever stops it winds up by itself.
      if (this.#stop.signal.aborted) return;
      this.#phase = "tidying";
      await this.#tidy();
      if (this.#phase === "tidying") this.#afterExit(`the restart failed: ${messageOf(error)}`);
    }
  }

  #hasAttempts(): boolean {
    const { spec, failureTimeoutMs } = this.#options;
    const now = nowMs();
    if (this.#isFenced || now >= this.#fenceAtMs) return false;
    this.#restartsAt = this.#restartsAt.filter((atMs) => now - atMs < failureTimeoutMs);
    return this.#restartsAt.length < spec.restartAttempts;
  }

  #mayRestart(): boolean {
    if (!this.#hasAttempts()) return false;
    this.#restartsAt.push(nowMs());
    return true;
  }

  /** Once for each run, whoever comes first: a failed start, or a demotion. */
  async #windUp(deadlineMs: number, reason: string): Promise<void> {
    if (this.#phase === "over") return;
    this.#winding ??= this.#wind(deadlineMs, reason);
    await this.#winding;
  }

  async #wind(deadlineMs: number, reason: string): Promise<void> {
    const wasRunning = this.#phase === "running";
    this.#phase = "stopping";
    this.#stop.abort(new ArbiterError("ERR_ARB_PROGRAM", `it was stopped while it started: ${reason}`));
    const { preStop } = this.#options.spec;
    if (wasRunning && preStop !== null) await this.#tryHook("pre_stop", preStop, deadlineMs);
    if (this.#tidying === null) {
      this.#hook?.kill();
      if (this.#group !== null) await this.#endGently(this.#group, deadlineMs);
    }
    await this.#tidy();
    this.#tellHealth(null);
    this.#phase = "over";
    this.#giveBack();
    this.#options.onOver();
  }

  /** The stop signal to the whole group, and as much time as there is. */
  async #endGently(group: GuardedGroup, deadlineMs: number): Promise<void> {
    const { stopSignal, stopTimeoutMs } = this.#options.spec;
    const untilMs = Math.min(deadlineMs, nowMs() + stopTimeoutMs);
    if (group.pgid === 0 || untilMs <= nowMs()) return;
    group.signal(stopSignal);
    // One that is stopped hears nothing else.
    group.signal("SIGCONT");
    if (await group.waitUntilEmpty(untilMs - nowMs())) return;
    this.#options.sink.log(
      "warn",
      `${this.order.service}: the program didn't end on ${stopSignal} in time: it gets SIGKILL`,
    );
  }

  #assertMayStart(): void {
    this.#stop.signal.throwIfAborted();
    if (this.#isFenced || nowMs() >= this.#fenceAtMs) {
      throw new ArbiterError("ERR_ARB_PROGRAM", "the lease ended before the program could be started");
    }
  }

  async #runHook(name: HookName, words: readonly string[], deadlineMs: number = Infinity): Promise<void> {
    if (this.#isFenced || nowMs() >= this.#fenceAtMs) {
      throw new ArbiterError("ERR_ARB_PROGRAM", `${name} wasn't run: the lease is over`);
    }
    const hook = new HookRun(this.#options.hooks);
    this.#hook = hook;
    try {
      const limitMs = Math.min(this.#options.hooks.timeoutMs, Math.max(deadlineMs - nowMs(), 1));
      await hook.run(name, words, this.order, this.#fenceAtMs, limitMs);
    } finally {
      this.#hook = null;
    }
  }

  /** A hook whose failure changes nothing but the log. */
  async #tryHook(name: HookName, words: readonly string[], deadlineMs: number = Infinity): Promise<void> {
    try {
      await this.#runHook(name, words, deadlineMs);
    } catch (error) {
      this.#options.sink.log("warn", `${this.order.service}: ${messageOf(error)}`);
    }
  }

  #tellHealth(verdict: Verdict): void {
    const isWell = verdict === null;
    if (isWell && this.#isReady) return;
    this.#isReady = isWell;
    this.#options.sink.health(isWell, isWell, verdict ?? "");
  }

  #giveBack(): void {
    this.#unfollow();
    this.#unfollow = (): void => {};
    const group = this.#group;
    this.#group = null;
    if (group !== null) this.#options.hooks.pool.giveBack(group);
  }
}
