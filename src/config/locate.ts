/** Where the configuration is, where state is kept, and which of the arbiters this one is. */
import { statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { ArbiterSpec, ClusterModel } from "../core/model.ts";
import type { Loaded } from "./load.ts";
import { hostKey, isLoopback } from "./semantics.ts";

export type Located =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly error: string };

/** `--config`, `$ARBITER_CONFIG`, `./etc/arbiter`, `/etc/arbiter`. */
export function resolveConfigPath(options: {
  readonly flag?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}): Located {
  const env = options.env ?? process.env;
  const cwd = options.cwd ?? process.cwd();
  const chosen = options.flag ?? env["ARBITER_CONFIG"];
  if (chosen !== undefined && chosen !== "") return { ok: true, path: resolve(cwd, chosen) };
  const places = [resolve(cwd, "etc/arbiter"), "/etc/arbiter"];
  const path = places.find((place) => statSync(place, { throwIfNoEntry: false }) !== undefined);
  if (path !== undefined) return { ok: true, path };
  return {
    ok: false,
    error: `no configuration: neither ${places.join(" nor ")} exists. Say \`--config DIR\`, set $ARBITER_CONFIG, or write a sample with \`arbiter init\`.`,
  };
}

/** The folder that state is kept in; with `name`, the sub-folder of that daemon or arbiter. */
export function stateDirOf(loaded: Pick<Loaded, "directory" | "settings">, name?: string): string {
  const { directory, settings } = loaded;
  const base =
    settings.stateDir === null ? defaultStateDir(directory) : resolve(directory, settings.stateDir);
  return name === undefined ? base : join(base, name);
}

function defaultStateDir(directory: string): string {
  // A daemon's own file lies in `daemons` of the folder.
  const folder = basename(directory) === "daemons" ? dirname(directory) : directory;
  if (folder === `${sep}etc${sep}arbiter`) return "/var/lib/arbiter";
  const parts = folder.split(sep);
  const etc = parts.lastIndexOf("etc");
  return etc > 0 ? [...parts.slice(0, etc), "var"].join(sep) || `${sep}var` : join(folder, "var");
}

/** The token that a daemon or arbiter uses: its own file's, else that of [security]. */
export function tokenFileOf(loaded: Pick<Loaded, "settings">, name: string): string | null {
  return loaded.settings.ownTokenFiles[name] ?? loaded.settings.security.tokenFile;
}

/** The certificate files that a daemon or arbiter uses: one folder may name everyone's, as `{name}.crt`. */
export function tlsFilesOf(
  loaded: Pick<Loaded, "settings">,
  name: string,
): {
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly caFile: string | null;
  readonly clientCert: "none" | "required";
} {
  const { tlsCert, tlsKey, tlsCa, clientCert } = loaded.settings.security;
  const own = (file: string | null): string | null => file?.replaceAll("{name}", name) ?? null;
  return { certFile: own(tlsCert), keyFile: own(tlsKey), caFile: tlsCa, clientCert };
}

export type Chosen =
  | { readonly ok: true; readonly arbiter: ArbiterSpec }
  | { readonly ok: false; readonly error: string };

/** Which arbiter this process is: the one named, the one at an address of this machine, the only one. */
export function whichArbiter(
  model: Pick<ClusterModel, "arbiters">,
  options: { readonly name?: string | undefined; readonly localAddresses?: readonly string[] },
): Chosen {
  const { arbiters } = model;
  const listed = arbiters.map((arbiter) => `${arbiter.name} (${arbiter.address}:${arbiter.port})`).join(", ");
  if (options.name !== undefined) {
    const named = arbiters.find((arbiter) => arbiter.name === options.name);
    return named === undefined
      ? { ok: false, error: `no arbiter is called ${options.name}; there are: ${listed}` }
      : { ok: true, arbiter: named };
  }
  const [only, ...others] = arbiters;
  if (only !== undefined && others.length === 0) return { ok: true, arbiter: only };
  const local = new Set((options.localAddresses ?? []).map(hostKey));
  const here = arbiters.filter(
    (arbiter) => local.has(hostKey(arbiter.address)) || isLoopback(arbiter.address),
  );
  const [found, ...more] = here;
  if (found !== undefined && more.length === 0) return { ok: true, arbiter: found };
  const why =
    here.length === 0
      ? "none of them has an address of this machine"
      : "more than one has an address of this machine";
  return { ok: false, error: `which arbiter is this? There are: ${listed}; ${why}. Say \`--name NAME\`.` };
}
