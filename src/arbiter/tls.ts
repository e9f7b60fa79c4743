/**
 * TLS of an arbiter: which files are its own, and what its server and its checks make of them.
 * `use_ssl = 1` means HTTPS or an error, never plain HTTP in silence.
 */
import { tlsFilesOf } from "../config/index.ts";
import type { Loaded } from "../config/index.ts";
import type { ArbiterSpec } from "../core/model.ts";
import { TlsSource } from "../protocol/tls.ts";
import type { CheckerTls } from "./checker.ts";
import type { ProcessLog } from "./log.ts";

export function openTls(loaded: Loaded, self: ArbiterSpec, log: ProcessLog): TlsSource {
  const files = tlsFilesOf(loaded, self.name);
  if (files.clientCert === "required" && !self.url.startsWith("https:")) {
    log.warn(
      `${self.name} serves plain HTTP, so \`client_cert = required\` does nothing for it: set \`use_ssl = 1\`.`,
    );
  }
  return new TlsSource(files, (text) => log.warn(text));
}

/** What checks are made with, as it is at the moment of each new connection. */
export function checkerTls(source: TlsSource, checksName: (daemon: string) => boolean): CheckerTls {
  return {
    get ca(): string | null {
      return source.material.ca;
    },
    get cert(): string | null {
      return source.material.cert;
    },
    get key(): string | null {
      return source.material.key;
    },
    checksName,
    expectsOwner: source.files.clientCert === "required",
  };
}
