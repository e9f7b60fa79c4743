/**
 * What an object gets from others: from templates (`use`, `register 0`) in the Nagios dialect, from
 * `[DEFAULT]` in Alignak's. The object's own keys always win; of several templates the first does.
 */
import { nearest } from "./known.ts";
import { keyPlace, type Problems, valuePlace } from "./problem.ts";
import { type Entry, findEntry, type RawObject } from "./raw.ts";

const NOT_INHERITED = new Set(["use", "register", "name"]);

/** Templates by type and name. */
export class Templates {
  readonly #byName = new Map<string, RawObject>();
  readonly #problems: Problems;

  constructor(objects: readonly RawObject[], problems: Problems) {
    this.#problems = problems;
    for (const object of objects) {
      const name = object.dialect === "objects" ? findEntry(object, "name") : null;
      if (name === null) continue;
      const id = `${object.type}/${name.value.trim()}`;
      const first = this.#byName.get(id);
      if (first === undefined) this.#byName.set(id, object);
      else if (isTemplate(object)) {
        problems.error(
          valuePlace(name),
          `a second template called \`${name.value.trim()}\`; the first stands in ${first.source.path}:${first.line}`,
          { key: name.key, found: name.value.trim() },
        );
      }
    }
  }

  /** What an object's templates give it; its own keys are left out. */
  inherited(object: RawObject): Entry[] {
    if (object.dialect !== "objects" || findEntry(object, "use") === null) return [];
    return this.#inherited(object, new Set(object.entries.map((entry) => entry.name)), [object]);
  }

  #inherited(object: RawObject, taken: Set<string>, chain: readonly RawObject[]): Entry[] {
    const use = findEntry(object, "use");
    if (use === null) return [];
    const found: Entry[] = [];
    for (const name of use.value.split(",").map((word) => word.trim())) {
      const template = this.#byName.get(`${object.type}/${name}`);
      if (template === undefined) {
        const near = nearest(name, this.#namesOf(object.type));
        this.#problems.error(
          valuePlace(use),
          `no template of type \`${object.type}\` is called \`${name}\`${near === null ? "" : `: did you mean \`${near}\`?`}`,
          { key: use.key, found: name, ...(near === null ? {} : { expected: `\`${near}\`` }) },
        );
        continue;
      }
      if (chain.includes(template)) {
        this.#problems.error(
          keyPlace(use),
          `templates in a circle: ${[...chain, template].map((one) => findEntry(one, "name")?.value.trim() ?? "this object").join(" → ")}`,
          { key: use.key, found: name },
        );
        continue;
      }
      for (const entry of template.entries) {
        if (NOT_INHERITED.has(entry.name) || taken.has(entry.name)) continue;
        taken.add(entry.name);
        found.push(entry);
      }
      found.push(...this.#inherited(template, taken, [...chain, template]));
    }
    return found;
  }

  #namesOf(type: string): string[] {
    return [...this.#byName.keys()]
      .filter((id) => id.startsWith(`${type}/`))
      .map((id) => id.slice(type.length + 1));
  }
}

/** `register 0`: only there to be inherited from. */
export function isTemplate(object: RawObject): boolean {
  const register = object.dialect === "objects" ? findEntry(object, "register") : null;
  return (
    register !== null &&
    ["0", "false", "no", "off"].includes(register.value.trim().split(/\s/u)[0]?.toLowerCase() ?? "")
  );
}

/**
 * `[DEFAULT]` of an `.ini` serves the whole folder, as Alignak reads it; that of a `.cfg` its own
 * file. It serves sections only: no other dialect knows it. Its `name` names no daemon.
 */
export class Defaults {
  readonly #folder: Entry[] = [];
  readonly #ofFile = new Map<string, Entry[]>();

  constructor(objects: readonly RawObject[], problems: Problems) {
    for (const object of objects) {
      const { path } = object.source;
      const isShared = /\.ini$/iu.test(path);
      const known = isShared ? this.#folder : (this.#ofFile.get(path) ?? []);
      if (!isShared) this.#ofFile.set(path, known);
      for (const entry of object.entries) {
        const first = known.find((other) => other.name === entry.name);
        if (first === undefined) known.push(entry);
        else if (first.value !== entry.value) {
          problems.warning(
            keyPlace(entry),
            `[DEFAULT] has \`${entry.key}\` twice; the one in ${first.source.path}:${first.line} counts`,
            { key: entry.key, found: entry.value },
          );
        }
      }
    }
  }

  /** Without `name` and `type`: each daemon has its own. */
  for(object: RawObject): readonly Entry[] {
    if (object.dialect !== "ini") return [];
    const own = this.#ofFile.get(object.source.path) ?? [];
    const names = new Set(own.map((entry) => entry.name));
    return [...own, ...this.#folder.filter((entry) => !names.has(entry.name))].filter(
      (entry) => entry.name !== "name" && entry.name !== "type",
    );
  }
}
