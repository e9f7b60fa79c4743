/**
 * A mutant: the sources with one rule left out, and how it is hunted. The patch is made as the module
 * is loaded, in a thread of its own; the files stay as they are. A text that isn't found exactly once
 * is an error, so that the list can't fall behind the sources.
 */
import type { AttackName } from "./attacks.ts";
import type { Overrides } from "../../../src/simulator/options.ts";

export interface Patch {
  /** Below `src/`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Worlds whose faults are aimed at a rule (`null`: whatever the seed draws), or a scene that is played. */
export type Hunt =
  | { readonly name: string; readonly overrides: Overrides | null }
  | {
      readonly name: string;
      readonly attack: AttackName;
      /** It draws nothing: once is enough. */
      readonly once: boolean;
    };

export interface Mutant {
  /** Short and unique. */
  readonly name: string;
  /** The rule that is left out, in one sentence. */
  readonly without: string;
  readonly patches: readonly Patch[];
  readonly hunts: readonly Hunt[];
  /** It has to be found within so many seeds of all its hunts together. */
  readonly seeds: number;
  /**
   * Null: it has to be found. Else why nothing can be found: the rule is a second line behind another
   * one, or serves something that no invariant is about.
   */
  readonly survives: string | null;
}

export interface Verdict {
  readonly name: string;
  /** Null: no seed found it. */
  readonly found: { readonly hunt: string; readonly seedsNeeded: number; readonly violation: string } | null;
  readonly seedsTried: number;
  readonly ms: number;
  /** The patch doesn't fit, or the run itself failed. */
  readonly error: string | null;
}

/** The text with the patch made. */
export function patched(text: string, { find, replace, file }: Patch): string {
  const parts = text.split(find);
  if (parts.length !== 2)
    throw new Error(`${file}: found ${parts.length - 1} times instead of once:\n${find}`);
  return parts.join(replace);
}
