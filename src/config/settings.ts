/**
 * What a node needs to know besides the cluster's model: where it keeps its state, which store it
 * shares, whom it trusts, whom it alerts. Paths are made absolute here; secrets are never shown and
 * never hashed (`publicSettings` is what may be).
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { reasonOf } from "./files.ts";
import { type Layer, layerOf } from "./layer.ts";
import { type Place, type Problems, valuePlace } from "./problem.ts";
import type { Entry, RawObject } from "./raw.ts";
import { KeyReader } from "./reader.ts";
import { placeOf, type SettingsSection, type SortedObjects } from "./sort-objects.ts";
import { type Budget, PARSERS } from "./values.ts";
import type { Scope } from "./variables.ts";

export type StoreType = "sqlite" | "mysql" | "postgres" | "etcd" | "zookeeper" | "quorum";
const STORE_TYPES: readonly StoreType[] = ["sqlite", "mysql", "postgres", "etcd", "zookeeper", "quorum"];

export interface NodeSettings {
  /** As written; null: nobody wrote it, see `stateDirOf`. */
  readonly stateDir: string | null;
  readonly store: { readonly type: StoreType; readonly url: string };
  readonly security: {
    readonly tokenFile: string | null;
    readonly readTokenFile: string | null;
    readonly tlsCert: string | null;
    readonly tlsKey: string | null;
    readonly tlsCa: string | null;
    readonly clientCert: "none" | "required";
    /** null: the own address. */
    readonly bind: string | null;
    readonly insecure: boolean;
  };
  readonly alerts: {
    readonly webhook: string | null;
    /** What posts are signed with; null: they aren't. */
    readonly webhookSecret: string | null;
    readonly command: readonly string[] | null;
    readonly smtp: string | null;
    readonly mailTo: readonly string[];
    /** null: `arbiter@` the host. */
    readonly mailFrom: string | null;
    /** The end of a trouble is told, too. */
    readonly recovery: boolean;
    /** Messages to each target. */
    readonly rateLimit: Budget;
    /** null: every alert. */
    readonly webhookEvents: readonly string[] | null;
    readonly commandEvents: readonly string[] | null;
    readonly mailEvents: readonly string[] | null;
  };
  readonly failoverBudget: Budget | null;
  readonly reloadRollback: "manual" | "auto";
  readonly configSync: "warn" | "enforce" | "replicate";
  readonly configSyncSchedule: string | null;
  readonly eventRetentionMs: number;
  /** After so long without an answer a daemon that joined is dropped. */
  readonly memberTimeoutMs: number;
  /** By service. */
  readonly drills: Readonly<
    Record<string, { readonly schedule: string; readonly maxAgeMs: number; readonly holdMs: number }>
  >;
  /** By daemon or arbiter: a `token_file` in its own file. */
  readonly ownTokenFiles: Readonly<Record<string, string>>;
  /** By daemon: a hash of what its process reads from its own file; absent: the files say nothing of that. */
  readonly ownConfigs: Readonly<Record<string, string>>;
}

/** As the key's own default says. */
const DEFAULT_RATE: Budget = { moves: 10, perMs: 60_000 };

export interface SettingsContext {
  readonly directory: string;
  readonly env: Scope["env"];
  readonly problems: Problems;
}

/** One layer of all sections of that name: a key that stands in two of them is written twice. */
export function sectionLayer(
  objects: readonly RawObject[],
  where: SettingsSection,
  context: SettingsContext,
): Layer {
  const [first] = objects;
  if (first === undefined) return { keys: new Map(), passed: new Map(), env: new Map() };
  for (const object of objects) {
    if (object.label !== null) {
      context.problems.error(placeOf(object), `\`[${where} ${object.label}]\`: this section takes no name`, {
        found: object.label,
        expected: `\`[${where}]\``,
      });
    }
  }
  const all: RawObject = { ...first, entries: objects.flatMap((object) => object.entries) };
  const keys = new Map(all.entries.map((entry) => [entry.name, entry.value]));
  return layerOf(all, { where, type: where, scope: { keys, env: context.env }, problems: context.problems });
}

export interface ClusterSettings {
  readonly name: string;
  readonly arbiterLeaseMs: number;
  readonly clockDrift: number;
}

export function readCluster(
  layer: Layer,
  sorted: SortedObjects,
  problems: Problems,
): ClusterSettings &
  Pick<
    NodeSettings,
    | "stateDir"
    | "failoverBudget"
    | "reloadRollback"
    | "configSync"
    | "configSyncSchedule"
    | "eventRetentionMs"
    | "memberTimeoutMs"
  > {
  const reader = readerOf(layer, "cluster", sorted, problems);
  return {
    name: reader.need("name", "name"),
    arbiterLeaseMs: reader.need("arbiter_lease", "duration"),
    clockDrift: reader.need("clock_drift", "ratio"),
    stateDir: reader.read("state_dir", "path"),
    failoverBudget: reader.read("failover_budget", "budget"),
    reloadRollback: reader.pick<NodeSettings["reloadRollback"]>("reload_rollback", ["manual", "auto"]),
    configSync: reader.pick<NodeSettings["configSync"]>("config_sync", ["warn", "enforce", "replicate"]),
    configSyncSchedule: reader.read("config_sync_schedule", "cron"),
    eventRetentionMs: reader.need("event_retention", "duration"),
    memberTimeoutMs: reader.need("member_timeout", "duration"),
  };
}

export async function readStore(
  sorted: SortedObjects,
  context: SettingsContext,
): Promise<NodeSettings["store"]> {
  const { problems } = context;
  const reader = readerOf(
    sectionLayer(sorted.sections.get("store") ?? [], "store", context),
    "store",
    sorted,
    problems,
  );
  const written = reader.find("url") ?? reader.find("url_file");
  const url = await valueOrFile(reader, "url", context);
  const type = reader.choose("type", STORE_TYPES);
  const scheme = url === null ? null : schemeOf(url);
  const place = written === null ? reader.place : valuePlace(written);
  if (url !== null && scheme === null) {
    problems.error(place, "this is no store's URL", {
      key: "url",
      expected: "`sqlite:PATH`, `mysql://…`, `postgres://…`, `etcd://…` or `zookeeper://…`",
    });
  } else if (type !== null && scheme !== null && scheme !== type) {
    problems.error(place, `the store's \`type\` is \`${type}\`, its \`url\` is one of \`${scheme}\``, {
      key: "url",
      found: scheme,
      expected: `\`${type}:…\``,
    });
  } else if (type !== null && type !== "sqlite" && type !== "quorum" && url === null && written === null) {
    problems.error(reader.place, `a store of type \`${type}\` needs its \`url\``, {
      key: "url",
      expected: `\`${type}://…\``,
    });
  }
  const chosen = type ?? scheme ?? "sqlite";
  if (chosen === "quorum") {
    const entry = reader.find("type") ?? written;
    problems.error(
      entry === null ? reader.place : valuePlace(entry),
      "the `quorum` store does not exist yet: choose another one",
      { key: entry?.key ?? "type", found: "quorum", expected: "sqlite, mysql, postgres, etcd or zookeeper" },
    );
  }
  return { type: chosen, url: url ?? "sqlite:arbiter.db" };
}

function schemeOf(url: string): StoreType | null {
  const scheme = /^([a-z]+):/iu.exec(url)?.[1]?.toLowerCase() ?? "";
  const known: Readonly<Record<string, StoreType>> = {
    sqlite: "sqlite",
    mysql: "mysql",
    mariadb: "mysql",
    postgres: "postgres",
    postgresql: "postgres",
    etcd: "etcd",
    zookeeper: "zookeeper",
    quorum: "quorum",
  };
  return known[scheme] ?? null;
}

export function readSecurity(sorted: SortedObjects, context: SettingsContext): NodeSettings["security"] {
  const reader = readerOf(
    sectionLayer(sorted.sections.get("security") ?? [], "security", context),
    "security",
    sorted,
    context.problems,
  );
  const path = (name: string): string | null => absolute(reader.read(name, "path"), context);
  const security = {
    tokenFile: path("token_file"),
    readTokenFile: path("read_token_file"),
    tlsCert: path("tls_cert"),
    tlsKey: path("tls_key"),
    tlsCa: path("tls_ca"),
    clientCert: reader.pick<"none" | "required">("client_cert", ["none", "required"]),
    bind: reader.read("bind", "text"),
    insecure: reader.need("insecure", "boolean"),
  };
  const needs = (has: string, lacks: string): void => {
    const entry = reader.find(has);
    if (entry !== null && reader.find(lacks) === null) {
      context.problems.error(valuePlace(entry), `\`${has}\` needs \`${lacks}\` beside it`, {
        key: entry.key,
        expected: `\`${lacks}\``,
      });
    }
  };
  needs("tls_cert", "tls_key");
  needs("tls_key", "tls_cert");
  if (security.clientCert === "required") needs("client_cert", "tls_ca");
  return security;
}

export async function readAlerts(
  sorted: SortedObjects,
  context: SettingsContext,
): Promise<NodeSettings["alerts"]> {
  const reader = readerOf(
    sectionLayer(sorted.sections.get("alerts") ?? [], "alerts", context),
    "alerts",
    sorted,
    context.problems,
  );
  const events = reader.read("events", "list");
  const smtp = await valueOrFile(reader, "smtp", context);
  const mailTo = reader.read("mail_to", "list") ?? [];
  const mail = reader.find("mail_to");
  if (mail !== null && smtp === null && reader.find("smtp_file") === null) {
    context.problems.error(valuePlace(mail), "`mail_to` needs `smtp` beside it", {
      key: mail.key,
      expected: "`smtp` or `smtp_file`",
    });
  }
  return {
    webhook: await valueOrFile(reader, "webhook", context),
    webhookSecret: await contentOf(reader, "webhook_secret_file", context),
    command: reader.read("command", "command"),
    smtp,
    mailTo,
    mailFrom: reader.read("mail_from", "text"),
    recovery: reader.read("recovery", "boolean") ?? true,
    rateLimit: reader.read("rate_limit", "budget") ?? DEFAULT_RATE,
    webhookEvents: reader.read("webhook_events", "list") ?? events,
    commandEvents: reader.read("command_events", "list") ?? events,
    mailEvents: reader.read("mail_events", "list") ?? events,
  };
}

/** What the file named by `key` holds; null: none is named. */
async function contentOf(reader: KeyReader, key: string, context: SettingsContext): Promise<string | null> {
  const entry = reader.find(key);
  if (entry === null) return null;
  const text = await readNamed(entry, context);
  if (text !== "") return text;
  context.problems.error(valuePlace(entry), `${entry.value} is empty`, {
    key: entry.key,
    found: entry.value,
  });
  return null;
}

/** The content of the file that a key names, without white space around it; null: it can't be read. */
async function readNamed(entry: Entry, context: SettingsContext): Promise<string | null> {
  const path = resolve(context.directory, entry.value);
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    const found = { key: entry.key, found: entry.value };
    context.problems.error(valuePlace(entry), `can't read ${path}: ${reasonOf(error)}`, found);
    return null;
  }
}

/** `KEY`, or the content of `KEY_file`. */
async function valueOrFile(
  reader: KeyReader,
  name: string,
  context: SettingsContext,
): Promise<string | null> {
  const kind = reader.spec(name).kind === "url" ? "url" : "text";
  const direct = reader.read(name, kind);
  const entry = reader.find(`${name}_file`);
  if (entry === null) return direct;
  const place = valuePlace(entry);
  if (direct !== null) {
    context.problems.error(place, `\`${name}\` and \`${name}_file\` say the same thing twice`, {
      key: entry.key,
      expected: "one of the two",
    });
    return direct;
  }
  const text = await readNamed(entry, context);
  if (text === null) return null;
  const parsed = PARSERS[kind](text);
  if (parsed.ok) return parsed.value;
  context.problems.error(place, `what ${entry.value} holds can't be \`${name}\``, {
    key: entry.key,
    expected: parsed.expected,
  });
  return null;
}

function readerOf(
  layer: Layer,
  where: SettingsSection,
  sorted: SortedObjects,
  problems: Problems,
): KeyReader {
  const [object] = sorted.sections.get(where) ?? [];
  const nowhere: Place = { source: { path: ".", lines: [], content: "" }, line: 1, column: 1, length: 1 };
  return new KeyReader([layer], where, problems, object === undefined ? nowhere : placeOf(object));
}

export function absolute(path: string | null, context: Pick<SettingsContext, "directory">): string | null {
  return path === null ? null : resolve(context.directory, path);
}
