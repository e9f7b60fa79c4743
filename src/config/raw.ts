/**
 * What all three dialects are read into: objects with a type, and keys that know where they stand.
 * Nothing here has a meaning yet; `load.ts` gives it one.
 */

/** One file as it was read. */
export interface Source {
  /** Relative to the configuration folder. */
  readonly path: string;
  readonly lines: readonly string[];
  readonly content: string;
}

export type Dialect = "ini" | "objects" | "bare";

/** One `key value` with its place. */
export interface Entry {
  /** As written. */
  readonly key: string;
  /** In lower case: what the key table knows it by. */
  readonly name: string;
  /** Without comment and quotes, variables put in. */
  readonly value: string;
  /** As it stands in the file, for the caret's length. */
  readonly written: string;
  /**
   * Where a possible comment begins in `value`. Whether it is one depends on what kind
   * of value the key takes, so a dialect can't decide it.
   */
  readonly commentAt: number | null;
  readonly source: Source;
  readonly line: number;
  readonly column: number;
  readonly valueColumn: number;
}

/** A section, a `define` block, or the whole of a file of bare lines. */
export interface RawObject {
  readonly dialect: Dialect;
  /** The file has Alignak 2's form: sections called `[daemon.NAME]`. */
  readonly isAlignak: boolean;
  /** In lower case: `scheduler`, `cluster`; `default` for `[DEFAULT]`; `daemon` for `[daemon.NAME]`. */
  readonly type: string;
  /** The name in a section's header. */
  readonly label: string | null;
  readonly entries: readonly Entry[];
  readonly source: Source;
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** What a file held besides objects: passed over, but counted. */
export interface FileReading {
  readonly objects: readonly RawObject[];
  /** `cfg_dir`, `cfg_file`, macros and a main file's settings. */
  readonly linesPassedOver: number;
  /** An object couldn't be made out: what seems to be missing may be that. */
  readonly isIncomplete: boolean;
}

export function findEntry(object: { readonly entries: readonly Entry[] }, name: string): Entry | null {
  return object.entries.find((entry) => entry.name === name) ?? null;
}
