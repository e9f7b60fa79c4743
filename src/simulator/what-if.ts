/**
 * What would be if …: the same cluster with another setting, or with one more spare. The change is made
 * to the model, as if each file said it.
 */
import { timeToNotice } from "../core/lease.ts";
import type { ClusterModel, DaemonSpec, ServiceSpec } from "../core/model.ts";

export type Changed =
  | { readonly ok: true; readonly model: ClusterModel }
  | { readonly ok: false; readonly error: string };

/** Keys with a duration, and the member that they set. */
const DURATIONS = {
  lease: "leaseMs",
  check_interval: "checkIntervalMs",
  timeout: "timeoutMs",
  failback_delay: "failbackDelayMs",
  failback_delay_max: "failbackDelayMaxMs",
  failure_timeout: "failureTimeoutMs",
  activation_timeout: "activationTimeoutMs",
  drain_timeout: "drainTimeoutMs",
} as const;
const COUNTS = { max_check_attempts: "maxCheckAttempts", capacity: "capacity" } as const;

export const WHAT_IF_KEYS: readonly string[] = [
  ...Object.keys(DURATIONS),
  ...Object.keys(COUNTS),
  "failback",
  "arbiter_lease",
  "spares",
  "arbiters",
];

/** `value`: as in a file; of `spares` and `arbiters`: `+1`. `readDuration`: milliseconds; null: it is none. */
export function whatIf(
  model: ClusterModel,
  key: string,
  value: string,
  readDuration: (text: string) => number | null,
): Changed {
  if (key === "spares") return moreSpares(model, value);
  if (key === "arbiters") return moreArbiters(model, value);
  if (key === "failback")
    return value === "auto" || value === "manual" || value === "never"
      ? fits(withMembers(model, { failback: value }))
      : no("failback is auto, manual or never");
  if (isKey(COUNTS, key)) {
    const count = Number(value);
    return Number.isInteger(count) && count > 0
      ? fits(withMembers(model, { [COUNTS[key]]: count }))
      : no(`${key} is a whole number above 0`);
  }
  const durationMs = readDuration(value);
  if (durationMs === null || durationMs <= 0) return no(`${key} is a duration, 1s or 300ms for example`);
  if (key === "arbiter_lease") return { ok: true, model: { ...model, arbiterLeaseMs: durationMs } };
  if (!isKey(DURATIONS, key))
    return no(`there is no such setting to try; these can be: ${WHAT_IF_KEYS.join(", ")}`);
  return fits(withMembers(model, { [DURATIONS[key]]: durationMs }));
}

function no(error: string): Changed {
  return { ok: false, error };
}

function isKey<T extends object>(table: T, key: string): key is keyof T & string {
  return Object.hasOwn(table, key);
}

/** Those members that a daemon, or a service, has. */
function withMembers(model: ClusterModel, members: Readonly<Record<string, unknown>>): ClusterModel {
  const change = <T extends DaemonSpec | ServiceSpec>(spec: T): T => {
    const own = Object.fromEntries(Object.entries(members).filter(([name]) => Object.hasOwn(spec, name)));
    return { ...spec, ...own };
  };
  return { ...model, daemons: model.daemons.map(change), services: model.services.map(change) };
}

/** The same rule that the configuration is checked by: so many checks, and a time-out, fit into a lease. */
function fits(model: ClusterModel): Changed {
  for (const { name, leaseMs, checkIntervalMs, maxCheckAttempts, masters } of model.services) {
    const timeoutMs = model.daemons.find((daemon) => daemon.name === masters[0])?.timeoutMs ?? 0;
    const needsMs = timeToNotice(leaseMs, checkIntervalMs, timeoutMs, maxCheckAttempts);
    if (needsMs > leaseMs)
      return no(
        `a lease of ${leaseMs} ms of ${name} leaves no time for ${maxCheckAttempts + 1} checks and a time-out (${Math.ceil(needsMs)} ms); change check_interval, timeout or max_check_attempts with it`,
      );
  }
  return { ok: true, model };
}

function additional(value: string): number | null {
  const count = /^\+([1-9])$/u.exec(value)?.[1];
  return count === undefined ? null : Number(count);
}

/** One for each type and realm that has services, on a machine of its own. */
function moreSpares(model: ClusterModel, value: string): Changed {
  const more = additional(value);
  if (more === null) return no("spares takes +1 to +9");
  const added: DaemonSpec[] = [];
  let services = model.services;
  for (const { realm, type } of new Map(
    model.services.map((one) => [`${one.type} ${one.realm}`, one]),
  ).values()) {
    const master = model.daemons.find((daemon) =>
      services.some(
        (service) =>
          service.type === type && service.realm === realm && service.masters.includes(daemon.name),
      ),
    );
    if (master === undefined) continue;
    for (let index = 1; index <= more; index += 1) {
      const name = `${type}-more-${index}${realm === "All" ? "" : `-${realm}`}`;
      const address = `more-${name}`;
      added.push({ ...master, name, role: "spare", service: null, address, url: `http://${address}` });
      services = services.map((one) =>
        one.type === type && one.realm === realm ? { ...one, candidates: [...one.candidates, name] } : one,
      );
    }
  }
  return { ok: true, model: { ...model, daemons: [...model.daemons, ...added], services } };
}

function moreArbiters(model: ClusterModel, value: string): Changed {
  const more = additional(value);
  const [first] = model.arbiters;
  if (more === null || first === undefined) return no("arbiters takes +1 to +9");
  const added = Array.from({ length: more }, (_, index) => {
    const name = `arbiter-more-${index + 1}`;
    return {
      ...first,
      name,
      role: "spare" as const,
      electable: true,
      address: `more-${name}`,
      url: `http://more-${name}`,
    };
  });
  return { ok: true, model: { ...model, arbiters: [...model.arbiters, ...added] } };
}
