/**
 * Realms nest. `All` exists without being defined, and then stands above every realm that no other
 * one names as a member.
 */
import type { RealmSpec } from "../core/model.ts";
import { layerOf } from "./layer.ts";
import { nearest } from "./known.ts";
import { keyPlace, type Problems, valuePlace } from "./problem.ts";
import type { Entry, RawObject } from "./raw.ts";
import { KeyReader } from "./reader.ts";
import { placeOf } from "./sort-objects.ts";
import type { Scope } from "./variables.ts";

export const ALL = "All";

export interface Realms {
  /** As defined; empty where the folder defines none. */
  readonly list: readonly RealmSpec[];
  /** Where a daemon belongs that names none. */
  readonly defaultRealm: string;
  has(name: string): boolean;
  /** The realms above it, nearest first. */
  above(name: string): readonly string[];
}

interface Read {
  readonly spec: RealmSpec;
  readonly members: Entry | null;
  readonly isDefault: Entry | null;
}

export function readRealms(objects: readonly RawObject[], env: Scope["env"], problems: Problems): Realms {
  const read = new Map<string, Read>();
  for (const object of objects) {
    const one = readRealm(object, env, problems);
    if (one === null) continue;
    const first = read.get(one.spec.name);
    if (first === undefined) read.set(one.spec.name, one);
    else
      problems.error(
        placeOf(object),
        `a second realm called \`${one.spec.name}\`; the first stands in ${first.spec.origin?.file ?? ""}:${first.spec.origin?.line ?? 0}`,
        { found: one.spec.name },
      );
  }
  const parents = new Map<string, string>();
  for (const { spec, members } of read.values()) {
    for (const member of spec.members) {
      const parent = parents.get(member);
      if (members === null) continue;
      if (!read.has(member) && member !== ALL) {
        const near = nearest(member, read.keys());
        problems.error(
          valuePlace(members),
          `no realm is called \`${member}\`${near === null ? "" : `: did you mean \`${near}\`?`}`,
          { key: members.key, found: member },
        );
      } else if (parent !== undefined && parent !== spec.name) {
        problems.error(
          valuePlace(members),
          `realm \`${member}\` would lie in two others, \`${parent}\` and \`${spec.name}\``,
          { key: members.key, found: member, expected: "one realm above each" },
        );
      } else parents.set(member, spec.name);
    }
  }
  reportCircles(read, parents, problems);
  const defaults = [...read.values()].filter(({ spec }) => spec.isDefault);
  for (const { isDefault } of defaults.slice(1)) {
    if (isDefault !== null)
      problems.error(
        keyPlace(isDefault),
        `two realms are the default, this one and \`${defaults[0]?.spec.name ?? ""}\``,
        { key: isDefault.key, expected: "one `default 1`" },
      );
  }
  return {
    list: [...read.values()].map(({ spec }) => spec),
    defaultRealm: defaults[0]?.spec.name ?? ALL,
    has: (name) => name === ALL || read.has(name),
    above: (name) => above(name, parents, read.has(ALL)),
  };
}

function readRealm(object: RawObject, env: Scope["env"], problems: Problems): Read | null {
  const layer = layerOf(object, { where: "realm", type: "realm", scope: { keys: null, env }, problems });
  const reader = new KeyReader([layer], "realm", problems, placeOf(object));
  const name = reader.read("name", "name") ?? object.label;
  if (name === null) {
    if (reader.find("name") === null)
      problems.error(placeOf(object), "this realm has no name", {
        key: "realm_name",
        expected: "`realm_name`",
      });
    return null;
  }
  const members = reader.find("realm_members");
  return {
    spec: {
      name,
      members: members === null || members.value === "" ? [] : (reader.read("realm_members", "list") ?? []),
      isDefault: reader.need("default", "boolean"),
      origin: { file: object.source.path, line: object.line },
    },
    members,
    isDefault: reader.find("default"),
  };
}

function above(name: string, parents: ReadonlyMap<string, string>, isAllDefined: boolean): string[] {
  const chain: string[] = [];
  let realm = parents.get(name);
  while (realm !== undefined && !chain.includes(realm)) {
    chain.push(realm);
    realm = parents.get(realm);
  }
  return !isAllDefined && name !== ALL && !chain.includes(ALL) ? [...chain, ALL] : chain;
}

function reportCircles(
  read: ReadonlyMap<string, Read>,
  parents: ReadonlyMap<string, string>,
  problems: Problems,
): void {
  const reported = new Set<string>();
  for (const name of read.keys()) {
    const chain = [name];
    for (let realm = parents.get(name); realm !== undefined; realm = parents.get(realm)) {
      if (realm === name) {
        const members = read.get(name)?.members;
        if (members !== null && members !== undefined && !chain.some((one) => reported.has(one))) {
          problems.error(
            valuePlace(members),
            `realms in a circle: ${[...chain, name].toReversed().join(" → ")}`,
            { key: members.key, found: members.value },
          );
        }
        for (const one of chain) reported.add(one);
        break;
      }
      if (chain.includes(realm)) break;
      chain.push(realm);
    }
  }
}
