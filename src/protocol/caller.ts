/**
 * Who calls, by the certificate that was shown (`client_cert = required`): a report is taken from
 * the daemon that it is about, a promise is given to the holder that asks for it, an assignment is
 * obeyed when an arbiter sends it. So the certificate of one machine, stolen, speaks for that
 * machine alone, whatever token lies beside it.
 *
 * A certificate's name is its subject's common name; one without is called after the only DNS name
 * that it is for. Addresses are never names: several daemons may live at one.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { bearerOf } from "./auth.ts";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";

/** A connection shows one certificate for as long as it lives. */
const known = new WeakMap<Socket, string | null>();

/** Null: none was shown, or it has no name of its own. */
export function certificateName({ socket }: Pick<IncomingMessage, "socket">): string | null {
  const before = known.get(socket);
  if (before !== undefined) return before;
  const name = socket instanceof TLSSocket && socket.authorized ? nameIn(socket.getPeerCertificate()) : null;
  known.set(socket, name);
  return name;
}

/** What is looked at of a certificate. */
export interface Named {
  readonly subject?: { readonly CN?: unknown } | undefined;
  readonly subjectaltname?: string | undefined;
}

/** Exported for its test. */
export function nameIn(certificate: Named): string | null {
  // Several common names come as a list: whose is it then?
  const common = certificate.subject?.CN;
  if (typeof common === "string" && common !== "") return common;
  if (common !== undefined) return null;
  const names = (certificate.subjectaltname ?? "").split(", ").filter((name) => name.startsWith("DNS:"));
  const [only = ""] = names;
  return names.length === 1 && /^DNS:[\w.-]+$/u.test(only) ? only.slice("DNS:".length) : null;
}

/** 403: the certificate is good, but it is somebody else's. */
export function refuseCaller(request: Pick<IncomingMessage, "socket">, wanted: string): Problem {
  const name = certificateName(request);
  const shown = name === null ? "The certificate that was shown has no name" : `The certificate is ${name}'s`;
  return problem(403, "Forbidden", `${shown}; ${wanted}.`, { code: "ERR_ARB_FORBIDDEN" });
}

/** For the record of who did what: everything but the secret. */
export interface Caller {
  /** Address of the other end. */
  readonly from: string;
  /** Name of the certificate; null: none was asked for. */
  readonly certificate: string | null;
  /** Of the token that was shown; null: none. */
  readonly token: string | null;
}

export function callerOf(request: Pick<IncomingMessage, "socket" | "headers">): Caller {
  const token = bearerOf(request.headers.authorization);
  return {
    from: plainAddress(request.socket.remoteAddress),
    certificate: certificateName(request),
    token: token === null ? null : fingerprint(token),
  };
}

/** `10.0.0.5 (certificate alice, token 3fa2)` */
export function describeCaller({ from, certificate, token }: Caller): string {
  const shown = [
    ...(certificate === null ? [] : [`certificate ${certificate}`]),
    ...(token === null ? [] : [`token ${token}`]),
  ];
  return shown.length === 0 ? from : `${from} (${shown.join(", ")})`;
}

/**
 * Tells the two tokens of a rotation apart. Sixteen bits: enough for that, and too few to find a
 * weak token with, since events may be read by anyone who may read.
 */
export function fingerprint(token: string): string {
  return createHash("sha256").update(`arbiter token ${token}`).digest("hex").slice(0, 4);
}

function plainAddress(address: string | undefined): string {
  return (address ?? "an unknown address").replace(/^::ffff:(?=\d+\.)/u, "");
}
