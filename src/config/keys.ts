/**
 * Every key that a configuration may hold: one table, from which come the defaults, the checks, the
 * suggestions for misspelt keys, `arbiter config show` and docs/configuration.md (a test compares
 * them, both ways).
 *
 * Keys of a daemon are in keys-daemon.ts, those of the cluster's sections in keys-cluster.ts, those
 * of other tools, which are kept and passed on, in keys-foreign.ts.
 */
import { CLUSTER_KEYS } from "./keys-cluster.ts";
import { DAEMON_KEYS } from "./keys-daemon.ts";
import type { Kind } from "./values.ts";

/** Where a key may stand. `cluster` on a daemon's key: as a default for all. */
export type Where = "daemon" | "arbiter" | "service" | "cluster" | "store" | "security" | "alerts" | "realm";

export interface KeySpec {
  readonly name: string;
  readonly kind: Kind;
  /** What holds where nobody writes it, in the words of a file; null: nothing, or it is computed. */
  readonly fallback: string | null;
  /** For people, where `fallback` is null and yet something holds. */
  readonly computed?: string;
  readonly meaning: string;
  readonly where: readonly Where[];
  /** The only words allowed. */
  readonly oneOf?: readonly string[];
  /** Smallest number or duration (ms) allowed. */
  readonly min?: number;
  readonly max?: number;
  /** Other names of the same key. */
  readonly aliases?: readonly string[];
  /** Never shown, never hashed. */
  readonly isSecret?: boolean;
}

export const KEYS: readonly KeySpec[] = [...DAEMON_KEYS, ...CLUSTER_KEYS];

const byWhere = new Map<Where, Map<string, KeySpec>>();
for (const key of KEYS) {
  for (const where of key.where) {
    const names = byWhere.get(where) ?? new Map<string, KeySpec>();
    byWhere.set(where, names);
    for (const name of [key.name, ...(key.aliases ?? [])]) {
      // In [cluster], `name` is the cluster's own: the first one to claim a name has it.
      if (!names.has(name)) names.set(name, key);
    }
  }
}

/** By name or alias, in lower case. */
export function keysOf(where: Where): ReadonlyMap<string, KeySpec> {
  return byWhere.get(where) ?? new Map();
}

/** Keys whose value is free text, in which a `#` may be meant. */
export function isFreeText(spec: KeySpec): boolean {
  return ["text", "command", "path", "url"].includes(spec.kind) && spec.oneOf === undefined;
}

/** Ports that Alignak and Shinken gave their daemons, so that existing files work. */
export const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  arbiter: 7770,
  scheduler: 7768,
  reactionner: 7769,
  poller: 7771,
  broker: 7772,
  receiver: 7773,
};

/** Undefined: a type of the user's own, which names its port. */
export function defaultPortOf(type: string): number | undefined {
  return Object.hasOwn(DEFAULT_PORTS, type) ? DEFAULT_PORTS[type] : undefined;
}

/** What `profile = fast` stands for. */
export const FAST_PROFILE: Readonly<Record<string, string>> = {
  check_interval: "50ms",
  timeout: "40ms",
  max_check_attempts: "3",
  lease: "300ms",
  kill_grace: "40ms",
};

/** Custom keys, and a launched program's environment. */
export const CUSTOM_KEY: RegExp = /^_/u;
export const ENVIRONMENT_KEY: RegExp = /^env_[a-z_][a-z0-9_]*$/iu;

export { isSecretName } from "./secrets.ts";
