/**
 * Says when a configuration has been edited and then left alone for a moment.
 *
 * The folder is watched, not its files: editors write a new file and rename it over the old one. An
 * edit counts once nothing has happened for `quietMs`, so that half a save is not read. It only says
 * *that* something happened: whoever is told reads the folder again.
 */
import { stat } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";

export interface WatchOptions {
  /** From the design: an editor's several writes are over by then. */
  readonly quietMs?: number;
  /** The watching itself failed (too many watches, for example): edits are noticed no more. */
  readonly onError?: (error: Error) => void;
  /** Network file systems tell nothing of changes made elsewhere: look every so often instead. */
  readonly pollMs?: number;
  /** The state folder, where it lies inside. */
  readonly ignore?: string;
}

export interface Watch {
  /** No call of `onQuiet` begins after this. */
  close(): Promise<void>;
}

/** Resolves once changes are noticed. */
export async function watchConfiguration(
  path: string,
  onQuiet: () => void,
  options: WatchOptions = {},
): Promise<Watch> {
  const { watch } = await import("chokidar");
  const absolute = resolve(path);
  const isFile = (await stat(absolute)).isFile();
  const folder = isFile ? dirname(absolute) : absolute;
  const left = options.ignore === undefined ? null : resolve(options.ignore);
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;
  const watcher = watch(folder, {
    ignoreInitial: true,
    depth: isFile ? 0 : 12,
    ignored: (name) => isIgnored(name, folder, left),
    ...(options.pollMs === undefined ? {} : { usePolling: true, interval: options.pollMs }),
  });
  watcher.on("all", (_event, name) => {
    if (isClosed || (isFile && resolve(name) !== absolute)) return;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      if (!isClosed) onQuiet();
    }, options.quietMs ?? 300);
  });
  const ready = new Promise<void>((done) => {
    watcher.once("ready", done);
  });
  watcher.on("error", (error) => {
    options.onError?.(error instanceof Error ? error : new Error(String(error)));
  });
  await ready;
  return {
    close: async () => {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      await watcher.close();
    },
  };
}

/** What the reader leaves out too: hidden files, state, and what is no `.cfg` or `.ini`. */
function isIgnored(name: string, folder: string, left: string | null): boolean {
  const parts = relative(folder, name).split(sep);
  if (parts[0] === "") return false;
  if (left !== null && (name === left || name.startsWith(left + sep))) return true;
  return parts[0] === "var" || parts.includes("node_modules") || parts.some((part) => part.startsWith("."));
}
