/**
 * What an arbiter publishes of its configuration: what is in force, what its own files say, and
 * which files they are, by hash. Never a file's content: that may hold what isn't everyone's.
 */
import { createHash } from "node:crypto";
import type { ArbiterState } from "../../core/arbiter-state.ts";
import { programVersion } from "../../protocol/version.ts";
import type { ConfigFile } from "../../config/files.ts";
import { integer, list, object, parsed, text, word } from "../../protocol/reading.ts";
import type { Members, Parsed } from "../../protocol/reading.ts";

export interface FileHash {
  readonly path: string;
  readonly sha256: string;
}

/** An arbiter's own files, as they lie in its folder. */
export interface OwnFiles {
  /** Empty: they have errors. */
  readonly hash: string;
  readonly errors: number;
  readonly files: readonly FileHash[];
}

export interface Manifest {
  readonly name: string;
  /** The program's, since another one may hash the same files to something else. */
  readonly program: string;
  /** `leading`, `standing-by` and so on. */
  readonly state: string;
  /** In force. */
  readonly version: number;
  readonly hash: string;
  readonly configSync: string;
  /** Changes with the daemons that have joined; empty: none has. */
  readonly joined: string;
  readonly own: OwnFiles;
  /** The same on arbiters of one machine that read one folder; empty: not known. */
  readonly folder: string;
  readonly refusedEdit: { readonly at: string; readonly errors: readonly string[] } | null;
}

/** Far above anything real; against garbage. */
const NAME = 1_024;
const MANY = 100_000;
const TEXT = 100_000;

export function ownFilesOf(loaded: {
  readonly hash: string;
  readonly files: readonly ConfigFile[];
  readonly problems: readonly { readonly severity: string }[];
}): OwnFiles {
  return {
    hash: loaded.hash,
    errors: loaded.problems.filter(({ severity }) => severity === "error").length,
    files: loaded.files.map(({ path, sha256 }) => ({ path, sha256 })),
  };
}

const PROGRAM = programVersion();

export function manifestOf(
  { options, leadership, configuration, refusedEdit }: ArbiterState,
  rest: Pick<Manifest, "configSync" | "joined" | "own" | "folder">,
): Manifest {
  return {
    name: options.name,
    program: PROGRAM,
    state: leadership.mode,
    version: configuration.version,
    hash: configuration.hash,
    ...rest,
    refusedEdit:
      refusedEdit === null
        ? null
        : { at: new Date(refusedEdit.atWallMs).toISOString(), errors: refusedEdit.errors },
  };
}

/** Of a version's contents. */
export function hashesOf(files: Readonly<Record<string, string>>): readonly FileHash[] {
  return Object.entries(files).map(([path, content]) => ({
    path,
    sha256: createHash("sha256").update(content).digest("hex"),
  }));
}

export function parseManifest(value: unknown): Parsed<Manifest> {
  return parsed(value, (from) => ({
    name: word(from, "name", NAME),
    program: text(from, "program", NAME),
    state: word(from, "state", NAME),
    version: integer(from, "version", 0),
    hash: text(from, "hash", NAME),
    configSync: word(from, "configSync", NAME),
    joined: from["joined"] === undefined ? "" : text(from, "joined", NAME),
    own: object(from, "own", ownFiles),
    folder: from["folder"] === undefined ? "" : text(from, "folder", NAME),
    refusedEdit:
      from["refusedEdit"] === null || from["refusedEdit"] === undefined
        ? null
        : object(from, "refusedEdit", (edit) => ({
            at: text(edit, "at", NAME),
            errors: strings(edit, "errors"),
          })),
  }));
}

function ownFiles(from: Members): OwnFiles {
  return {
    hash: text(from, "hash", NAME),
    errors: integer(from, "errors", 0),
    files: list(from, "files", MANY, (file) => ({
      path: text(file, "path", NAME * 4),
      sha256: text(file, "sha256", NAME),
    })),
  };
}

function strings(from: Members, key: string): readonly string[] {
  const value = from[key];
  if (!Array.isArray(value)) return [];
  return value.filter((entry) => typeof entry === "string").map((entry) => entry.slice(0, TEXT));
}
