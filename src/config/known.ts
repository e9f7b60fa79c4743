/**
 * Whether a key is one that somebody knows, and which known one an unknown key resembles.
 */
import { FOREIGN_GLOBAL_KEYS, FOREIGN_KEYS, FOREIGN_REALM_KEYS } from "./keys-foreign.ts";
import { CUSTOM_KEY, ENVIRONMENT_KEY, KEYS, keysOf, type Where } from "./keys.ts";

const everyName = new Set([...KEYS.map((key) => key.name), ...KEYS.flatMap((key) => key.aliases ?? [])]);

/** `TYPE_name` of a daemon, an arbiter or a realm; not Alignak's other keys that end the same way. */
export function isNameKey(name: string): boolean {
  return name === "name" || typeOfNameKey(name) !== null;
}
export function typeOfNameKey(name: string): string | null {
  if (FOREIGN_KEYS.has(name) || FOREIGN_GLOBAL_KEYS.has(name) || name === "display_name") return null;
  return /^([a-z][a-z0-9_-]*)_name$/u.exec(name)?.[1] ?? null;
}

/** Known in any section or to any of the tools whose files are understood. */
export function isKnownKey(name: string): boolean {
  return (
    everyName.has(name) ||
    isNameKey(name) ||
    FOREIGN_KEYS.has(name) ||
    FOREIGN_GLOBAL_KEYS.has(name) ||
    FOREIGN_REALM_KEYS.has(name) ||
    CUSTOM_KEY.test(name) ||
    ENVIRONMENT_KEY.test(name) ||
    ["use", "register", "type"].includes(name)
  );
}

const SECTIONS: readonly Where[] = ["cluster", "store", "security", "alerts", "daemon", "arbiter", "realm"];

/** The sections in which a key has a meaning. */
export function sectionsOf(name: string): readonly Where[] {
  return SECTIONS.filter((where) => keysOf(where).has(name));
}

/** The nearest of some words, if it is near enough to be meant; null: none is. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const length = Math.max(word.length, candidate.length);
    // One slip in a short word, two in a longer one: beyond that it is another word.
    const limit = length <= 2 ? 0 : length <= 6 ? 1 : length <= 10 ? 2 : 3;
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= limit && distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(distance);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
