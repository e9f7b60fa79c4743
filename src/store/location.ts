/**
 * Where a store on a server is, read from its url:
 * `ENGINE://[USER[:PASSWORD]@]HOST[:PORT][,HOST…][/PATH][?NAME=VALUE&…]`.
 *
 * Strict: a parameter that Arbiter doesn't know is an error with the list of those that it does,
 * since a misspelt `tls_ca` would otherwise mean an unprotected connection.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { ArbiterError } from "../protocol/errors.ts";

export interface Endpoint {
  /** A name or an address (IPv6 without brackets), or a Unix socket's path, which begins with `/`. */
  readonly host: string;
  readonly port: number;
}

/** What Node's `tls.connect` and its callers take. */
export interface TlsSettings {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** The name that the certificate must bear, if it isn't the host's. */
  readonly servername?: string;
  readonly rejectUnauthorized: true;
}

export interface StoreLocation {
  /** For messages: without the password and without parameters. */
  readonly description: string;
  readonly endpoints: readonly Endpoint[];
  readonly user: string | null;
  readonly password: string | null;
  /** What stands behind the first `/`; empty: nothing. */
  readonly path: string;
  /** What every table's or key's name begins with. */
  readonly prefix: string;
  /** null: not encrypted. */
  readonly tls: TlsSettings | null;
}

export interface LocationForm {
  readonly defaultPort: number;
  readonly severalHosts: boolean;
  /** How such a url looks, for messages. */
  readonly example: string;
}

const PARAMETERS = ["prefix", "tls", "tls_ca", "tls_cert", "tls_key", "tls_name"] as const;
const URL_PARTS =
  /^[a-z]+:\/\/(?:(?<user>[^/?@:]*)(?::(?<password>[^/?@]*))?@)?(?<hosts>[^/?#@]*)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/u;
const HOST_PARTS = /^(?:\[(?<six>[0-9a-fA-F:.%]+)\]|(?<name>[^[\]:]+))(?::(?<port>\d{1,5}))?$/u;
/** Short enough for every engine's table names. */
const PREFIX = /^[a-z][a-z0-9_]{0,31}$/u;

export function readLocation(url: string, form: LocationForm, baseDir: string): StoreLocation {
  const parts = URL_PARTS.exec(url)?.groups;
  if (parts === undefined) throw wrong(url, "can't be understood", form);
  const hosts = (parts["hosts"] ?? "").split(",").filter((host) => host !== "");
  if (hosts.length === 0) throw wrong(url, "names no host", form);
  if (hosts.length > 1 && !form.severalHosts) {
    throw wrong(
      url,
      "names several hosts, but this engine has one primary: give the address that leads to it",
      form,
    );
  }
  const parameters = readParameters(url, parts["query"] ?? "", form);
  return {
    description: withoutSecrets(url).replace(/\?.*$/u, ""),
    endpoints: hosts.map((host) => readHost(url, host, form)),
    user: decoded(url, parts["user"], form),
    password: decoded(url, parts["password"], form),
    path: decoded(url, parts["path"], form) ?? "",
    prefix: parameters.get("prefix") ?? "arbiter",
    tls: readTls(url, parameters, form, baseDir),
  };
}

function readHost(url: string, host: string, form: LocationForm): Endpoint {
  const parts = HOST_PARTS.exec(host)?.groups;
  const port = Number(parts?.["port"] ?? form.defaultPort);
  const name = parts?.["six"] ?? decoded(url, parts?.["name"], form);
  if (name === null || name === undefined || port < 1 || port > 65_535) {
    throw wrong(url, `has "${host}" where a host belongs (IPv6 addresses stand in brackets)`, form);
  }
  return { host: name, port };
}

function readParameters(url: string, query: string, form: LocationForm): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    const known = PARAMETERS.find((parameter) => parameter === name);
    if (known === undefined) {
      throw wrong(url, `has the parameter "${name}", and only ${PARAMETERS.join(", ")} are known`, form);
    }
    if (parameters.has(known)) throw wrong(url, `gives "${name}" twice`, form);
    parameters.set(known, value);
  }
  const prefix = parameters.get("prefix");
  if (prefix !== undefined && !PREFIX.test(prefix)) {
    throw wrong(url, `has the prefix "${prefix}": small letters, digits and _ only, at most 32`, form);
  }
  return parameters;
}

function readTls(
  url: string,
  parameters: ReadonlyMap<string, string>,
  form: LocationForm,
  baseDir: string,
): TlsSettings | null {
  const wanted = parameters.get("tls");
  if (wanted !== undefined && wanted !== "0" && wanted !== "1") {
    throw wrong(url, `has "tls=${wanted}": write 1 or 0`, form);
  }
  const details = PARAMETERS.filter((name) => name.startsWith("tls_") && parameters.has(name));
  if (wanted === "0" && details.length > 0) {
    throw wrong(url, `has "tls=0" and yet "${details[0]}"`, form);
  }
  if (wanted !== "1" && details.length === 0) return null;
  if (parameters.has("tls_cert") !== parameters.has("tls_key")) {
    throw wrong(url, `needs "tls_cert" and "tls_key" together`, form);
  }
  const file = (name: string): Buffer | undefined => {
    const path = parameters.get(name);
    if (path === undefined) return undefined;
    try {
      return readFileSync(resolve(baseDir, path));
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      throw wrong(url, `has "${name}=${path}", a file that can't be read (${said})`, form);
    }
  };
  const [ca, cert, key] = [file("tls_ca"), file("tls_cert"), file("tls_key")];
  const name = parameters.get("tls_name");
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(name === undefined ? {} : { servername: name }),
    rejectUnauthorized: true,
  };
}

function decoded(url: string, part: string | undefined, form: LocationForm): string | null {
  if (part === undefined) return null;
  try {
    return decodeURIComponent(part);
  } catch {
    throw wrong(url, "has a % that begins no escape; write a plain % as %25", form);
  }
}

function wrong(url: string, what: string, form: LocationForm): ArbiterError {
  return new ArbiterError(
    "ERR_ARB_STORE_URL",
    `The store's url "${withoutSecrets(url)}" ${what}. Write it like ${form.example}.`,
  );
}

/** `mysql://user:secret@host/db` without what stands between the name and the host. */
export function withoutSecrets(url: string): string {
  // Without the slashes nobody can tell where a password would stand.
  if (!url.includes("://") && !url.startsWith("sqlite:")) return url.replace(/:.*/u, ":***");
  // Greedy up to the last @, since a password that isn't escaped may hold one.
  return url.replace(/(:\/\/[^/@:]*):.*@/u, "$1:***@");
}

/** Checks a certificate against what was written: some drivers check an address against "localhost". */
export function identityOf(
  tls: TlsSettings,
  host: string,
): (name: string, certificate: PeerCertificate) => Error | undefined {
  return (_name, certificate) => checkServerIdentity(tls.servername ?? host, certificate);
}

/** `host:port`, with brackets where they belong. */
export function endpointName({ host, port }: Endpoint): string {
  if (host.startsWith("/")) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
