/**
 * Keeps one shim standing by, so that an activation finds it ready; makes the groups of hooks.
 *
 * A daemon of `capacity 1` uses one group again and again. One that may hold more gets further
 * groups as it needs them, and only one of those that come back is kept.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import type { Cgroup, CgroupMaker } from "./cgroup.ts";
import { GuardedGroup, type GroupCommand, type GroupSurroundings } from "./guarded-group.ts";
import { openOutputPipe, type OutputPlace } from "./output.ts";
import { openPipes } from "./pipes.ts";

export interface PoolOptions {
  readonly surroundings: GroupSurroundings;
  readonly cgroups: CgroupMaker;
  readonly program: GroupCommand;
  /** Where pipes are made. */
  readonly folder: string;
  readonly output: OutputPlace;
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

/** A crash is reported first; new processes come when the report has left. */
const BREATH_MS = 40;
/** Something killed the waiting shim: not at once again. */
const AGAIN_MS = 1000;

export class StandbyPool {
  readonly #options: PoolOptions;
  #idle: GuardedGroup | null = null;
  #standing: Promise<unknown> | null = null;
  readonly #out = new Set<GuardedGroup>();
  #isClosing = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Makes sure that a shim stands by. Rejects where that can't be. */
  async fill(): Promise<void> {
    if (this.#isClosing) return;
    while (this.#standing !== null) await this.#standing.catch(() => {});
    if (this.#idle?.isStanding === true) return;
    const standing = this.#stand();
    this.#standing = standing;
    try {
      await standing;
    } finally {
      this.#standing = null;
    }
  }

  /** A standing group: the caller's until it gives it back. */
  async take(): Promise<GuardedGroup> {
    while (!this.#isClosing) {
      await this.fill();
      const group = this.#idle;
      // Someone else may have been faster.
      if (group === null || !group.isStanding) continue;
      this.#idle = null;
      this.#out.add(group);
      return group;
    }
    throw new ArbiterError("ERR_ARB_LAUNCHER", "The launcher is ending.");
  }

  /** An empty group comes back, or one whose shim was never told anything. */
  giveBack(group: GuardedGroup): void {
    this.#out.delete(group);
    group.onEnded = () => {};
    if (this.#isClosing || this.#idle !== null || group.lostReason !== null) {
      void this.#discard(group);
      return;
    }
    this.#idle = group;
    if (group.isStanding) return;
    group.retire();
    this.#fillIn(BREATH_MS);
  }

  /** A group for another command than the program: a hook. Standing; to be given to `endHook`. */
  async takeForHook(command: GroupCommand): Promise<GuardedGroup> {
    // A hook may start what is to stay: the helper of a file system, for one. So it gets no control group.
    const group = await this.#make(command, { ...this.#options.surroundings, watchdog: null }, () => null);
    this.#out.add(group);
    try {
      await group.stand();
    } catch (error) {
      await this.endHook(group);
      throw error;
    }
    return group;
  }

  async endHook(group: GuardedGroup): Promise<void> {
    await this.#discard(group);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#standing?.catch(() => {});
    const all = [...this.#out, ...(this.#idle === null ? [] : [this.#idle])];
    this.#idle = null;
    await Promise.all(all.map(async (group) => await this.#discard(group)));
  }

  async #stand(): Promise<void> {
    if (this.#idle?.lostReason !== null && this.#idle !== null) {
      const lost = this.#idle;
      this.#idle = null;
      await this.#discard(lost);
    }
    const { program, surroundings, cgroups } = this.#options;
    this.#idle ??= await this.#make(program, surroundings, () => cgroups.make());
    const group = this.#idle;
    await group.clear();
    group.onEnded = () => {
      if (this.#idle === group) this.#fillIn(AGAIN_MS);
    };
    await group.stand();
  }

  async #make(
    command: GroupCommand,
    surroundings: GroupSurroundings,
    makeCgroup: () => Cgroup | null,
  ): Promise<GuardedGroup> {
    const { folder, output, owner } = this.#options;
    const [stdout, stderr, answers] = await openPipes(folder, 3, owner);
    if (stdout === undefined || stderr === undefined || answers === undefined) throw new Error("no pipes");
    const pipes = {
      stdout: openOutputPipe(stdout, output.prefix, output.stdout),
      stderr: openOutputPipe(stderr, output.prefix, output.stderr),
      answers,
    };
    return new GuardedGroup(surroundings, command, pipes, makeCgroup);
  }

  async #discard(group: GuardedGroup): Promise<void> {
    this.#out.delete(group);
    await group.close();
  }

  #fillIn(delayMs: number): void {
    void (async (): Promise<void> => {
      await sleep(delayMs, undefined, { ref: false });
      try {
        await this.fill();
      } catch (error) {
        this.#options.surroundings.log("warn", `nothing stands by: ${messageOf(error)}`);
      }
    })();
  }
}
