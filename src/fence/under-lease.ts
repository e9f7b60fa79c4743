/**
 * The fence on the daemon itself: by its own lease, at the call and again when the answer goes out.
 * Epochs of requests are compared with the lease's and with nothing that other requests said.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { EPOCH_HEADER, epochIn, SERVICE_HEADER } from "../protocol/fencing.ts";
import { problem, sendProblem } from "../protocol/problem.ts";
import type { Problem } from "../protocol/problem.ts";

/** What the fence asks of a lease; `lease` of `activate` is one. */
export interface FencedLease {
  readonly service: string;
  readonly epoch: number;
  held(): boolean;
}

/** Who is known to hold the service, for the answer of a daemon that doesn't. */
export interface KnownHolder {
  readonly holder: string | null;
  readonly url: string | null;
  readonly epoch: number;
}

const LONGEST_NAME = 256;

/** What a request says: null where it is malformed. `epoch` is null where it carries none. */
export function readFenced(
  headers: IncomingHttpHeaders,
  own: string,
): { readonly service: string; readonly epoch: number | null } | null {
  const epoch = epochIn(headers[EPOCH_HEADER]);
  const service = serviceIn(headers[SERVICE_HEADER], own);
  return epoch === undefined || service === null ? null : { service, epoch };
}

function serviceIn(header: string | readonly string[] | undefined, own: string): string | null {
  if (header === undefined) return own;
  if (typeof header !== "string" || header.length > LONGEST_NAME) return null;
  try {
    return decodeURIComponent(header);
  } catch {
    return header;
  }
}

/** null: it may be served under this lease. */
export function refuseUnderLease(
  lease: FencedLease | null,
  service: string,
  asked: number | null,
  known: () => KnownHolder | null,
): Problem | null {
  // Whoever names a newer epoch than ours has heard of a holder that we haven't: it isn't us.
  if (lease === null || !lease.held() || (asked !== null && asked > lease.epoch)) {
    return notHolder(service, known());
  }
  return asked !== null && asked < lease.epoch ? oldEpoch(lease.service, asked, lease.epoch) : null;
}

/**
 * The answer says at which epoch it was given; one that is ready only after the lease's end is not
 * sent. What it did may have been done: so the sender learns nothing, as from any broken connection.
 */
export function answerUnderLease(response: ServerResponse, lease: FencedLease): void {
  response.setHeader(EPOCH_HEADER, String(lease.epoch));
  response.setHeader(SERVICE_HEADER, encodeURIComponent(lease.service));
  response.writeHead = new Proxy(response.writeHead.bind(response), {
    apply(writeHead, self, given): unknown {
      if (!lease.held()) response.destroy();
      return Reflect.apply(writeHead, self, given);
    },
  });
}

export function sendRefusal(response: ServerResponse, refusal: Problem): void {
  sendProblem(response, refusal, refusal.status === 503 ? { "retry-after": "1" } : {});
}

export function oldEpoch(service: string, asked: number, seen: number): Problem {
  const of = service === "" ? "" : ` of ${service}`;
  const detail = `The request is from epoch ${asked}${of}, and ${seen} has been seen: its holder is over. Ask an arbiter who holds it now.`;
  return problem(409, "Conflict", detail, { code: "ERR_ARB_OLD_EPOCH", service, epoch: seen });
}

function notHolder(service: string, known: KnownHolder | null): Problem {
  const of = service === "" ? "the service" : service;
  const where =
    known === null || known.holder === null || known.url === null
      ? "Ask an arbiter who does."
      : `${known.holder} does, at ${known.url}, as far as is known here.`;
  return problem(503, "Service Unavailable", `This daemon holds no valid lease on ${of}. ${where}`, {
    code: "ERR_ARB_NOT_HOLDER",
    service,
    holder: known?.holder ?? null,
    url: known?.url ?? null,
    epoch: known?.epoch ?? null,
  });
}

export function withoutEpoch(): Problem {
  const detail = "Requests here carry the sender's epoch: `Arbiter-Epoch: 7`.";
  return problem(428, "Precondition Required", detail, { code: "ERR_ARB_OLD_EPOCH" });
}

export function malformed(): Problem {
  const detail = "`Arbiter-Epoch` is a whole number, and `Arbiter-Service` the name of a service.";
  return problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" });
}
