/**
 * What every call of a daemon to somebody else has in common: the cluster's token, shown as it is
 * now (a token file may change), and whom to trust behind `https`.
 */
import type { TlsFiles } from "./options.ts";
import { readPem } from "./listening.ts";

export interface CallOptions {
  /** Null: the cluster has none. */
  readonly token: () => string | null;
  readonly tls: TlsFiles | null;
}

export function bearerHeaders(options: CallOptions): Readonly<Record<string, string>> {
  const token = options.token();
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** For undici's `connect`. Where arbiters ask for a certificate, the daemon shows its own. */
export function connectOptions(options: CallOptions): {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
} {
  const { tls } = options;
  if (tls === null) return {};
  return {
    ...(tls.caFile === null ? {} : { ca: readPem(tls.caFile, "tls_ca") }),
    ...(tls.certFile === null ? {} : { cert: readPem(tls.certFile, "tls_cert") }),
    ...(tls.keyFile === null ? {} : { key: readPem(tls.keyFile, "tls_key") }),
  };
}
