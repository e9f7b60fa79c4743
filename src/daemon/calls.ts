/**
 * What every call of a daemon to somebody else has in common: the cluster's token, shown as it is
 * now (a token file may change), and whom to trust behind `https` (certificates may, too).
 */
import { buildConnector } from "undici";
import { NO_SESSIONS } from "../protocol/expected-peer.ts";
import type { TlsSource } from "../protocol/tls.ts";

export interface CallOptions {
  /** Null: the cluster has none. */
  readonly token: () => string | null;
  readonly tls: TlsSource;
}

export function bearerHeaders(options: CallOptions): Readonly<Record<string, string>> {
  const token = options.token();
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/**
 * For undici's `connect`: each new connection is made with the certificates in force. Where the
 * other side asks for a certificate, the daemon shows its own.
 */
export function connectorOf({ tls }: CallOptions, timeoutMs: number | null): buildConnector.connector {
  let version = -1;
  let connect: buildConnector.connector | null = null;
  return (options, callback) => {
    if (connect === null || tls.version !== version) {
      ({ version } = tls);
      const { ca, cert, key } = tls.material;
      connect = buildConnector({
        ...(ca === null ? {} : { ca }),
        ...(cert === null ? {} : { cert }),
        ...(key === null ? {} : { key }),
        ...(timeoutMs === null ? {} : { timeout: timeoutMs }),
        ...(tls.files.clientCert === "required" ? NO_SESSIONS : {}),
      });
    }
    connect(options, callback);
  };
}
