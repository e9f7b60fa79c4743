/**
 * What a daemon's process reads from its own file and from nowhere else: the program, its hooks, its own
 * margins. Whatever else its file says the arbiter goes by, and tells it with each assignment.
 *
 * A short hash of them stands in the daemon's report, and the arbiter has one of the file that it has
 * itself: where the two differ, a spare would start what somebody has changed since. Values are taken as
 * they are written, before variables of a machine's environment are put in; secrets are left out.
 */
import { createHash } from "node:crypto";
import { LAUNCH_KEYS } from "./keys-launch.ts";
import type { Member } from "./member.ts";
import type { Entry } from "./raw.ts";
import { isSecretName } from "./secrets.ts";

const OWN_KEYS = [
  ...LAUNCH_KEYS.map(({ name }) => name),
  "kill_grace",
  "drain_margin",
  "drain_timeout",
  "on_arbiter_loss",
  "cpu_priority",
];
/** Its own section, and what templates or [DEFAULT] give it; a cluster's defaults are no daemon's own. */
const OWN_LAYERS = 2;
const SHORT = 16;

/** Empty: its file says nothing of that, which is then the business of its machine alone. */
export function ownConfigOf({ reader }: Member): string {
  const written = new Map<string, string>();
  for (const { keys, env } of reader.layers.slice(0, OWN_LAYERS)) {
    for (const name of OWN_KEYS) note(written, name, keys.get(name));
    for (const [name, entry] of env) note(written, `env_${name}`, entry);
  }
  if (written.size === 0) return "";
  const sorted = [...written].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(sorted)).digest("base64url").slice(0, SHORT);
}

/** The nearest layer's counts. */
function note(written: Map<string, string>, name: string, entry: Entry | undefined): void {
  if (entry === undefined || written.has(name) || isSecretName(name)) return;
  const hasVariables = entry.written.includes("${") || entry.written.includes("%(");
  written.set(name, hasVariables ? entry.written : entry.value);
}
