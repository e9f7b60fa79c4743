/**
 * Runs `pre_start`, `post_start`, `pre_stop` and `post_stop`: each in a guarded process group of its
 * own, under the same lease as the program. A hook that takes over an address or mounts a volume
 * must not outlive the launcher or the lease any more than the program may.
 *
 * It ends by itself, or is killed after `hook_timeout`; what it has left running in its group is
 * killed with it. Hooks run as the launcher's own user.
 */
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import type { Privileges } from "./account.ts";
import type { GoOrder, GroupEnd, GuardedGroup } from "./guarded-group.ts";
import type { StandbyPool } from "./standby-pool.ts";

export type HookName = "pre_start" | "post_start" | "pre_stop" | "post_stop";

export interface HookSurroundings {
  readonly pool: StandbyPool;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly privileges: Privileges;
  readonly timeoutMs: number;
}

export class HookRun {
  readonly #surroundings: HookSurroundings;
  #group: GuardedGroup | null = null;
  #isKilled = false;

  constructor(surroundings: HookSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Rejects, saying why, unless the hook ends with code 0 in time. Nothing of it is left then. */
  async run(
    name: HookName,
    words: readonly string[],
    order: GoOrder,
    fenceAtMs: number,
    limitMs: number = this.#surroundings.timeoutMs,
  ): Promise<void> {
    const { pool, env, privileges } = this.#surroundings;
    const group = await pool.takeForHook({ words, env, privileges });
    this.#group = group;
    try {
      const end = await this.#runIn(group, order, fenceAtMs, limitMs);
      if (end.code === 0) return;
      throw new ArbiterError("ERR_ARB_PROGRAM", describeEnd(end));
    } catch (error) {
      throw new ArbiterError("ERR_ARB_PROGRAM", `${name} failed: ${messageOf(error)}`, { cause: error });
    } finally {
      this.#group = null;
      await pool.endHook(group);
    }
  }

  killAt(atMs: number): void {
    this.#group?.killAt(atMs);
  }

  /** What runs is killed, and nothing is begun any more. */
  kill(): void {
    this.#isKilled = true;
    this.#group?.kill();
  }

  async #runIn(group: GuardedGroup, order: GoOrder, fenceAtMs: number, limitMs: number): Promise<GroupEnd> {
    const ended = Promise.withResolvers<GroupEnd>();
    group.onEnded = ended.resolve;
    group.killAt(fenceAtMs);
    if (this.#isKilled) throw new Error("it was stopped before it began");
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      group.kill();
    }, limitMs);
    try {
      await group.go(order);
      const end = await ended.promise;
      if (isLate) throw new Error(`it took longer than ${limitMs} ms (\`hook_timeout\`)`);
      return end;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** For people: how a process ended. */
export function describeEnd(end: GroupEnd): string {
  return end.signal === null ? `it exited with code ${end.code ?? "?"}` : `it was killed by ${end.signal}`;
}
