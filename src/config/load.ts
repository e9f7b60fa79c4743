/**
 * Files → model. Reads everything, gathers every problem, and gives a model only if none of them is
 * an error: a configuration is taken whole or not at all (I6). Needs no network and looks up no name.
 */
import type { ArbiterSpec, ClusterModel, DaemonSpec } from "../core/model.ts";
import { type Built, buildArbiter, buildDaemon, readIdentity } from "./build-daemon.ts";
import { readSource } from "./dialect.ts";
import { type ConfigFile, type FolderReading, readFolder } from "./files.ts";
import { hashOf } from "./hash.ts";
import { Defaults, Templates } from "./inherit.ts";
import { EMPTY_LAYER, type Layer, layerOf } from "./layer.ts";
import { type Problem, Problems } from "./problem.ts";
import type { RawObject } from "./raw.ts";
import { KeyReader } from "./reader.ts";
import { type Realms, readRealms } from "./realms.ts";
import { checkCluster, checkDaemon, checkNames } from "./semantics.ts";
import { buildServices, serviceOf } from "./services.ts";
import {
  absolute,
  type NodeSettings,
  readAlerts,
  readCluster,
  readSecurity,
  readStore,
  sectionLayer,
  type SettingsContext,
} from "./settings.ts";
import { placeOf, sortObjects, type SortedObjects } from "./sort-objects.ts";

export interface Loaded {
  /** As it was given. */
  readonly path: string;
  /** The folder that relative paths start from. */
  readonly directory: string;
  /** One file with one daemon: what concerns the cluster isn't known, nor checked. */
  readonly isLone: boolean;
  /** null: there are errors. */
  readonly model: ClusterModel | null;
  readonly settings: NodeSettings;
  readonly problems: readonly Problem[];
  readonly ok: boolean;
  /** Empty where there are errors. */
  readonly hash: string;
  readonly files: readonly ConfigFile[];
  /** What was passed over, by type of object; `lines` for settings of other tools' main files. */
  readonly ignored: Readonly<Record<string, number>>;
  /** Computed defaults and the readers behind each daemon and arbiter, for `showConfiguration`. */
  readonly members: readonly Member[];
}

/** A daemon or an arbiter with how it was read. */
export interface Member {
  readonly object: RawObject;
  readonly reader: KeyReader;
  readonly spec: DaemonSpec | ArbiterSpec;
  readonly computed: Readonly<Record<string, unknown>>;
}

export interface LoadOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Where nobody wrote an `[arbiter]`. */
export const IMPLIED_ARBITER: ArbiterSpec = {
  name: "arbiter-master",
  type: "arbiter",
  role: "master",
  address: "127.0.0.1",
  port: 7770,
  url: "http://127.0.0.1:7770",
  realm: "All",
  electable: true,
  passed: {},
  origin: null,
};

export async function loadConfiguration(path: string, options: LoadOptions = {}): Promise<Loaded> {
  const problems = new Problems();
  const reading = await readFolder(path, problems);
  const env = options.env ?? process.env;
  const context: SettingsContext = { directory: reading.directory, env, problems };
  const objects: RawObject[] = [];
  let linesPassedOver = 0;
  for (const source of reading.sources) {
    const file = readSource(source, problems);
    objects.push(...file.objects);
    linesPassedOver += file.linesPassedOver;
    if (source.content === "")
      problems.file("warning", source.path, "this file is empty: is it half written?");
  }
  const sorted = sortObjects(objects, problems);
  const realms = readRealms(sorted.realms, env, problems);
  const cluster = sectionLayer(sorted.sections.get("cluster") ?? [], "cluster", context);
  const services = serviceLayers(sorted, context);
  const members = readMembers(objects, sorted, { realms, cluster, services, context });
  const isLone =
    reading.isFile && sorted.daemons.length <= 1 && members.every((member) => member.spec.type !== "arbiter");
  if (sorted.daemons.length === 0 && reading.sources.length > 0 && !problems.hasErrors) {
    const text = "no daemon is configured: there is nothing to keep running";
    problems.file(
      reading.isFile ? "error" : "warning",
      reading.isFile ? (reading.files[0]?.path ?? path) : ".",
      text,
      { expected: "one file a daemon, `arbiter init` writes a sample" },
    );
  }
  const clusterSettings = readCluster(cluster, sorted, problems);
  const settings: NodeSettings = {
    stateDir: clusterSettings.stateDir,
    store: await readStore(sorted, context),
    security: readSecurity(sorted, context),
    alerts: await readAlerts(sorted, context),
    failoverBudget: clusterSettings.failoverBudget,
    reloadRollback: clusterSettings.reloadRollback,
    configSync: clusterSettings.configSync,
    configSyncSchedule: clusterSettings.configSyncSchedule,
    eventRetentionMs: clusterSettings.eventRetentionMs,
    ...memberSettings(members, context),
  };
  const model = buildModel(members, realms, clusterSettings, services);
  checkNames(members, problems);
  for (const member of members) checkDaemon(member, problems);
  if (!isLone) checkCluster({ model, members, realms, settings, serviceSections: sorted.services, problems });
  reportPassedOver(reading, sorted, linesPassedOver, problems);
  const list = problems.sorted();
  const ok = !problems.hasErrors;
  return {
    path,
    directory: reading.directory,
    isLone,
    model: ok ? model : null,
    settings,
    problems: list,
    ok,
    hash: ok ? hashOf(model, settings) : "",
    files: reading.files,
    ignored: {
      ...Object.fromEntries(sorted.passedOver),
      ...(linesPassedOver > 0 ? { lines: linesPassedOver } : {}),
    },
    members,
  };
}

interface MemberContext {
  readonly realms: Realms;
  readonly cluster: Layer;
  readonly services: ReadonlyMap<string, Layer>;
  readonly context: SettingsContext;
}

function readMembers(objects: readonly RawObject[], sorted: SortedObjects, around: MemberContext): Member[] {
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
      inherited.length === 0 ? EMPTY_LAYER : layerOf({ ...object, entries: inherited }, layerContext),
    ];
    const first = new KeyReader(own, where, problems, placeOf(object));
    const name = first.find("name")?.value ?? object.label;
    const service = first.find("service")?.value ?? name ?? "";
    const isMaster = first.read("spare", "boolean") !== true;
    const ofService = where === "daemon" && isMaster ? around.services.get(service) : undefined;
    const reader = new KeyReader(
      [...own, ...(ofService === undefined ? [] : [ofService]), around.cluster],
      where,
      problems,
      placeOf(object),
    );
    const identity = readIdentity(object, reader, around.realms.defaultRealm, problems);
    if (identity === null) continue;
    const built: Built<DaemonSpec | ArbiterSpec> =
      where === "arbiter" ? buildArbiter(object, reader, identity) : buildDaemon(object, reader, identity);
    members.push({ object, reader, spec: built.spec, computed: built.computed });
  }
  return members;
}

function serviceLayers(sorted: SortedObjects, context: SettingsContext): Map<string, Layer> {
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

function memberSettings(
  members: readonly Member[],
  context: SettingsContext,
): Pick<NodeSettings, "drills" | "ownTokenFiles"> {
  const drills = new Map<string, { schedule: string; maxAgeMs: number }>();
  const ownTokenFiles = new Map<string, string>();
  for (const { spec, reader } of members) {
    const token = absolute(reader.read("token_file", "path"), context);
    if (token !== null) ownTokenFiles.set(spec.name, token);
    if (spec.type === "arbiter" || !("leaseMs" in spec)) continue;
    const schedule = reader.read("drill", "cron");
    const maxAgeMs = reader.need("drill_max_age", "duration");
    if (schedule !== null && spec.role === "master" && !drills.has(serviceOf(spec)))
      drills.set(serviceOf(spec), { schedule, maxAgeMs });
  }
  return { drills: Object.fromEntries(drills), ownTokenFiles: Object.fromEntries(ownTokenFiles) };
}

function buildModel(
  members: readonly Member[],
  realms: Realms,
  cluster: Pick<ClusterModel, "name" | "arbiterLeaseMs" | "clockDrift">,
  services: ReadonlyMap<string, Layer>,
): ClusterModel {
  const arbiters = members
    .map((member) => member.spec)
    .filter((spec): spec is ArbiterSpec => "electable" in spec);
  const daemons = members
    .map((member) => member.spec)
    .filter((spec): spec is DaemonSpec => "leaseMs" in spec);
  const custom = new Map(
    [...services].map(([name, layer]) => [
      name,
      Object.fromEntries([...layer.passed].map(([key, entry]) => [key, entry.value])),
    ]),
  );
  return {
    name: cluster.name,
    arbiterLeaseMs: cluster.arbiterLeaseMs,
    clockDrift: cluster.clockDrift,
    arbiters: arbiters.length > 0 ? arbiters : [{ ...IMPLIED_ARBITER, realm: realms.defaultRealm }],
    daemons,
    services: buildServices(daemons, realms, custom),
    realms: realms.list,
  };
}

function reportPassedOver(
  reading: FolderReading,
  sorted: SortedObjects,
  lines: number,
  problems: Problems,
): void {
  const counts = [...sorted.passedOver].map(([type, count]) => `${count} \`${type}\``);
  if (lines > 0)
    counts.push(
      `${lines} ${lines === 1 ? "line" : "lines"} of another tool's main file (\`cfg_dir\` and the like)`,
    );
  if (counts.length === 0) return;
  problems.file(
    "information",
    reading.isFile ? (reading.files[0]?.path ?? ".") : ".",
    `passed over, since they are not Arbiter's: ${counts.join(", ")}`,
  );
}
