/**
 * Each daemon's and arbiter's keys, from the nearest layer to the farthest: its own, what its
 * templates or [DEFAULT] give it, its service's section, the cluster's defaults.
 */
import { buildArbiter, buildDaemon, readIdentity } from "./build-daemon.ts";
import { Defaults, Templates } from "./inherit.ts";
import { EMPTY_LAYER, type Layer, layerOf } from "./layer.ts";
import type { Member } from "./member.ts";
import { ownConfigOf } from "./own-keys.ts";
import type { RawObject } from "./raw.ts";
import { KeyReader } from "./reader.ts";
import type { Realms } from "./realms.ts";
import { serviceOf } from "./services.ts";
import { absolute, type NodeSettings, type SettingsContext } from "./settings.ts";
import { placeOf, type SortedObjects } from "./sort-objects.ts";

interface MemberContext {
  readonly realms: Realms;
  readonly cluster: Layer;
  readonly services: ReadonlyMap<string, Layer>;
  readonly context: SettingsContext;
}

export function readMembers(
  objects: readonly RawObject[],
  sorted: SortedObjects,
  around: MemberContext,
): Member[] {
  const { problems, env } = around.context;
  const templates = new Templates(objects, problems);
  const defaults = new Defaults(sorted.defaults, problems);
  const members: Member[] = [];
  for (const object of sorted.daemons) {
    const where = object.type === "arbiter" ? "arbiter" : "daemon";
    const inherited = [...templates.inherited(object), ...defaults.for(object)];
    const keys = new Map<string, string>([["type", object.type]]);
    if (object.label !== null) keys.set("name", object.label);
    for (const entry of [...object.entries, ...inherited]) {
      if (!keys.has(entry.name) || object.entries.includes(entry)) keys.set(entry.name, entry.value.trim());
    }
    const layerContext = { where, type: object.type, scope: { keys, env }, problems } as const;
    const own = [
      layerOf(object, layerContext),
      inherited.length === 0
        ? EMPTY_LAYER // What nobody knows in [DEFAULT] may be for other tools' daemons: it is a warning.
        : layerOf({ ...object, isAlignak: object.dialect === "ini", entries: inherited }, layerContext),
    ];
    const first = new KeyReader(own, where, problems, placeOf(object));
    const name = first.find("name")?.value ?? object.label;
    const service = first.find("service")?.value ?? name ?? "";
    const isMaster = first.read("spare", "boolean") !== true;
    const ofService = where === "daemon" && isMaster ? around.services.get(service) : undefined;
    const reader = new KeyReader(
      [
        ...own,
        ...(ofService === undefined ? [] : [ofService]),
        where === "arbiter"
          ? without(around.cluster, ["name", "address", "port"])
          : without(around.cluster, ["name"]),
      ],
      where,
      problems,
      placeOf(object),
    );
    const identity = readIdentity(object, reader, around.realms.defaultRealm, problems);
    if (identity === null) continue;
    const read = { object, reader };
    if (where === "arbiter")
      members.push({ is: "arbiter", ...read, ...buildArbiter(object, reader, identity) });
    else members.push({ is: "daemon", ...read, ...buildDaemon(object, reader, identity) });
  }
  return members;
}

export function serviceLayers(sorted: SortedObjects, context: SettingsContext): Map<string, Layer> {
  const layers = new Map<string, Layer>();
  for (const object of sorted.services) {
    if (object.label === null) {
      context.problems.error(placeOf(object), "a `[service]` section needs the service's name", {
        expected: "`[service NAME]`",
      });
      continue;
    }
    if (layers.has(object.label)) {
      context.problems.error(placeOf(object), `a second section \`[service ${object.label}]\``, {
        found: object.label,
        expected: "one",
      });
      continue;
    }
    const keys = new Map(object.entries.map((entry) => [entry.name, entry.value]));
    layers.set(
      object.label,
      layerOf(object, {
        where: "service",
        type: "service",
        scope: { keys, env: context.env },
        problems: context.problems,
      }),
    );
  }
  return layers;
}

export function memberSettings(
  members: readonly Member[],
  context: SettingsContext,
): Pick<NodeSettings, "drills" | "ownTokenFiles" | "ownConfigs"> {
  const drills = new Map<string, NodeSettings["drills"][string]>();
  const ownTokenFiles = new Map<string, string>();
  const ownConfigs = new Map<string, string>();
  for (const member of members) {
    const { spec, reader } = member;
    const token = absolute(reader.read("token_file", "path"), context);
    if (token !== null) ownTokenFiles.set(spec.name, token);
    if (member.is === "arbiter") continue;
    const ownConfig = ownConfigOf(member);
    if (ownConfig !== "") ownConfigs.set(spec.name, ownConfig);
    const schedule = reader.read("drill", "cron");
    const maxAgeMs = reader.need("drill_max_age", "duration");
    const holdMs = reader.need("drill_hold", "duration");
    if (schedule !== null && spec.role === "master" && !drills.has(serviceOf(member.spec)))
      drills.set(serviceOf(member.spec), { schedule, maxAgeMs, holdMs });
  }
  return {
    drills: Object.fromEntries(drills),
    ownTokenFiles: Object.fromEntries(ownTokenFiles),
    ownConfigs: Object.fromEntries(ownConfigs),
  };
}

/**
 * The cluster's name is nobody else's, and an address or a port for all daemons isn't one for the
 * arbiters.
 */
function without(layer: Layer, names: readonly string[]): Layer {
  const keys = new Map(layer.keys);
  for (const name of names) keys.delete(name);
  return { ...layer, keys };
}
