/** Nodes of ZooKeeper: in which folder one lies, which version it has, and how much goes at once. */
import { EngineTrouble } from "./engine.ts";
import { PUBLISHED, type Item, type Put } from "./key-value-layout.ts";

/** The server's `jute.maxbuffer`, less what surrounds the values. */
const MOST_BYTES = 1_000_000;
/** Digits of a name within its folder. */
const WITHIN = 3;
/** Characters of an identity that name its folder: 256 of them, which nobody ever lists. */
const SPREAD = 2;
/** Lists that are read in order, in folders of a thousand. */
export const LISTS = ["events", "configurations", "pieces"] as const;

export function versionOf({ guard }: Item, key: string): number {
  if (typeof guard === "number" && guard !== 0 && guard !== -1) return guard;
  throw new EngineTrouble(
    `has a node ${key} that Arbiter did not make (version ${String(guard)}). Restore a backup, or choose another "prefix".`,
    { isCertain: true },
  );
}

/** The folder below a list's own in which a name lies; null: the key is no list's. */
export function folderOf(folder: string, name: string | undefined): string | null {
  if (name === undefined) return null;
  if (folder === PUBLISHED) return name.slice(0, SPREAD);
  return LISTS.some((list) => list === folder) ? groupOf(name) : null;
}

export function groupOf(name: string): string {
  return name.slice(0, -WITHIN);
}

export function assertSize(puts: readonly Put[]): void {
  const bytes = puts.reduce((sum, { key, value }) => sum + key.length + value.length + 100, 0);
  if (bytes <= MOST_BYTES) return;
  throw new EngineTrouble(
    `can't take so much at once: ${bytes} bytes, and ZooKeeper's limit (jute.maxbuffer) is one megabyte.`,
    { isOfCall: true, isCertain: true },
  );
}
