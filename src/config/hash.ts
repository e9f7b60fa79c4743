/**
 * The hash that arbiters compare: of what the configuration means, not of how it is written. The
 * order of files and keys, comments and spacing don't change it; a value does. Secrets, and what
 * belongs to one machine (its paths), stay out.
 */
import { createHash } from "node:crypto";
import type { ClusterModel } from "../core/model.ts";
import { compareText } from "./problem.ts";
import { isSecretName, withoutCredentials } from "./secrets.ts";
import type { NodeSettings } from "./settings.ts";

export function hashOf(model: ClusterModel, settings: NodeSettings): string {
  const canonical = {
    ...model,
    arbiters: byName(model.arbiters),
    daemons: byName(model.daemons),
    services: byName(model.services),
    realms: byName(model.realms),
    settings: {
      store: { type: settings.store.type, url: withoutCredentials(settings.store.url) },
      failoverBudget: settings.failoverBudget,
      reloadRollback: settings.reloadRollback,
      configSync: settings.configSync,
      configSyncSchedule: settings.configSyncSchedule,
      eventRetentionMs: settings.eventRetentionMs,
      memberTimeoutMs: settings.memberTimeoutMs,
      drills: settings.drills,
      clientCert: settings.security.clientCert,
      insecure: settings.security.insecure,
      alerts: { ...settings.alerts, webhook: null, webhookSecret: null, smtp: null },
    },
  };
  return createHash("sha256").update(canonicalJson(canonical)).digest("hex");
}

function byName<T extends { readonly name: string }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => compareText(a.name, b.name));
}

/** Keys sorted, origins and secrets left out: what may be hashed and compared between machines. */
export function canonicalJson(value: unknown): string {
  return sortedJson(value, (key) => key === "origin" || isSecretName(key));
}

/** The same with secrets: to see whether anything at all has changed. Never leaves the process. */
export function comparableJson(value: unknown): string {
  return sortedJson(value, (key) => key === "origin");
}

function sortedJson(value: unknown, isLeftOut: (key: string) => boolean): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (isLeftOut(key)) return undefined;
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).toSorted(([x], [y]) => compareText(x, y)));
  });
}
