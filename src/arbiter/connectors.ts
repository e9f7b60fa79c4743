/** How connections to daemons are made: with which certificates, and what of the other end is checked. */
import { createSecureContext } from "node:tls";
import { buildConnector } from "undici";
import { NO_SESSIONS } from "../protocol/expected-peer.ts";
import type { CheckerTls } from "./checker.ts";

/** Two for all daemons: one that checks the certificate's name, one that checks the rest alone. */
export interface Connectors {
  readonly named: buildConnector.connector;
  readonly unnamed: buildConnector.connector;
  /** Whether they were made with what is in force now. */
  areOf(tls: CheckerTls): boolean;
}

export function connectors(tls: CheckerTls | null): Connectors {
  const { ca = null, cert = null, key = null, expectsOwner = false } = tls ?? {};
  const secureContext = createSecureContext({
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  });
  // The deadline of the check covers connecting, too.
  const sessions = expectsOwner ? NO_SESSIONS : {};
  const common = { secureContext, allowH2: false, timeout: 0, noDelay: true, ...sessions } as const;
  return {
    named: buildConnector(common),
    unnamed: buildConnector({ ...common, checkServerIdentity: () => undefined }),
    areOf: (now) => now.ca === ca && now.cert === cert && now.key === key,
  };
}
