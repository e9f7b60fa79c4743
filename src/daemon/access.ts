/**
 * Who may talk to one daemon, and what it shows to others: tokens, certificates, and whose they are.
 */
import { Access, refuseOpenBind, TokenSource } from "../protocol/auth.ts";
import { NO_TLS_FILES, TlsSource } from "../protocol/tls.ts";
import type { Logger, RuntimeOptions } from "./options.ts";

export interface DaemonAccess {
  readonly access: Access;
  /** The token to show, as the file has it now; null: the cluster has none. */
  readonly token: () => string | null;
  readonly tls: TlsSource;
  readonly close: () => void;
}

/**
 * Throws where the address may not be listened at without a token, or where a token file or a
 * certificate can't be used.
 */
export function openAccess(options: RuntimeOptions, logger: Logger): DaemonAccess {
  const refused = refuseOpenBind({
    address: options.host,
    hasToken: (options.tokenFile ?? null) !== null,
    insecure: options.insecure ?? false,
  });
  if (refused !== null) throw refused;
  const warn = (text: string): void => logger.warn(text);
  if (options.tls?.clientCert === "required" && options.useSsl !== true) {
    warn(
      `${options.name} serves plain HTTP, so \`client_cert = required\` does nothing for it: set \`use_ssl = 1\`.`,
    );
  }
  const tls = new TlsSource(options.tls ?? NO_TLS_FILES, warn);
  const opened: TokenSource[] = [];
  const source = (file: string | null): TokenSource | null => {
    if (file === null) return null;
    const made = new TokenSource(file, warn);
    opened.push(made);
    return made;
  };
  const close = (): void => {
    tls.close();
    for (const each of opened) each.close();
  };
  try {
    const token = source(options.tokenFile ?? null);
    const access = new Access(token, source(options.readTokenFile ?? null));
    return { access, token: () => token?.token ?? null, tls, close };
  } catch (error) {
    close();
    throw error;
  }
}
