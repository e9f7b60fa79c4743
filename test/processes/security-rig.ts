/**
 * What the security tests share: a cluster whose every connection is TLS with certificates on both
 * sides, made by `arbiter pki`, and requests in anyone's name.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import path from "node:path";
import { connect } from "node:tls";
import { issueCertificate, makeAuthority } from "../../src/cli/pki-authority.ts";
import type { Report } from "../../src/core/messages.ts";
import { membersOf, type Rig } from "./arbiter-rig.ts";

/** A caller's certificate and key. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface Answered {
  /** 0: there was no HTTP answer at all. */
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Folders of two authorities, one in use and one to change to, and the folder that is served from. */
export class Certificates {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async authority(name: string): Promise<void> {
    await makeAuthority(this.#in(name), `test authority ${name}`, 10);
  }

  async issue(authority: string, name: string, addresses: readonly string[] = []): Promise<Identity> {
    await issueCertificate(this.#in(authority), { name, addresses, days: 5, replace: false });
    return this.identity(authority, name);
  }

  identity(authority: string, name: string): Identity {
    return { cert: this.read(authority, `${name}.crt`), key: this.read(authority, `${name}.key`) };
  }

  read(authority: string, file: string): string {
    return readFileSync(path.join(this.#in(authority), file), "utf8");
  }

  /** Puts a file where the processes read it, as a whole. */
  serve(file: string, content: string): void {
    mkdirSync(this.served, { recursive: true });
    const target = path.join(this.served, file);
    writeFileSync(`${target}.new`, content, { mode: 0o600 });
    renameSync(`${target}.new`, target);
  }

  /** The key, then the certificate, with a moment between them in which they don't belong together. */
  serveIdentity(authority: string, name: string): void {
    const { cert, key } = this.identity(authority, name);
    this.serve(`${name}.key`, key);
    this.serve(`${name}.crt`, cert);
  }

  get served(): string {
    return path.join(this.folder, "served");
  }

  #in(authority: string): string {
    return path.join(this.folder, authority);
  }
}

/** `[security]` and `[cluster]` of a cluster that speaks TLS alone. */
export function writeSecureCluster(rig: Rig, served: string, extra = ""): void {
  rig.write(
    "arbiter.cfg",
    [
      "[cluster]",
      "name = secure",
      "use_ssl = 1",
      "arbiter_lease = 1s",
      "[security]",
      `tls_ca = ${served}/ca.crt`,
      `tls_cert = ${served}/{name}.crt`,
      `tls_key = ${served}/{name}.key`,
      "client_cert = required",
      extra,
      "",
    ].join("\n"),
  );
  rig.write(
    "daemons/arbiter-master.cfg",
    `arbiter_name  arbiter-master\naddress  127.0.0.1\nport  ${rig.port}\nspare  0\nuse_ssl  1\n`,
  );
}

export interface Asked {
  readonly ca: string;
  readonly as: Identity | null;
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request over a connection of its own. */
export async function ask(url: string, asked: Asked): Promise<Answered> {
  const { promise, resolve } = Promise.withResolvers<Answered>();
  const request = httpsRequest(
    url,
    {
      method: asked.method ?? "GET",
      ca: asked.ca,
      ...asked.as,
      agent: false,
      headers: {
        ...(asked.body === undefined ? {} : { "content-type": "application/json" }),
        ...asked.headers,
      },
    },
    (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: membersOf(text) }));
      response.on("error", () => resolve({ status: 0, body: {} }));
    },
  );
  request.on("error", () => resolve({ status: 0, body: {} }));
  request.end(asked.body === undefined ? undefined : JSON.stringify(asked.body));
  return promise;
}

/** SHA-256 of the certificate that is served there; empty: none. */
export async function servedFingerprint(port: number, ca: string, as: Identity): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port, ca, ...as, rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().fingerprint256);
    socket.destroy();
  });
  socket.on("error", () => resolve(""));
  return promise;
}

/** A good report, but for whose it is. */
export function reportOf(name: string, rest: Partial<Report> = {}): Report {
  return {
    protocol: 1,
    clusterId: null,
    name,
    stateId: `${name}-state`,
    type: "scheduler",
    role: "master",
    bootId: `${name}-boot`,
    seq: 1,
    nonce: "",
    term: 0,
    state: "waiting",
    healthy: true,
    ready: true,
    reason: "",
    launched: false,
    configVersion: "",
    dataVersion: 0,
    services: [],
    seenEpochs: {},
    promises: [],
    refusesExpiryForMs: 0,
    refusals: [],
    ...rest,
  };
}

/** The members of a value that should be an object; none of anything else. */
export function membersIn(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** The objects of a list in an answer. */
export function listIn(body: Record<string, unknown>, name: string): readonly Record<string, unknown>[] {
  const list: unknown = body[name];
  return Array.isArray(list) ? list.map((item) => membersIn(item)) : [];
}
