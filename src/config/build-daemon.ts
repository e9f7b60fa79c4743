/**
 * From an object's keys to a daemon or an arbiter as the arbiter needs it, every default filled in.
 *
 * Some defaults are computed: the lease follows the check interval, since a lease that ends between
 * two checks would lose its holder for nothing; what is computed from it follows in turn.
 */
import { timeToNotice } from "../core/lease.ts";
import type { ArbiterSpec, CpuPriority, DaemonSpec, Failback, OnArbiterLoss } from "../core/model.ts";
import { buildLaunch } from "./build-launch.ts";
import { DEFAULT_PORTS, defaultPortOf } from "./keys.ts";
import { nearest } from "./known.ts";
import { type Place, type Problems, valuePlace } from "./problem.ts";
import type { KeyReader } from "./reader.ts";
import type { RawObject } from "./raw.ts";
import { placeOf } from "./sort-objects.ts";
import { parseName } from "./values.ts";

/** From the protocol: what the lease is where nothing asks for a longer one. */
const LEASE_MS = 2000;
const INTERVALS_IN_LEASE = 5;
/** A longer interval than the default is what makes the lease give way. */
const INTERVAL_MS = 500;
const KILL_GRACE_MS = 250;

export interface Identity {
  readonly name: string;
  readonly role: "master" | "spare";
  readonly address: string;
  readonly port: number;
  readonly url: string;
  readonly realm: string;
}

/** Name, role and address; null: it has no name, which has been reported. */
export function readIdentity(
  object: RawObject,
  reader: KeyReader,
  defaultRealm: string,
  problems: Problems,
): Identity | null {
  const place = placeOf(object);
  const { type, label } = object;
  const written = reader.find("name");
  const read = reader.read("name", "name");
  if (written !== null && read === null) return null;
  if (written !== null && label !== null && written.value !== label) {
    problems.error(
      valuePlace(written),
      `the section's header says \`${label}\`, this key says \`${written.value}\``,
      { key: written.key, found: written.value, expected: `\`${label}\`` },
    );
  }
  if (written === null && label !== null && !parseName(label).ok) {
    problems.error(place, `\`${label}\` can't be a name`, {
      found: label,
      expected: "letters, digits, `-`, `_`, `.`, `:` or `@`, no spaces",
    });
    return null;
  }
  const name = read ?? label;
  if (name === null) {
    problems.error(place, `this ${type} has no name`, { key: `${type}_name`, expected: `\`${type}_name\`` });
    return null;
  }
  const port = readPort(type, reader, place, problems);
  const address = reader.need("address", "address");
  const scheme = reader.need("use_ssl", "boolean") ? "https" : "http";
  return {
    name,
    role: reader.need("spare", "boolean") ? "spare" : "master",
    address,
    port,
    url: `${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}`,
    realm: reader.read("realm", "name") ?? defaultRealm,
  };
}

function readPort(type: string, reader: KeyReader, place: Place, problems: Problems): number {
  const port = reader.read("port", "port") ?? defaultPortOf(type);
  if (port !== undefined) return port;
  if (reader.find("port") === null) {
    const near = nearest(type, Object.keys(DEFAULT_PORTS));
    problems.error(
      place,
      `a daemon of type \`${type}\` must name its port${near === null ? "" : `, or did you mean \`${near}\`?`}`,
      { key: "port", expected: "a `port` from 1 to 65535" },
    );
  }
  return 0;
}

function cpuPriorityOf(reader: KeyReader): CpuPriority {
  return reader.pick<CpuPriority>("cpu_priority", ["auto", "realtime", "normal"]);
}

export interface Built<T> {
  readonly spec: T;
  /** Defaults that were computed, for `arbiter config show`. */
  readonly computed: Readonly<Record<string, unknown>>;
}

export function buildArbiter(object: RawObject, reader: KeyReader, identity: Identity): Built<ArbiterSpec> {
  return {
    spec: {
      ...identity,
      type: "arbiter",
      electable: reader.need("electable", "boolean"),
      cpuPriority: cpuPriorityOf(reader),
      passed: passedOf(reader),
      origin: { file: object.source.path, line: object.line },
    },
    computed: { name: identity.name, port: identity.port, realm: identity.realm },
  };
}

export function buildDaemon(object: RawObject, reader: KeyReader, identity: Identity): Built<DaemonSpec> {
  const times = readTimes(reader);
  const service = reader.read("service", "name");
  const launch = buildLaunch(reader);
  const spec: DaemonSpec = {
    ...identity,
    type: object.type,
    manageSubRealms: reader.need("manage_sub_realms", "boolean"),
    service,
    spareFor: reader.read("spare_for", "list"),
    priority: reader.need("priority", "integer"),
    capacity: reader.need("capacity", "integer"),
    ...times,
    failback: reader.pick<Failback>("failback", ["auto", "manual", "never"]),
    failbackDelayMs: reader.need("failback_delay", "duration"),
    failbackDelayMaxMs: reader.need("failback_delay_max", "duration"),
    failbackWindow: reader.read("failback_window", "window"),
    failureTimeoutMs: reader.need("failure_timeout", "duration"),
    onArbiterLoss: reader.pick<OnArbiterLoss>("on_arbiter_loss", ["failsafe", "demote", "hold"]),
    activationTimeoutMs: reader.need("activation_timeout", "duration"),
    drainTimeoutMs: reader.need("drain_timeout", "duration"),
    proofByRefusal: reader.need("proof_by_refusal", "boolean"),
    useSsl: reader.need("use_ssl", "boolean"),
    hardSslNameCheck: reader.need("hard_ssl_name_check", "boolean"),
    cpuPriority: cpuPriorityOf(reader),
    launch: launch.isWritten ? launch.spec : null,
    passed: passedOf(reader),
    origin: { file: object.source.path, line: object.line },
  };
  return {
    spec,
    computed: {
      name: spec.name,
      port: spec.port,
      realm: spec.realm,
      lease: spec.leaseMs,
      drain_margin: spec.drainMarginMs,
      kill_grace: spec.killGraceMs,
      stop_timeout: launch.spec.stopTimeoutMs,
      ...(spec.role === "master" ? { service: service ?? spec.name } : {}),
    },
  };
}

interface Times {
  readonly checkIntervalMs: number;
  readonly timeoutMs: number;
  readonly maxCheckAttempts: number;
  readonly leaseMs: number;
  readonly drainMarginMs: number;
  readonly killGraceMs: number;
}

function readTimes(reader: KeyReader): Times {
  const checkIntervalMs = reader.need("check_interval", "duration");
  const timeoutMs = reader.need("timeout", "duration");
  const maxCheckAttempts = reader.need("max_check_attempts", "integer");
  const leaseMs =
    reader.read("lease", "duration") ?? computedLease(checkIntervalMs, timeoutMs, maxCheckAttempts);
  const drainMarginMs = reader.read("drain_margin", "duration") ?? Math.round(leaseMs / 4);
  const killGraceMs =
    reader.read("kill_grace", "duration") ?? Math.min(KILL_GRACE_MS, Math.floor(drainMarginMs / 2));
  return { checkIntervalMs, timeoutMs, maxCheckAttempts, leaseMs, drainMarginMs, killGraceMs };
}

export function computedLease(checkIntervalMs: number, timeoutMs: number, attempts: number): number {
  const lease =
    checkIntervalMs > INTERVAL_MS ? Math.max(LEASE_MS, INTERVALS_IN_LEASE * checkIntervalMs) : LEASE_MS;
  if (timeToNotice(lease, checkIntervalMs, timeoutMs, attempts) <= lease) return lease;
  const intervals = Math.ceil(((attempts + 1) * checkIntervalMs + timeoutMs) / checkIntervalMs);
  return intervals * checkIntervalMs;
}

/** Custom keys and other tools', the nearest layer's first. */
function passedOf(reader: KeyReader): Record<string, string> {
  const passed = new Map<string, string>();
  for (const layer of reader.layers) {
    for (const [key, entry] of layer.passed) if (!passed.has(key)) passed.set(key, entry.value);
  }
  const secret = reader.where === "daemon" ? reader.read("secret_file", "path") : null;
  if (secret !== null) passed.set("secret_file", secret);
  return Object.fromEntries([...passed].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
