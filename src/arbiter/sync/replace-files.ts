/**
 * Puts other files into the configuration folder, all or none, and keeps those that it replaces.
 *
 * No file system replaces several files at once. So the new ones are first written whole into a
 * hidden folder beside them; one rename makes that folder count; then each is moved into its place.
 * Whoever is interrupted there goes on at the next start, before anything is read: a folder is never
 * taken half old and half new. Hidden folders are no configuration, so nobody reads them meanwhile.
 */
import { constants } from "node:fs";
import { chmod, chown, copyFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { ArbiterError, codeOf, messageOf } from "../../protocol/errors.ts";

const INCOMING = ".arbiter-incoming";
const REPLACED = ".arbiter-replaced";
const LIST = "arbiter-incoming.json";
/** Sets of replaced files that are kept; each is as small as the configuration. */
const KEPT = 20;

interface Incoming {
  /** Name of the folder below `.arbiter-replaced`. */
  readonly stamp: string;
  readonly files: readonly string[];
  readonly removed: readonly string[];
}

export interface Replacement {
  readonly folder: string;
  /** Path to content. */
  readonly files: Readonly<Record<string, string>>;
  /** What lies there now. */
  readonly present: readonly { readonly path: string; readonly content: string }[];
  readonly atWallMs: number;
}

/** Resolves to the folder in which the replaced files are kept. */
export async function replaceFiles({ folder, files, present, atWallMs }: Replacement): Promise<string> {
  const now = new Map(present.map(({ path, content }) => [path, content]));
  const names = Object.keys(files).filter((name) => now.get(name) !== files[name]);
  for (const name of names) mustBeInside(folder, name);
  const incoming: Incoming = {
    stamp: new Date(atWallMs).toISOString().replaceAll(":", "-"),
    files: names,
    removed: [...now.keys()].filter((name) => !Object.hasOwn(files, name)),
  };
  const draft = join(folder, `${INCOMING}.new`);
  try {
    await rm(draft, { recursive: true, force: true });
    for (const name of names) await writeSynced(join(draft, name), files[name] ?? "");
    await writeSynced(join(draft, LIST), JSON.stringify(incoming));
    await rename(draft, join(folder, INCOMING));
    await syncFolder(folder);
    await finishReplacement(folder);
  } catch (error) {
    throw new ArbiterError(
      "ERR_ARB_CONFIG_FOLDER",
      `The configuration folder ${folder} can't be written: ${messageOf(error)}. Give the arbiter's user the right to write there, or set \`config_sync = warn\`.`,
      { cause: error },
    );
  }
  await forgetOldest(join(folder, REPLACED));
  return join(folder, REPLACED, incoming.stamp);
}

/** Goes on with a replacement that was interrupted; false: there was none. */
export async function finishReplacement(folder: string): Promise<boolean> {
  const incomingFolder = join(folder, INCOMING);
  let incoming: Incoming;
  try {
    incoming = readIncoming(await readFile(join(incomingFolder, LIST), "utf8"));
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(codeOf(error))) return false;
    throw error;
  }
  const kept = join(folder, REPLACED, incoming.stamp);
  await mkdir(kept, { recursive: true, mode: 0o700 });
  for (const name of incoming.files) {
    mustBeInside(folder, name);
    const next = join(incomingFolder, name);
    // Moved already, before the interruption.
    if ((await kindOf(next)) === null) continue;
    await keep(join(folder, name), join(kept, name), next);
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await rename(next, join(folder, name));
  }
  for (const name of incoming.removed) {
    mustBeInside(folder, name);
    await mkdir(dirname(join(kept, name)), { recursive: true, mode: 0o700 });
    await rename(join(folder, name), join(kept, name)).catch((error: unknown) => {
      if (codeOf(error) !== "ENOENT") throw error;
    });
  }
  await syncFolder(folder);
  await rm(incomingFolder, { recursive: true, force: true });
  return true;
}

function readIncoming(text: string): Incoming {
  const value: unknown = JSON.parse(text);
  const from: Readonly<Record<string, unknown>> =
    typeof value === "object" && value !== null ? { ...value } : {};
  const names = (key: string): string[] => {
    const list = from[key];
    return Array.isArray(list) ? list.filter((name) => typeof name === "string") : [];
  };
  return { stamp: String(from["stamp"]), files: names("files"), removed: names("removed") };
}

/** A copy, so that the old file stays in its place until the new one is moved over it. */
async function keep(current: string, copy: string, next: string): Promise<void> {
  const kind = await kindOf(current);
  if (kind === null) return;
  await mkdir(dirname(copy), { recursive: true, mode: 0o700 });
  await copyFile(current, copy, constants.COPYFILE_FICLONE);
  await chmod(next, kind.mode & 0o777);
  // Only root may give a file away; whoever isn't owns both.
  await chown(next, kind.uid, kind.gid).catch(() => {});
}

async function kindOf(path: string): Promise<{ mode: number; uid: number; gid: number } | null> {
  return stat(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  });
}

function mustBeInside(folder: string, name: string): void {
  const isPlain = /\.(?:cfg|ini)$/iu.test(name) && !name.split("/").some((part) => part.startsWith("."));
  if (isPlain && resolve(folder, name).startsWith(resolve(folder) + sep)) return;
  throw new ArbiterError(
    "ERR_ARB_CONFIG_FOLDER",
    `\`${name}\` is no file of a configuration folder; nothing was replaced.`,
  );
}

async function writeSynced(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o750 });
  await using file = await open(path, "w", 0o640);
  await file.writeFile(content);
  await file.sync();
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}

async function forgetOldest(folder: string): Promise<void> {
  const stamps = (await readdir(folder)).toSorted();
  for (const stamp of stamps.slice(0, Math.max(0, stamps.length - KEPT)))
    await rm(join(folder, stamp), { recursive: true, force: true });
}
