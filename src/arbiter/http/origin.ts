/**
 * Who really asks, where an arbiter passes a request on for somebody else. It stands in the event
 * log beside the command and grants nothing: what may be done was decided where the request came
 * in, and again here by the arbiter's own token and certificate.
 */
import type { IncomingMessage } from "node:http";
import { callerOf } from "../../protocol/caller.ts";
import type { Caller } from "../../protocol/caller.ts";

/** Names the arbiter that passes it on. A request that has it is never passed on again. */
export const FORWARDED_BY = "arbiter-forwarded-by";
/** The first caller, as JSON: `{from, certificate, token}`. */
export const FORWARDED_FOR = "arbiter-forwarded-for";

export interface Origin extends Caller {
  /** The arbiter that passed it on, and from where; null: it came straight here. */
  readonly via: string | null;
}

export function isForwarded({ headers }: Pick<IncomingMessage, "headers">): boolean {
  return headers[FORWARDED_BY] !== undefined;
}

export function originCaller(request: Pick<IncomingMessage, "socket" | "headers">): Origin {
  const caller = callerOf(request);
  const by = request.headers[FORWARDED_BY];
  const first = firstCaller(request.headers[FORWARDED_FOR]);
  // Where certificates are shown, an arbiter speaks for others and nobody else does.
  const isItself = caller.certificate === null || caller.certificate === by;
  if (typeof by !== "string" || !NAME.test(by) || first === null || !isItself)
    return { ...caller, via: null };
  return { ...first, via: `${by} at ${caller.from}` };
}

/** Headers that pass the caller on. */
export function forwardingHeaders(
  name: string,
  request: Pick<IncomingMessage, "socket" | "headers">,
): Record<string, string> {
  return { [FORWARDED_BY]: encodeURIComponent(name), [FORWARDED_FOR]: headerJson(callerOf(request)) };
}

/** What may stand in a line of the log. */
const NAME = /^[\w.~%-]{1,255}$/u;
const WORD = /^[^\p{Cc}]{0,255}$/u;

/** Headers are Latin; names may be anything. */
function headerJson(caller: Caller): string {
  return encodeURIComponent(JSON.stringify(caller));
}

function firstCaller(header: string | string[] | undefined): Caller | null {
  if (typeof header !== "string" || header.length > 4_096) return null;
  let value: unknown;
  try {
    value = JSON.parse(decodeURIComponent(header));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const members: Readonly<Record<string, unknown>> = { ...value };
  const word = (name: string): string | null => {
    const text = members[name];
    return typeof text === "string" && WORD.test(text) ? text : null;
  };
  const from = word("from");
  return from === null ? null : { from, certificate: word("certificate"), token: word("token") };
}
