/**
 * One object's keys, each known for what it is: a key of Arbiter's, a custom one, another tool's, a
 * variable of a program's environment, or nobody's. Several layers (the daemon's own keys, its
 * service's section, the cluster's defaults) are looked through in turn by reader.ts.
 */
import { FOREIGN_GLOBAL_KEYS, FOREIGN_KEYS, FOREIGN_REALM_KEYS } from "./keys-foreign.ts";
import { CUSTOM_KEY, ENVIRONMENT_KEY, isFreeText, type KeySpec, keysOf, type Where } from "./keys.ts";
import { nearest, sectionsOf, typeOfNameKey } from "./known.ts";
import { keyPlace, type Problems, valuePlace } from "./problem.ts";
import { isSecretName } from "./secrets.ts";
import type { Entry, RawObject } from "./raw.ts";
import { expand, type Scope } from "./variables.ts";

export interface Layer {
  /** By the key table's name. */
  readonly keys: ReadonlyMap<string, Entry>;
  /** Custom keys and other tools', by the name as written. */
  readonly passed: ReadonlyMap<string, Entry>;
  /** `env_NAME`, by NAME. */
  readonly env: ReadonlyMap<string, Entry>;
}

export const EMPTY_LAYER: Layer = { keys: new Map(), passed: new Map(), env: new Map() };

export interface LayerContext {
  readonly where: Where;
  /** The daemon's type, for `TYPE_name`. */
  readonly type: string;
  readonly scope: Scope;
  readonly problems: Problems;
}

type Meaning =
  | { readonly is: "key"; readonly spec: KeySpec }
  | { readonly is: "env" | "passed" | "skipped" }
  | { readonly is: "unknown"; readonly text: string; readonly expected: string | null };

/** Keys that speak of the object itself in Nagios' language. */
const OBJECT_LANGUAGE = new Set(["use", "register"]);

export function layerOf(object: RawObject, context: LayerContext): Layer {
  const keys = new Map<string, Entry>();
  const passed = new Map<string, Entry>();
  const env = new Map<string, Entry>();
  const hasTypeName = object.entries.some((entry) => entry.name === `${context.type}_name`);
  for (const raw of object.entries) {
    // In an object, `name` beside `TYPE_name` is the name of a template.
    if (object.dialect === "objects" && raw.name === "name" && hasTypeName) continue;
    const meaning = meaningOf(raw, object, context);
    if (meaning.is === "skipped") continue;
    if (meaning.is === "unknown") reportUnknown(raw, meaning, object, context);
    const spec = meaning.is === "key" ? meaning.spec : null;
    const settled = settleComment(raw, spec, context.problems);
    const entry = expand(
      settled,
      { ...context.scope, keys: object.dialect === "ini" ? context.scope.keys : null },
      context.problems,
    );
    if (meaning.is === "key") put(keys, meaning.spec.name, entry, context.problems);
    else if (meaning.is === "env") put(env, raw.key.slice("env_".length), entry, context.problems);
    else put(passed, raw.key, entry, context.problems);
  }
  return { keys, passed, env };
}

function meaningOf(entry: Entry, object: RawObject, context: LayerContext): Meaning {
  const { name } = entry;
  const { where, type } = context;
  const isDaemon = where === "daemon" || where === "arbiter";
  const known = keysOf(where);
  if (object.dialect === "objects" && OBJECT_LANGUAGE.has(name)) return { is: "skipped" };
  if (isDaemon && name === "type" && object.dialect === "ini") return { is: "skipped" };
  const nameSpec = known.get("name");
  if (nameSpec !== undefined && name === `${type}_name`) return { is: "key", spec: nameSpec };
  if (object.isAlignak && isDaemon && name === "polling_interval") {
    const interval = known.get("check_interval");
    return interval === undefined ? { is: "passed" } : { is: "key", spec: interval };
  }
  const spec = known.get(name);
  if (spec !== undefined && spec.name !== "env_NAME") return { is: "key", spec };
  if (known.has("env_NAME") && ENVIRONMENT_KEY.test(name)) return { is: "env" };
  const takesAny = isDaemon || where === "service" || where === "cluster" || where === "realm";
  if (takesAny && CUSTOM_KEY.test(name)) return { is: "passed" };
  if (isDaemon && FOREIGN_KEYS.has(name)) return { is: "passed" };
  if (isDaemon && (object.isAlignak || entry.source.path.endsWith(".ini")) && FOREIGN_GLOBAL_KEYS.has(name))
    return { is: "passed" };
  if (where === "realm" && FOREIGN_REALM_KEYS.has(name)) return { is: "passed" };
  // Alignak's arbiters have the keys of its daemons; an arbiter here is checked by other arbiters.
  if (where === "arbiter" && keysOf("daemon").has(name)) return { is: "passed" };
  return unknown(entry, type, where, [...known.keys()]);
}

function unknown(entry: Entry, type: string, where: Where, known: readonly string[]): Meaning {
  const named = typeOfNameKey(entry.name);
  if (named !== null && keysOf(where).has("name") && nearest(entry.name, [`${type}_name`]) === null) {
    return {
      is: "unknown",
      text: `\`${entry.key}\` in an object of type \`${type}\``,
      expected: `\`${type}_name\``,
    };
  }
  const near = nearest(
    entry.name,
    [...known, `${type}_name`].filter((name) => name !== "env_NAME"),
  );
  if (near !== null)
    return {
      is: "unknown",
      text: `nobody knows the key \`${entry.key}\`: did you mean \`${near}\`?`,
      expected: `\`${near}\``,
    };
  const elsewhere = sectionsOf(entry.name).map((section) =>
    section === "daemon" || section === "arbiter" || section === "realm" ? `a ${section}` : `[${section}]`,
  );
  if (elsewhere.length > 0)
    return {
      is: "unknown",
      text: `\`${entry.key}\` has no meaning here`,
      expected: `\`${entry.key}\` in ${elsewhere.join(" or ")}`,
    };
  const hint = where === "daemon" || where === "arbiter" ? "; a key of your own begins with `_`" : "";
  return { is: "unknown", text: `nobody knows the key \`${entry.key}\`${hint}`, expected: null };
}

function reportUnknown(
  entry: Entry,
  meaning: Extract<Meaning, { is: "unknown" }>,
  object: RawObject,
  context: LayerContext,
): void {
  const detail = {
    key: entry.key,
    found: entry.key,
    ...(meaning.expected === null ? {} : { expected: meaning.expected }),
  };
  const isStrict = object.dialect === "ini" && !object.isAlignak;
  // A key with no value that nobody knows: most likely the rest of the line is missing.
  if (isStrict || (entry.value === "" && object.dialect === "bare"))
    context.problems.error(keyPlace(entry), meaning.text, detail);
  else context.problems.warning(keyPlace(entry), `${meaning.text} (kept and passed on as it is)`, detail);
}

/** Whether what follows a `#` (in INI also a `;`) is a comment: plain for a number, not for a text. */
function settleComment(entry: Entry, spec: KeySpec | null, problems: Problems): Entry {
  if (entry.commentAt === null) return { ...entry, value: entry.value.trim() };
  const before = entry.value.slice(0, entry.commentAt).trim();
  const comment = entry.value.slice(entry.commentAt);
  const mark = comment[0] ?? "#";
  const place = {
    ...valuePlace(entry),
    column: entry.valueColumn + Math.max(0, entry.written.length - comment.length),
    length: comment.length,
  };
  const isText =
    (spec !== null && isFreeText(spec)) || CUSTOM_KEY.test(entry.name) || ENVIRONMENT_KEY.test(entry.name);
  if (isText && before !== "") {
    problems.error(
      place,
      `is this a comment or a part of \`${entry.key}\`? Put comments on a line of their own; write \`\\${mark}\` or quotes in INI files where it is meant`,
      { key: entry.key, found: comment },
    );
    return { ...entry, value: entry.value.trim(), commentAt: null };
  }
  problems.warning(
    place,
    `\`${mark}\` behind a value is no comment for other tools; here it is read as one`,
    { key: entry.key, found: comment },
  );
  return {
    ...entry,
    value: before,
    written: entry.written.slice(0, Math.max(1, entry.written.length - comment.length)).trimEnd(),
    commentAt: null,
  };
}

/** The first one of a key counts; another one with the same value does no harm. */
function put(map: Map<string, Entry>, name: string, entry: Entry, problems: Problems): void {
  const first = map.get(name);
  if (first === undefined) {
    map.set(name, entry);
    return;
  }
  // What a template or [DEFAULT] gives stands behind the object's own and is only overridden.
  const where = first.source === entry.source ? `line ${first.line}` : `${first.source.path}:${first.line}`;
  const called =
    first.name === entry.name ? `\`${entry.key}\`` : `\`${entry.key}\` (the same as \`${first.key}\`)`;
  if (first.value === entry.value)
    problems.warning(keyPlace(entry), `${called} is written twice, first in ${where}`, { key: entry.key });
  else {
    problems.error(
      keyPlace(entry),
      isSecretName(name)
        ? `${called} is written twice with two values, first in ${where}`
        : `${called} is written twice with two values: \`${first.value}\` in ${where}, and \`${entry.value}\` here`,
      { key: entry.key, found: entry.value, expected: "one of the two" },
    );
  }
}
