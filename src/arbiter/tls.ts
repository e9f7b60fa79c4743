/**
 * Certificates and keys of `[security]`: read at the start, an error if they can't be. `use_ssl = 1`
 * on the arbiter means HTTPS or an error, never plain HTTP in silence.
 */
import { readFileSync } from "node:fs";
import type { NodeSettings } from "../config/index.ts";
import type { ArbiterSpec } from "../core/model.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";

/** Contents of PEM files. */
export interface TlsMaterial {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export interface ServerTls {
  readonly ca: string | null;
  readonly cert: string;
  readonly key: string;
  readonly requireClientCert: boolean;
}

export function readTls({ tlsCa, tlsCert, tlsKey }: NodeSettings["security"]): TlsMaterial {
  return { ca: pem("tls_ca", tlsCa), cert: pem("tls_cert", tlsCert), key: pem("tls_key", tlsKey) };
}

/** null: plain HTTP, as configured. */
export function serverTls(
  self: ArbiterSpec,
  { ca, cert, key }: TlsMaterial,
  clientCert: "none" | "required",
): ServerTls | null {
  if (!self.url.startsWith("https:")) return null;
  if (cert !== null && key !== null) return { ca, cert, key, requireClientCert: clientCert === "required" };
  throw new ArbiterError(
    "ERR_ARB_TLS",
    `${self.name} has \`use_ssl = 1\`, but [security] names no certificate. ` +
      "Add `tls_cert` and `tls_key`, or remove `use_ssl`.",
  );
}

function pem(key: string, file: string | null): string | null {
  if (file === null) return null;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ArbiterError(
      "ERR_ARB_TLS",
      `\`${key}\` in [security] names ${file}, which can't be read: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}
