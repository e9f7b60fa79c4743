/**
 * Tokens of one daemon: what it asks of callers, and what it shows to others.
 */
import { Access, refuseOpenBind, TokenSource } from "../protocol/auth.ts";
import type { Logger, RuntimeOptions } from "./options.ts";

export interface DaemonAccess {
  readonly access: Access;
  /** The token to show, as the file has it now; null: the cluster has none. */
  readonly token: () => string | null;
}

/** Throws where the address may not be listened at without a token, or a token file can't be used. */
export function openAccess(options: RuntimeOptions, logger: Logger): DaemonAccess {
  const refused = refuseOpenBind({
    address: options.host,
    hasToken: (options.tokenFile ?? null) !== null,
    insecure: options.insecure ?? false,
  });
  if (refused !== null) throw refused;
  const source = (file: string | null): TokenSource | null =>
    file === null ? null : new TokenSource(file, (text) => logger.warn(text));
  const token = source(options.tokenFile ?? null);
  const access = new Access(token, source(options.readTokenFile ?? null));
  return { access, token: () => token?.token ?? null };
}
