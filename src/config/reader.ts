/**
 * Looks a key up in layers, the nearest first, and reads its value as what the key table says it is.
 * Where nobody wrote it, the table's own default is read in the same way: so a default is never
 * something that could not be written.
 */
import { FAST_PROFILE, type KeySpec, keysOf, type Where } from "./keys.ts";
import type { Layer } from "./layer.ts";
import { type Place, type Problems, valuePlace } from "./problem.ts";
import { isSecretName } from "./secrets.ts";
import type { Entry } from "./raw.ts";
import { formatDuration, type Kind, type KindValues, PARSERS, type Parsed } from "./values.ts";

/** What other tools call the same. */
const WORD_SYNONYMS: Readonly<Record<string, string>> = {
  warning: "warn",
  critical: "error",
  fatal: "error",
};

export class KeyReader {
  readonly layers: readonly Layer[];
  readonly where: Where;
  readonly problems: Problems;
  /** Where the object begins: for what is missing. */
  readonly place: Place;

  constructor(layers: readonly Layer[], where: Where, problems: Problems, place: Place) {
    this.layers = layers;
    this.where = where;
    this.problems = problems;
    this.place = place;
  }

  /** Who wrote the key; null: nobody. */
  find(name: string): Entry | null {
    for (const layer of this.layers) {
      const entry = layer.keys.get(name);
      if (entry !== undefined) return entry;
      const profile = layer.keys.get("profile");
      const fast = FAST_PROFILE[name];
      if (profile?.value.toLowerCase() === "fast" && fast !== undefined) return { ...profile, value: fast };
    }
    return null;
  }

  /** Nobody wrote it, or what is written can be read. Else a default stands in that nobody meant. */
  isReadable(name: string): boolean {
    const entry = this.find(name);
    const spec = this.spec(name);
    return entry === null || parseWith(spec, spec.kind, entry.value).ok;
  }

  /** The value in force; null: none, or it can't be read (which has been reported). */
  read<K extends Kind>(name: string, kind: K): KindValues[K] | null {
    const spec = this.spec(name);
    if (spec.kind !== kind) throw new Error(`key ${name} is a ${spec.kind}, not a ${kind}`);
    const entry = this.find(name);
    if (entry !== null) {
      const parsed = parseWith(spec, kind, entry.value);
      if (parsed.ok) {
        return parsed.value;
      }
      this.#reject(entry, spec, parsed.expected);
    }
    if (spec.fallback === null) return null;
    const fallback = parseWith(spec, kind, spec.fallback);
    if (!fallback.ok) throw new Error(`the default of key ${name} can't be read`);
    return fallback.value;
  }

  /** For keys that always have a value. */
  need<K extends Kind>(name: string, kind: K): NonNullable<KindValues[K]> {
    const value = this.read(name, kind);
    if (value === null) throw new Error(`key ${name} has no default`);
    return value;
  }

  /** For keys that take one of a few words. */
  choose<T extends string>(name: string, words: readonly T[]): T | null {
    const value = this.read(name, "text");
    return words.find((word) => word === value) ?? null;
  }

  /** The same for keys that always have a value. */
  pick<T extends string>(name: string, words: readonly [T, ...T[]]): T {
    return this.choose(name, words) ?? words[0];
  }

  spec(name: string): KeySpec {
    const spec = keysOf(this.where).get(name);
    if (spec === undefined) throw new Error(`no key ${name} in ${this.where}`);
    return spec;
  }

  #reject(entry: Entry, spec: KeySpec, expected: string): void {
    const text =
      entry.value === ""
        ? `\`${entry.key}\` has no value`
        : `\`${entry.key}\` can't be \`${isHidden(spec) ? "…" : entry.value}\``;
    this.problems.error(valuePlace(entry), text, {
      key: entry.key,
      found: isHidden(spec) ? "(a secret)" : entry.value,
      expected,
    });
  }
}

function isHidden(spec: KeySpec): boolean {
  return spec.isSecret === true || isSecretName(spec.name);
}

function parseWith<K extends Kind>(spec: KeySpec, kind: K, text: string): Parsed<KindValues[K]> {
  if (spec.oneOf !== undefined) {
    const lower = text.toLowerCase();
    const word = spec.oneOf.includes(lower) ? lower : (WORD_SYNONYMS[lower] ?? lower);
    if (!spec.oneOf.includes(word)) {
      return {
        ok: false,
        expected: `${spec.oneOf.length > 2 ? "one of " : ""}${spec.oneOf.map((one) => `\`${one}\``).join(spec.oneOf.length > 2 ? ", " : " or ")}`,
      };
    }
    return PARSERS[kind](word);
  }
  const parsed = PARSERS[kind](text);
  if (parsed.ok && typeof parsed.value === "number") {
    const show = (limit: number): string =>
      spec.kind === "duration" ? formatDuration(limit) : String(limit);
    if (spec.min !== undefined && parsed.value < spec.min)
      return { ok: false, expected: `${show(spec.min)} at least` };
    if (spec.max !== undefined && parsed.value > spec.max)
      return { ok: false, expected: `${show(spec.max)} at most` };
  }
  return parsed;
}
