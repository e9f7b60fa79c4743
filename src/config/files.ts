/**
 * From a path to texts: which files a folder holds, and what stands in each at one moment.
 *
 * A file that is being written is not read half: its size and times must be the same before and
 * after, and be those of what was read. Limits on everything, since a folder is whatever someone put
 * there.
 */
import { createHash } from "node:crypto";
import { open, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { compareText, type Problems } from "./problem.ts";
import type { Source } from "./raw.ts";

/** Far above any real file (the largest one shipped by others has 20 kB), far below what hurts. */
export const FILE_BYTES_MAX = 1_048_576;
const FILES_MAX = 20_000;
const DEPTH_MAX = 12;
/** An editor's save takes milliseconds: five tries, 40 ms apart, outlast it. */
const READ_ATTEMPTS = 5;
const READ_PAUSE_MS = 40;
/** Enough to keep the disk busy, few enough open files. */
const READ_AT_ONCE = 64;

export interface ConfigFile {
  /** Relative to the configuration folder, with `/`. */
  readonly path: string;
  readonly sha256: string;
  readonly content: string;
}
export interface FolderReading {
  /** The folder; of a single file, the one that it lies in. */
  readonly directory: string;
  readonly isFile: boolean;
  readonly files: readonly ConfigFile[];
  readonly sources: readonly Source[];
}

export async function readFolder(path: string, problems: Problems): Promise<FolderReading> {
  const absolute = resolve(path);
  const kind = await stat(absolute).catch((error: unknown) => reasonOf(error));
  if (typeof kind === "string") {
    problems.file("error", path, `can't read ${path}: ${kind}`, {
      expected: "a folder with `*.cfg` files, or one such file",
    });
    return { directory: absolute, isFile: false, files: [], sources: [] };
  }
  const isFile = !kind.isDirectory();
  const directory = isFile ? dirname(absolute) : absolute;
  const names = isFile ? [basename(absolute)] : await listFiles(directory, problems);
  const files: ConfigFile[] = [];
  const sources: Source[] = [];
  for (let from = 0; from < names.length; from += READ_AT_ONCE) {
    const batch = names.slice(from, from + READ_AT_ONCE);
    const contents = await Promise.all(
      batch.map((name) => readStable(join(directory, name), name, problems)),
    );
    for (const [i, name] of batch.entries()) {
      const content = contents[i] ?? null;
      if (content === null) continue;
      files.push({ path: name, sha256: createHash("sha256").update(content).digest("hex"), content });
      sources.push({ path: name, lines: splitLines(content, name, problems), content });
    }
  }
  if (names.length === 0 && !problems.hasErrors) {
    problems.file(
      "error",
      path,
      `${path} holds no configuration: no \`*.cfg\` and no \`*.ini\` file, in sub-folders neither; \`arbiter init\` writes a sample`,
    );
  }
  return { directory, isFile, files, sources };
}

/** The same of contents that lie in no folder (a version in the store), read as if they lay in that one. */
export function readContents(
  directory: string,
  contents: Readonly<Record<string, string>>,
  problems: Problems,
): FolderReading {
  const files: ConfigFile[] = [];
  const sources: Source[] = [];
  for (const path of Object.keys(contents).toSorted(compareText)) {
    const content = contents[path] ?? "";
    files.push({ path, sha256: createHash("sha256").update(content).digest("hex"), content });
    sources.push({ path, lines: splitLines(content, path, problems), content });
  }
  return { directory: resolve(directory), isFile: false, files, sources };
}

/** `*.cfg` and `*.ini`, sub-folders too, sorted; hidden ones, and state folders, are left out. */
async function listFiles(directory: string, problems: Problems): Promise<string[]> {
  const found: string[] = [];
  const seen = new Set<string>();
  const walk = async (relative: string, depth: number): Promise<void> => {
    const folder = join(directory, relative);
    const real = await realpath(folder).catch(() => folder);
    // A link back to a folder above would never end.
    if (seen.has(real)) return;
    seen.add(real);
    if (depth > DEPTH_MAX) {
      problems.file("error", relative, `sub-folders lie more than ${DEPTH_MAX} deep`);
      return;
    }
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      problems.file("error", relative === "" ? "." : relative, `can't read this folder: ${reasonOf(error)}`);
      return [];
    });
    for (const entry of entries.toSorted((a, b) => compareText(a.name, b.name))) {
      if (entry.name.startsWith(".") || found.length > FILES_MAX) continue;
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      const isFolder =
        entry.isDirectory() ||
        (entry.isSymbolicLink() &&
          ((await stat(join(directory, path)).catch(() => null))?.isDirectory() ?? false));
      // `var` in the folder is where state is kept by default; `node_modules` is nobody's configuration.
      if (isFolder && !(depth === 0 && entry.name === "var") && entry.name !== "node_modules")
        await walk(path, depth + 1);
      else if (!isFolder && /\.(?:cfg|ini)$/iu.test(entry.name)) found.push(path);
    }
  };
  await walk("", 0);
  if (found.length > FILES_MAX) problems.file("error", ".", `more than ${FILES_MAX} configuration files`);
  return found.toSorted(compareText);
}

/** null: it can't be read, and `problems` says why. */
async function readStable(absolute: string, path: string, problems: Problems): Promise<string | null> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await readOnce(absolute).catch((error: unknown) => ({
      fault: `can't read this file: ${reasonOf(error)}`,
    }));
    if (typeof result === "string") return result;
    if ("fault" in result) {
      problems.file("error", path, result.fault, "expected" in result ? { expected: result.expected } : {});
      return null;
    }
    if (attempt >= READ_ATTEMPTS) {
      problems.file(
        "error",
        path,
        `this file changed each time that it was read, ${READ_ATTEMPTS} times in a row: something is still writing it; try again once that has ended`,
      );
      return null;
    }
    await sleep(READ_PAUSE_MS);
  }
}

type Once = string | { readonly changed: true } | { readonly fault: string; readonly expected: string };

async function readOnce(absolute: string): Promise<Once> {
  // Looked at before it is opened: opening a pipe would wait for a writer.
  const kind = await stat(absolute);
  if (!kind.isFile()) return { fault: "this is no regular file", expected: "a text file" };
  if (kind.size > FILE_BYTES_MAX) {
    return {
      fault: `this file has ${kind.size} bytes: too many for a configuration`,
      expected: `${FILE_BYTES_MAX} bytes at most`,
    };
  }
  await using file = await open(absolute, "r");
  const before = await file.stat({ bigint: true });
  const bytes = Buffer.alloc(Number(before.size) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === bytes.length) break;
  }
  const after = await file.stat({ bigint: true });
  const named = await stat(absolute, { bigint: true });
  const isSame =
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs &&
    named.ino === before.ino;
  if (!isSame || BigInt(length) !== before.size) return { changed: true };
  return decode(bytes.subarray(0, length));
}

function decode(bytes: Buffer): Once {
  if (bytes.includes(0))
    return { fault: "this is no text: it holds a zero byte (UTF-16 does too)", expected: "UTF-8" };
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const line = firstInvalidLine(bytes);
    return { fault: `line ${line} is not valid UTF-8`, expected: "UTF-8" };
  }
}

function firstInvalidLine(bytes: Buffer): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let line = 1;
  for (let start = 0; start <= bytes.length; line += 1) {
    const end = bytes.indexOf(10, start);
    try {
      decoder.decode(bytes.subarray(start, end < 0 ? bytes.length : end));
    } catch {
      return line;
    }
    if (end < 0) break;
    start = end + 1;
  }
  return line;
}

function splitLines(content: string, path: string, problems: Problems): string[] {
  const hasMark = content.startsWith("\u{feff}");
  const lines = (hasMark ? content.slice(1) : content).split(/\r\n|\n|\r/u);
  if (hasMark) {
    problems.warning(
      { source: { path, lines, content }, line: 1, column: 1, length: 1 },
      "a byte-order mark begins this file: it is passed over here, but hides the first line from other tools",
    );
  }
  return lines;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EACCES: "permission denied; which user runs this?",
  EPERM: "permission denied; which user runs this?",
  ELOOP: "links that lead to each other",
  ENOTDIR: "a part of its path is no folder",
};

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return REASONS[code] ?? (code === "" ? error.message : code);
}
