/**
 * The receiver's end of the fencing token: what closes the last gap that a lease leaves open.
 *
 * A holder can be frozen in the instant between asking for its lease and acting. Whoever receives
 * what it does can tell: an epoch that is older than one already seen is an old holder's, or comes
 * from a client that hasn't heard of the new one. Both are refused with 409.
 *
 * On the daemon itself the fence judges by the daemon's own lease as well, at the call and again
 * when the answer goes out: without a lease that is valid now a request is refused with 503 and the
 * holder's address, and an answer that was frozen on its way is cut off, not sent.
 *
 * It is no authentication: whoever may send requests may send any epoch. And what a receiver keeps
 * in memory it forgets at its restart: where that matters, `remember` and `newest` keep it, or the
 * database compares the epoch in the statement that writes.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Problem } from "../protocol/problem.ts";
import {
  answerUnderLease,
  malformed,
  oldEpoch,
  readFenced,
  refuseUnderLease,
  sendRefusal,
  withoutEpoch,
} from "./under-lease.ts";
import type { FencedLease, KnownHolder } from "./under-lease.ts";

export interface FenceOptions {
  /** The service of requests that name none in `Arbiter-Service`. (Default: the empty name.) */
  readonly service?: string;
  /** Refuse a request that carries no epoch, with 428. (Default: it passes.) */
  readonly required?: boolean;
  /** Epochs that were seen before this start, by service. (Default: none.) */
  readonly newest?: Readonly<Record<string, number>>;
  /** Keeps a newer epoch before its first request passes; a request whose epoch can't be kept fails. */
  readonly remember?: (service: string, epoch: number) => void | Promise<void>;
  /**
   * On a daemon: the lease under which a request to this service may be served; null: none.
   * (Default: this is no daemon, and only epochs are compared.)
   */
  readonly lease?: (service: string) => FencedLease | null;
  /** On a daemon: who holds the service, as far as is known. (Default: nobody knows.) */
  readonly holder?: (service: string) => KnownHolder | null;
}

export type FenceMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

export interface Fence {
  /** The plain function: null: it may pass; else the problem to answer with, `status` included. */
  check(headers: IncomingHttpHeaders): Problem | null;
  /** The same for express, connect, and whatever else calls `(request, response, next)`. */
  readonly middleware: FenceMiddleware;
  /** Newest epoch of the service that was seen; null: none. */
  newest(service?: string): number | null;
}

/** A receiver has a few services before it; names beyond that are made up. */
const MOST_SERVICES = 10_000;

export function fence(options: FenceOptions = {}): Fence {
  const newest = new Map(Object.entries(options.newest ?? {}));
  // Falls behind `newest` while `remember` hasn't succeeded: the next request tries again.
  const kept = new Map(newest);
  const own = options.service ?? "";

  const judge = (headers: IncomingHttpHeaders): Judgement => {
    const asked = readFenced(headers, own);
    if (asked === null) return refused(malformed());
    const { service, epoch } = asked;
    if (epoch === null && options.required === true) return refused(withoutEpoch());
    if (options.lease !== undefined) {
      const lease = options.lease(service);
      const refusal = refuseUnderLease(lease, service, epoch, () => options.holder?.(service) ?? null);
      return refusal === null ? { ...PASSES, lease } : refused(refusal);
    }
    if (epoch === null) return PASSES;
    const seen = newest.get(service) ?? -1;
    if (epoch < seen) return refused(oldEpoch(service, epoch, seen));
    if (!newest.has(service) && newest.size >= MOST_SERVICES) return refused(malformed());
    newest.set(service, epoch);
    const isKept = (kept.get(service) ?? -1) >= epoch;
    return isKept ? PASSES : { ...PASSES, unkept: { service, epoch } };
  };

  const keep = async (
    { service, epoch }: Seen,
    remember: (service: string, epoch: number) => void | Promise<void>,
    next: (error?: unknown) => void,
  ): Promise<void> => {
    try {
      await remember(service, epoch);
      kept.set(service, Math.max(epoch, kept.get(service) ?? 0));
    } catch (error) {
      next(error);
      return;
    }
    next();
  };

  return {
    check: (headers) => judge(headers).problem,
    middleware(request, response, next): void {
      const { problem: refusal, lease, unkept } = judge(request.headers);
      if (refusal !== null) {
        sendRefusal(response, refusal);
        return;
      }
      if (lease !== null) answerUnderLease(response, lease);
      if (unkept === null || options.remember === undefined) {
        next();
        return;
      }
      void keep(unkept, options.remember, next);
    },
    newest: (service = own) => newest.get(service) ?? null,
  };
}

interface Seen {
  readonly service: string;
  readonly epoch: number;
}
interface Judgement {
  readonly problem: Problem | null;
  /** The one that the answer has to go out under. */
  readonly lease: FencedLease | null;
  readonly unkept: Seen | null;
}
const PASSES: Judgement = { problem: null, lease: null, unkept: null };
const refused = (what: Problem): Judgement => ({ ...PASSES, problem: what });
