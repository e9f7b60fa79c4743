/**
 * Files → model. Reads everything, gathers every problem, and gives a model only if none of them is
 * an error: a configuration is taken whole or not at all (I6). Needs no network and looks up no name.
 */
import type { ArbiterSpec, ClusterModel, JoinedDaemon } from "../core/model.ts";
import { checkCluster } from "./cluster-checks.ts";
import { readSource } from "./dialect.ts";
import { type ConfigFile, type FolderReading, readContents, readFolder } from "./files.ts";
import { hashOf } from "./hash.ts";
import { joinedSources } from "./joined.ts";
import type { Layer } from "./layer.ts";
import type { Member } from "./member.ts";
import { type Problem, Problems } from "./problem.ts";
import type { FileReading, RawObject } from "./raw.ts";
import { memberSettings, readMembers, serviceLayers } from "./read-members.ts";
import { type Realms, readRealms } from "./realms.ts";
import { checkDaemon, checkNames } from "./semantics.ts";
import { buildServices } from "./services.ts";
import {
  type NodeSettings,
  readAlerts,
  readCluster,
  readSecurity,
  readStore,
  sectionLayer,
  type SettingsContext,
} from "./settings.ts";
import { sortObjects, type SortedObjects } from "./sort-objects.ts";

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

export interface LoadOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Path to content: what the folder is read as, whatever lies in it (a version in the store). */
  readonly contents?: Readonly<Record<string, string>>;
  /** Daemons that joined the running cluster: read as if each had a file. Not among `files`. */
  readonly joined?: Readonly<Record<string, JoinedDaemon>>;
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
  cpuPriority: "auto",
  passed: {},
  origin: null,
};

export async function loadConfiguration(path: string, options: LoadOptions = {}): Promise<Loaded> {
  const problems = new Problems();
  const { contents, joined = {} } = options;
  const read =
    contents === undefined ? await readFolder(path, problems) : readContents(path, contents, problems);
  const reading = { ...read, sources: [...read.sources, ...joinedSources(joined)] };
  const env = options.env ?? process.env;
  const context: SettingsContext = { directory: reading.directory, env, problems };
  const { objects, linesPassedOver, isIncomplete } = readSources(reading, problems);
  const sorted = sortObjects(objects, problems);
  const realms = readRealms(sorted.realms, env, problems);
  const cluster = sectionLayer(sorted.sections.get("cluster") ?? [], "cluster", context);
  const services = serviceLayers(sorted, context);
  const members = readMembers(objects, sorted, { realms, cluster, services, context });
  const isLone =
    reading.isFile && sorted.daemons.length <= 1 && members.every((member) => member.is === "daemon");
  if (sorted.daemons.length === 0 && reading.sources.length > 0 && !problems.hasErrors) {
    const text = "no daemon is configured: there is nothing to keep running";
    problems.file(
      reading.isFile ? "error" : "warning",
      reading.isFile ? (reading.files[0]?.path ?? path) : path,
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
    memberTimeoutMs: clusterSettings.memberTimeoutMs,
    ...memberSettings(members, context),
  };
  const model = buildModel(members, realms, clusterSettings, services);
  checkNames(members, problems);
  for (const member of members) if (member.is === "daemon") checkDaemon(member, problems);
  if (!isLone) {
    const isWhole = !isIncomplete && !sorted.isIncomplete && members.length === sorted.daemons.length;
    checkCluster({ model, members, realms, settings, serviceSections: sorted.services, isWhole, problems });
  }
  reportPassedOver(path, sorted, linesPassedOver, problems);
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

/** All files' objects, in the order of the files. */
function readSources(reading: FolderReading, problems: Problems): FileReading {
  const objects: RawObject[] = [];
  let linesPassedOver = 0;
  let isIncomplete = problems.hasErrors;
  for (const source of reading.sources) {
    const file = readSource(source, problems);
    objects.push(...file.objects);
    linesPassedOver += file.linesPassedOver;
    isIncomplete ||= file.isIncomplete;
    if (source.content === "")
      problems.file("warning", source.path, "this file is empty: is it half written?");
  }
  return { objects, linesPassedOver, isIncomplete };
}

function buildModel(
  members: readonly Member[],
  realms: Realms,
  cluster: Pick<ClusterModel, "name" | "arbiterLeaseMs" | "clockDrift"> &
    Pick<NodeSettings, "failoverBudget">,
  services: ReadonlyMap<string, Layer>,
): ClusterModel {
  const arbiters = members.flatMap((member) => (member.is === "arbiter" ? [member.spec] : []));
  const daemons = members.flatMap((member) => (member.is === "daemon" ? [member.spec] : []));
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
    ...(cluster.failoverBudget === null
      ? {}
      : { failoverBudget: { causes: cluster.failoverBudget.moves, perMs: cluster.failoverBudget.perMs } }),
    arbiters: arbiters.length > 0 ? arbiters : [{ ...IMPLIED_ARBITER, realm: realms.defaultRealm }],
    daemons,
    services: buildServices(daemons, realms, custom),
    realms: realms.list,
  };
}

function reportPassedOver(path: string, sorted: SortedObjects, lines: number, problems: Problems): void {
  const counts = [...sorted.passedOver].map(([type, count]) => `${count} \`${type}\``);
  if (lines > 0)
    counts.push(
      `${lines} ${lines === 1 ? "line" : "lines"} of another tool's main file (\`cfg_dir\` and the like)`,
    );
  if (counts.length === 0) return;
  problems.file("information", path, `passed over, since they are not Arbiter's: ${counts.join(", ")}`);
}
