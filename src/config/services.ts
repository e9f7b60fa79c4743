/**
 * Which services there are and who may hold each: its masters, then the spares of the same type in
 * the same realm, or in one above that looks after the realms below it (`manage_sub_realms`). A
 * spare with `spare_for` backs up those services alone.
 */
import type { DaemonSpec, ServiceSpec } from "../core/model.ts";
import { compareText } from "./problem.ts";
import type { Realms } from "./realms.ts";
import { formatDuration } from "./values.ts";

export function serviceOf(master: DaemonSpec): string {
  return master.service ?? master.name;
}

function byPriority(a: DaemonSpec, b: DaemonSpec): number {
  return b.priority - a.priority || compareText(a.name, b.name);
}

export function buildServices(
  daemons: readonly DaemonSpec[],
  realms: Realms,
  custom: ReadonlyMap<string, Readonly<Record<string, string>>>,
): ServiceSpec[] {
  const masters = Map.groupBy(
    daemons.filter((daemon) => daemon.role === "master").toSorted(byPriority),
    serviceOf,
  );
  const spares = Map.groupBy(
    daemons.filter((daemon) => daemon.role === "spare").toSorted(byPriority),
    (daemon) => daemon.type,
  );
  return [...masters.entries()]
    .toSorted(([a], [b]) => compareText(a, b))
    .flatMap(([name, [first, ...others]]) => {
      if (first === undefined) return [];
      const above = realms.above(first.realm);
      const backing = (spares.get(first.type) ?? []).filter(
        (spare) =>
          (spare.realm === first.realm || (spare.manageSubRealms && above.includes(spare.realm))) &&
          (spare.spareFor === null || spare.spareFor.includes(name)),
      );
      return [serviceSpec(name, [first, ...others], first, backing, custom.get(name) ?? {})];
    });
}

function serviceSpec(
  name: string,
  masters: readonly DaemonSpec[],
  first: DaemonSpec,
  spares: readonly DaemonSpec[],
  custom: Readonly<Record<string, string>>,
): ServiceSpec {
  return {
    name,
    type: first.type,
    realm: first.realm,
    masters: masters.map((master) => master.name),
    candidates: [...masters, ...spares].map((daemon) => daemon.name),
    leaseMs: first.leaseMs,
    checkIntervalMs: first.checkIntervalMs,
    maxCheckAttempts: first.maxCheckAttempts,
    failback: first.failback,
    failbackDelayMs: first.failbackDelayMs,
    failbackDelayMaxMs: first.failbackDelayMaxMs,
    ...(first.failbackWindow === null ? {} : { failbackWindow: first.failbackWindow }),
    failureTimeoutMs: first.failureTimeoutMs,
    activationTimeoutMs: first.activationTimeoutMs,
    drainTimeoutMs: first.drainTimeoutMs,
    config: {
      ...first.passed,
      ...custom,
      on_arbiter_loss: first.onArbiterLoss,
      drain_margin: formatDuration(first.drainMarginMs),
      drain_timeout: formatDuration(first.drainTimeoutMs),
      kill_grace: formatDuration(first.killGraceMs),
    },
  };
}
