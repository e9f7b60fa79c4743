/**
 * What each object is: a daemon, an arbiter, a realm, a section of the cluster's, a service's, a
 * `[DEFAULT]`, a template, or something of another tool's that is passed over.
 */
import { FOREIGN_OBJECTS } from "./keys-foreign.ts";
import { DEFAULT_PORTS, defaultPortOf, keysOf, type Where } from "./keys.ts";
import { isTemplate } from "./inherit.ts";
import { nearest } from "./known.ts";
import { type Place, type Problems, valuePlace } from "./problem.ts";
import { findEntry, type RawObject } from "./raw.ts";

export interface SortedObjects {
  /** Arbiters too; `type` is the daemon's. */
  readonly daemons: readonly RawObject[];
  readonly realms: readonly RawObject[];
  readonly sections: ReadonlyMap<SettingsSection, readonly RawObject[]>;
  /** `[service NAME]` */
  readonly services: readonly RawObject[];
  readonly defaults: readonly RawObject[];
  /** How many objects of each type were passed over. */
  readonly passedOver: ReadonlyMap<string, number>;
  /** A daemon couldn't be made out. */
  readonly isIncomplete: boolean;
}
export type SettingsSection = Extract<Where, "cluster" | "store" | "security" | "alerts">;

const SETTINGS: readonly SettingsSection[] = ["cluster", "store", "security", "alerts"];

export function placeOf(object: RawObject): Place {
  return { source: object.source, line: object.line, column: object.column, length: object.length };
}

export function sortObjects(objects: readonly RawObject[], problems: Problems): SortedObjects {
  const daemons: RawObject[] = [];
  const realms: RawObject[] = [];
  const sections = new Map<SettingsSection, RawObject[]>(SETTINGS.map((name) => [name, []]));
  const services: RawObject[] = [];
  const defaults: RawObject[] = [];
  const passedOver = new Map<string, number>();
  let isIncomplete = false;
  const passOver = (object: RawObject): void => {
    passedOver.set(object.type, (passedOver.get(object.type) ?? 0) + 1);
  };
  for (const object of objects) {
    const settings = SETTINGS.find((name) => name === object.type);
    if (isTemplate(object) || object.type === "") continue;
    if (object.type === "realm") realms.push(object);
    else if (object.dialect === "objects" && FOREIGN_OBJECTS.has(object.type)) passOver(object);
    else if (object.dialect === "objects" && !isDaemonLike(object)) {
      guessType(object, problems);
      passOver(object);
    } else if (object.dialect !== "ini") daemons.push(object);
    else if (object.type === "default") defaults.push(object);
    else if (object.type === "daemon") {
      const daemon = withType(object, problems);
      if (daemon === null) isIncomplete = true;
      else daemons.push(daemon);
    } else if (settings !== undefined) sections.get(settings)?.push(object);
    else if (object.type === "service") services.push(object);
    else if (/^alignak\b/u.test(object.type)) passOver(object);
    else if (checkType(object, problems)) daemons.push(object);
    else isIncomplete = true;
  }
  return { daemons, realms, sections, services, defaults, passedOver, isIncomplete };
}

/** A `define` of a type that nobody knows may be a daemon of the user's own kind. */
function isDaemonLike(object: RawObject): boolean {
  if (defaultPortOf(object.type) !== undefined) return true;
  const isNamed = findEntry(object, `${object.type}_name`) !== null || findEntry(object, "name") !== null;
  return isNamed && ["address", "port", "spare", "use"].some((key) => findEntry(object, key) !== null);
}

/** An unknown word in the place of a type: said, unless it is clearly a daemon of the user's own. */
function guessType(object: RawObject, problems: Problems): boolean {
  const near = nearest(object.type, [
    ...Object.keys(DEFAULT_PORTS),
    ...SETTINGS,
    "realm",
    "service",
    "default",
  ]);
  if (near === null) return false;
  const text = `\`${object.type}\` is passed over: did you mean \`${near}\`?`;
  problems.warning(placeOf(object), text, { found: object.type, expected: `\`${near}\`` });
  return true;
}

/** `[arbiter.one]`: the form of `[daemon.NAME]`, where none is. */
function dotted({ dialect, type }: RawObject): string | null {
  const [, kind, name] = /^([a-z][\w-]*)\.([\w.-]+)$/u.exec(type) ?? [];
  return dialect === "ini" && name !== undefined ? `\`[${kind} ${name}]\`` : null;
}

function checkType(object: RawObject, problems: Problems): boolean {
  const { type } = object;
  if (!/^[a-z][\w-]*$/u.test(type)) {
    problems.error(placeOf(object), `\`${type}\` can't be a type of daemon`, {
      found: type,
      expected: dotted(object) ?? "a word: letters, digits, `-` and `_`",
    });
    return false;
  }
  const hasName =
    object.label !== null ||
    isDaemonLike(object) ||
    findEntry(object, `${type}_name`) !== null ||
    findEntry(object, "name") !== null;
  if (!hasName) {
    const near = nearest(type, [...SETTINGS, "realm", "service", "DEFAULT", ...Object.keys(DEFAULT_PORTS)]);
    const known = SETTINGS.some((section) =>
      object.entries.some((entry) => keysOf(section).has(entry.name) && !keysOf("daemon").has(entry.name)),
    );
    const guess =
      near === null
        ? known
          ? "; the cluster's sections are [cluster], [store], [security] and [alerts]"
          : ""
        : `: did you mean \`[${near}]\`?`;
    problems.error(
      placeOf(object),
      `\`[${type}]\` is no section of Arbiter's, and no daemon, since it has no name${guess}`,
      {
        found: `[${type}]`,
        expected: near === null ? `a key \`${type}_name\`` : `\`[${near}]\``,
      },
    );
    return false;
  }
  const written = findEntry(object, "type");
  if (written !== null && written.value.trim().toLowerCase() !== type) {
    problems.error(
      valuePlace(written),
      `the section says \`${type}\`, this key says \`${written.value.trim()}\``,
      { key: written.key, found: written.value.trim(), expected: `\`${type}\`` },
    );
  }
  return true;
}

/** Alignak 2's `[daemon.NAME]` names its type in a key. */
function withType(object: RawObject, problems: Problems): RawObject | null {
  const written = findEntry(object, "type");
  const type = written?.value.trim().toLowerCase() ?? "";
  if (written === null) {
    problems.error(placeOf(object), `\`[daemon.${object.label ?? ""}]\` has no \`type\``, {
      key: "type",
      expected: "`type = scheduler`, for example",
    });
    return null;
  }
  if (!/^[a-z][\w-]*$/u.test(type)) {
    problems.error(valuePlace(written), `\`${type}\` can't be a type of daemon`, {
      key: written.key,
      found: type,
      expected: "a word: letters, digits, `-` and `_`",
    });
    return null;
  }
  return { ...object, type };
}
