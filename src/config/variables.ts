/**
 * What is put into values: `${NAME}` from the environment, in each dialect, and `%(key)s` from the
 * same section or its [DEFAULT], in INI files. `$${NAME}` and `%%(key)s` stand for themselves.
 */
import { type Problems, valuePlace } from "./problem.ts";
import type { Entry } from "./raw.ts";

/** Enough for any real chain; a circle is found at once. */
const DEPTH_MAX = 16;
/** Ten keys that each name the one before twice would otherwise fill the memory. */
const LENGTH_MAX = 65_536;

export interface Scope {
  /** What `%(key)s` finds; null: not an INI file. */
  readonly keys: ReadonlyMap<string, string> | null;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function expand(entry: Entry, scope: Scope, problems: Problems): Entry {
  if (!entry.value.includes("$") && !entry.value.includes("%")) return entry;
  const missing = (what: string, expected: string): string => {
    problems.error(valuePlace(entry), what, { key: entry.key, found: entry.value, expected });
    return "";
  };
  let value = scope.keys === null ? entry.value : interpolate(entry.value, scope.keys, missing, [entry.name]);
  value = value.replaceAll(/\$?\$\{([^}]*)\}/gu, (whole, name: string) => {
    if (whole.startsWith("$$")) return whole.slice(1);
    const found = /^[A-Za-z_]\w*$/u.test(name) ? scope.env[name] : undefined;
    return (
      found ??
      missing(
        `the environment has no variable \`${name}\``,
        `\`${name}\` to be set, or \`$\${${name}}\` for the text itself`,
      )
    );
  });
  if (value.length > LENGTH_MAX)
    missing("this value grows too long once its variables are put in", `${LENGTH_MAX} characters at most`);
  return { ...entry, value: value.slice(0, LENGTH_MAX).trim() };
}

function interpolate(
  text: string,
  keys: ReadonlyMap<string, string>,
  missing: (what: string, expected: string) => string,
  chain: readonly string[],
): string {
  if (text.length > LENGTH_MAX) return text;
  return text.replaceAll(/%?%\(([^)]*)\)s/gu, (whole, written: string) => {
    if (whole.startsWith("%%")) return whole.slice(1);
    const name = written.toLowerCase();
    const found = keys.get(name);
    if (found === undefined) {
      return missing(
        `\`%(${written})s\` names no key of this section or of its [DEFAULT]`,
        "a key that is written",
      );
    }
    if (
      (chain.includes(name) && chain.length > 1) ||
      chain.length > DEPTH_MAX ||
      (chain[0] === name && found === text)
    ) {
      return missing(`\`%(${written})s\` leads back to itself`, "no circle");
    }
    return interpolate(found, keys, missing, [...chain, name]);
  });
}
