/**
 * What the fuzzer runs against, and how: an input is made from a seed and its number alone, so that
 * one that fails can be made again. A target that has a world of its own (a core, a server, a
 * store) is opened anew for each block of inputs, and the whole block is what is played again.
 */
import { Random } from "../../src/simulator/random.ts";

export interface World {
  /** Throws where an invariant is broken. */
  run(random: Random): Promise<void> | void;
  /** Looks at the whole once more after a block, and ends what was opened. */
  close?(): Promise<void> | void;
}

export interface Target {
  readonly name: string;
  /** Of all inputs, in parts of a hundred. */
  readonly share: number;
  /** Inputs that share a world. */
  readonly block: number;
  open(random: Random): Promise<World> | World;
  /** Says so, and why, where what it needs isn't installed. (Default: it needs nothing.) */
  isMissing?(): boolean;
}

export interface Finding {
  readonly target: string;
  /** Number of the block's first input, and of the one that failed. */
  readonly from: number;
  readonly at: number;
  readonly error: unknown;
}

export interface RunOptions {
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  /** No block is begun after this (`performance.now()`). */
  readonly untilMs: number;
}

export interface Ran {
  readonly count: number;
  readonly findings: readonly Finding[];
}

/** A target stops at its first finding: what comes after it may be its consequence. */
export async function runTarget(target: Target, options: RunOptions): Promise<Ran> {
  const end = options.from + options.count;
  let at = options.from - (options.from % target.block);
  let count = 0;
  while (at < end && performance.now() < options.untilMs) {
    const from = at;
    const world = await target.open(randomAt(options.seed, target.name, from, "world"));
    try {
      for (; at < Math.min(end, from + target.block); at += 1) {
        await world.run(randomAt(options.seed, target.name, at, "input"));
        count += 1;
      }
      await world.close?.();
    } catch (error) {
      await Promise.resolve(world.close?.()).catch(() => {});
      return { count, findings: [{ target: target.name, from, at, error }] };
    }
  }
  return { count, findings: [] };
}

function randomAt(seed: number, name: string, at: number, what: string): Random {
  let hash = 2_166_136_261;
  for (const char of `${name} ${what} ${at}`) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619);
  }
  return new Random((seed >>> 0) * 2 ** 20 + (hash >>> 0));
}

export class Broken extends Error {
  override readonly name = "Broken";
}

export function check(isSo: boolean, what: () => string): void {
  if (!isSo) throw new Broken(what());
}

/** For a finding's message: the input, cut to a length that a person reads. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? "undefined");
  return text.length > 2_000 ? `${text.slice(0, 2_000)}… (${text.length} characters)` : text;
}
