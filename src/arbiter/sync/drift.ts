/**
 * Whether an arbiter's files are those in force, and in which files they differ. Pure.
 *
 * What counts is the hash of what the files mean. Another version of the program may hash the same
 * files to something else: where each file is the same, that is no drift.
 */
import type { FileHash, Manifest } from "./manifest.ts";

/** The configuration in force: the leader's, or the newest version in the store while nobody leads. */
export interface Reference {
  readonly version: number;
  readonly hash: string;
  readonly program: string;
  /** Null: not known (yet). */
  readonly files: readonly FileHash[] | null;
}

export interface FileDifferences {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export interface Drift extends FileDifferences {
  readonly arbiter: string;
  readonly hash: string;
  readonly version: number;
  /** One sentence. */
  readonly text: string;
}

/** What the first has that the second hasn't is `added`, and so on. */
export function fileDifferences(of: readonly FileHash[], against: readonly FileHash[]): FileDifferences {
  const theirs = new Map(against.map(({ path, sha256 }) => [path, sha256]));
  const ours = new Set(of.map(({ path }) => path));
  return {
    added: of.filter(({ path }) => !theirs.has(path)).map(({ path }) => path),
    changed: of
      .filter(({ path, sha256 }) => theirs.has(path) && theirs.get(path) !== sha256)
      .map(({ path }) => path),
    removed: against.filter(({ path }) => !ours.has(path)).map(({ path }) => path),
  };
}

export function areSameFiles({ added, changed, removed }: FileDifferences): boolean {
  return added.length + changed.length + removed.length === 0;
}

/** Null: it holds what is in force, or it isn't known yet how it differs. */
export function driftOf(manifest: Manifest, reference: Reference): Drift | null {
  const { name, own } = manifest;
  if (own.hash === reference.hash) return null;
  // Its own edit that it refused is told as that, and everywhere.
  if (own.errors > 0 && manifest.state === "leading") return null;
  if (reference.files === null) return null;
  const differences = fileDifferences(own.files, reference.files);
  const isSame = areSameFiles(differences);
  if (isSame && manifest.program !== reference.program) return null;
  const { version } = reference;
  return {
    arbiter: name,
    hash: own.hash,
    version,
    ...differences,
    text: `${name}'s files are not version ${version} of the configuration, which is in force: ${whatDiffers(own.errors, differences)}.`,
  };
}

function whatDiffers(errors: number, differences: FileDifferences): string {
  const list = fileList(differences);
  if (errors > 0)
    return `they have ${errors === 1 ? "an error" : `${errors} errors`}${list === "" ? "" : ` (${list})`}`;
  return list === "" ? "the same files, with other values of the environment" : list;
}

/** How many are named before the rest is counted. */
const NAMED = 5;

export function fileList({ added, changed, removed }: FileDifferences): string {
  const all = [
    ...changed.map((path) => `~ ${path}`),
    ...added.map((path) => `+ ${path}`),
    ...removed.map((path) => `- ${path}`),
  ];
  const more = all.length - NAMED;
  return all.slice(0, NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
