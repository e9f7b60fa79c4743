/**
 * Daemons that joined a running cluster, as the files would have them: each becomes a text of its own
 * that is read together with the folder, so that defaults, checks and errors are those of any daemon.
 */
import type { JoinedDaemon } from "../core/model.ts";
import type { Source } from "./raw.ts";

/** What may be said of a daemon that joins. What runs on its machine (`command`) is its own affair. */
export const JOINED_KEYS = [
  "address",
  "port",
  "spare",
  "realm",
  "manage_sub_realms",
  "service",
  "spare_for",
  "priority",
  "capacity",
  "check_interval",
  "timeout",
  "max_check_attempts",
  "lease",
  "profile",
  "failback",
  "failback_delay",
  "failback_delay_max",
  "failure_timeout",
  "on_arbiter_loss",
  "activation_timeout",
  "drain_timeout",
  "drain_margin",
  "kill_grace",
  "use_ssl",
  "hard_ssl_name_check",
] as const;
export type JoinedKey = (typeof JOINED_KEYS)[number];

const PREFIX = "joined:";
/** Sections and objects that are no daemons. */
const NO_TYPES = new Set([
  "arbiter",
  "cluster",
  "store",
  "security",
  "alerts",
  "service",
  "realm",
  "default",
  "daemon",
  "alignak",
]);
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,254}$/u;
const TYPE = /^[a-z][\w-]{0,63}$/u;
/** Nothing that a dialect or a variable could read as something else. */
const VALUE = /^[\p{L}\p{N} ._:,/[\]-]{1,1024}$/u;

/** What can't be taken of `type`, `name` and the keys; null: it can be read. Whether it fits is for the checks. */
export function unreadable(
  type: string,
  name: string,
  keys: Readonly<Record<string, string>>,
): string | null {
  if (!TYPE.test(type) || NO_TYPES.has(type))
    return `\`type\` must be a word that is no section of the files`;
  if (!NAME.test(name))
    return "`name` must be letters, digits, `.`, `_` and `-`, and begin with a letter or digit";
  const known = new Set<string>(JOINED_KEYS);
  for (const [key, value] of Object.entries(keys)) {
    if (!known.has(key)) return `\`${key}\` is not for who joins; known are ${JOINED_KEYS.join(", ")}`;
    if (!VALUE.test(value)) return `\`${key}\` holds characters that can't be written in a file`;
  }
  return null;
}

export function joinedSources(joined: Readonly<Record<string, JoinedDaemon>>): readonly Source[] {
  return Object.entries(joined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { keys }]) => {
      const { type = "", ...rest } = keys;
      const lines = [
        `[${type} ${name}]`,
        `name = ${name}`,
        ...Object.entries(rest).map(([key, value]) => `${key} = ${value}`),
      ];
      return { path: `${PREFIX}${name}`, lines, content: lines.join("\n") };
    });
}

/** Whose text that is; null: it is a file. */
export function joinedNameOf(path: string): string | null {
  return path.startsWith(PREFIX) ? path.slice(PREFIX.length) : null;
}
