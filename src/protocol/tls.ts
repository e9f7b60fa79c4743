/**
 * The certificates of one process: read from their files, checked, and followed as the files change.
 *
 * A certificate is renewed by replacing its files; nothing has to be started again. They are looked
 * at every second, and what can't be used (a key of another certificate, since two files are never
 * replaced in one moment) leaves in force what was read before. A server takes the new ones with
 * `setSecureContext` and ends its idle connections, so that whoever calls is judged by the authority
 * as it is now. Keys stay in this process and stand in no message.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Server as SecureServer } from "node:https";
import { createSecureContext } from "node:tls";
import { ArbiterError, messageOf } from "./errors.ts";

/** Files in PEM form. */
export interface TlsFiles {
  /** Needed to serve with `use_ssl`, and to call whoever asks for a certificate. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** Whom to trust; null: the system's authorities. */
  readonly caFile: string | null;
  /** Whether whoever calls has to show a certificate that the authority signed. */
  readonly clientCert: "none" | "required";
}

/** Contents of PEM files. */
export interface TlsMaterial {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

/** Where no files are named: plain HTTP, or HTTPS to others with the system's authorities. */
export const NO_TLS_FILES: TlsFiles = { certFile: null, keyFile: null, caFile: null, clientCert: "none" };

const NO_MATERIAL: TlsMaterial = { ca: null, cert: null, key: null };
/** How soon changed files are noticed. */
const LOOK_EVERY_MS = 1_000;
/** Two weeks: time enough to issue another one. */
const ENDS_SOON_MS = 14 * 86_400_000;
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/gu;

export class TlsSource {
  readonly files: TlsFiles;
  #material: TlsMaterial = NO_MATERIAL;
  #version = 0;
  #seen = "";
  #told = "";
  #failure = "";
  readonly #servers = new Set<SecureServer>();
  readonly #timer: NodeJS.Timeout | null;
  readonly #onProblem: (text: string) => void;

  /** Throws `ERR_ARB_TLS` if the files can't be used now. */
  constructor(files: TlsFiles, onProblem: (text: string) => void = () => {}) {
    this.files = files;
    this.#onProblem = onProblem;
    this.#seen = this.#stamp();
    this.#material = readMaterial(files);
    this.#warnOfOpenKey();
    const hasFiles = files.certFile !== null || files.keyFile !== null || files.caFile !== null;
    this.#timer = hasFiles ? setInterval(() => this.look(), LOOK_EVERY_MS) : null;
    this.#timer?.unref();
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Rises when other certificates came into force. */
  get version(): number {
    return this.#version;
  }

  /** For `https.createServer`; `who` stands in the error where there is nothing to serve with. */
  serverOptions(who: string): ServerSecurity {
    const { cert, key, ca } = this.#material;
    if (cert === null || key === null) {
      throw new ArbiterError(
        "ERR_ARB_TLS",
        `${who} has \`use_ssl = 1\`, but no certificate and key to serve HTTPS with. ` +
          "Name them as `tls_cert` and `tls_key` in [security], or set `use_ssl = 0`.",
      );
    }
    const isRequired = this.files.clientCert === "required";
    if (isRequired && ca === null) {
      throw new ArbiterError(
        "ERR_ARB_TLS",
        `${who} has \`client_cert = required\`, but no \`tls_ca\` to check certificates against. Name it in [security].`,
      );
    }
    return {
      cert,
      key,
      ...(ca === null ? {} : { ca }),
      requestCert: isRequired,
      rejectUnauthorized: isRequired,
      minVersion: "TLSv1.2",
    };
  }

  /** The server serves with what is in force from now on. */
  follow(server: SecureServer): void {
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
  }

  /** Reads the files again if they have changed. */
  look(): void {
    this.#warnOfEnd();
    const stamp = this.#stamp();
    if (stamp === this.#seen) return;
    try {
      const material = readMaterial(this.files);
      this.#seen = stamp;
      this.#failure = "";
      if (isSame(material, this.#material)) return;
      this.#material = material;
      this.#version += 1;
      for (const server of this.#servers) renew(server, this.serverOptions("This server"));
    } catch (error) {
      const text = `${messageOf(error)} The certificates read before stay in force.`;
      // Said once, and only if the next look finds the same: the other file may be on its way.
      if (this.#failure === `${stamp} ${text}`) {
        this.#seen = stamp;
        this.#onProblem(text);
      }
      this.#failure = `${stamp} ${text}`;
    }
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#servers.clear();
  }

  #stamp(): string {
    const { certFile, keyFile, caFile } = this.files;
    return [certFile, keyFile, caFile].map((file) => stampOf(file)).join(" ");
  }

  /** A key that every account of the machine may read is no secret. */
  #warnOfOpenKey(): void {
    const { keyFile } = this.files;
    if (keyFile === null || (modeOf(keyFile) & 0o007) === 0) return;
    this.#onProblem(`Everybody on this machine may read the private key ${keyFile}: \`chmod 600\` it.`);
  }

  #warnOfEnd(): void {
    const { cert } = this.#material;
    if (cert === null || this.#told === cert) return;
    const endsAtMs = new X509Certificate(cert).validToDate.getTime();
    if (Date.now() < endsAtMs - ENDS_SOON_MS) return;
    this.#told = cert;
    const ends = new Date(endsAtMs).toISOString().slice(0, 10);
    this.#onProblem(
      `The certificate ${this.files.certFile} ends on ${ends}; after that nobody accepts it. ` +
        "Put another one in its place: it is read at once.",
    );
  }
}

export interface ServerSecurity {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly minVersion: "TLSv1.2";
}

/** A new context makes new session tickets, too: nobody resumes what the old authority allowed. */
function renew(server: SecureServer, options: ServerSecurity): void {
  server.setSecureContext(options);
  server.closeIdleConnections();
}

function readMaterial({ certFile, keyFile, caFile }: TlsFiles): TlsMaterial {
  const ca = readPem("tls_ca", caFile);
  const cert = readPem("tls_cert", certFile);
  const key = readPem("tls_key", keyFile);
  for (const [name, file, text] of [
    ["tls_ca", caFile, ca],
    ["tls_cert", certFile, cert],
  ] as const) {
    if (text !== null && !isCertificates(text)) {
      throw unusable(`\`${name}\` in [security] names ${file}, which holds no certificate in PEM form.`);
    }
  }
  try {
    createSecureContext({
      ...(ca === null ? {} : { ca }),
      ...(cert === null ? {} : { cert }),
      ...(key === null ? {} : { key }),
    });
  } catch (error) {
    throw unusable(
      `The certificate ${certFile ?? "(none)"} and its key ${keyFile ?? "(none)"} can't be used together ` +
        `(${messageOf(error)}). Check \`tls_cert\` and \`tls_key\` in [security].`,
      error,
    );
  }
  return { ca, cert, key };
}

function isCertificates(text: string): boolean {
  const blocks = text.match(PEM_BLOCK) ?? [];
  try {
    const certificates = blocks.map((block) => new X509Certificate(block));
    return certificates.length > 0;
  } catch {
    return false;
  }
}

function readPem(key: string, file: string | null): string | null {
  if (file === null) return null;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw unusable(
      `\`${key}\` in [security] names ${file}, which can't be read (${messageOf(error)}). ` +
        "Make the file (`arbiter pki` can), or correct the key.",
      error,
    );
  }
}

function unusable(text: string, cause?: unknown): ArbiterError {
  return new ArbiterError("ERR_ARB_TLS", text, { cause });
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  return one.ca === other.ca && one.cert === other.cert && one.key === other.key;
}

function stampOf(file: string | null): string {
  if (file === null) return "-";
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs}/${size}/${ino}`;
  } catch {
    return "gone";
  }
}

function modeOf(file: string): number {
  try {
    return statSync(file).mode;
  } catch {
    return 0;
  }
}
