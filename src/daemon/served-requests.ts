/**
 * The requests of a daemon's own users, served at its own port by what its author wrote: each only
 * under a lease that is valid at the call, and answered only if it still is (see the fence).
 *
 * A planned move loses none of them. From the moment of the demotion new ones are refused, with the
 * holder's address where it is known; those under way are finished first, within the time that the
 * demotion leaves, and only then the author's `demote` is called.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  answerUnderLease,
  malformed,
  readFenced,
  refuseUnderLease,
  sendRefusal,
} from "../fence/under-lease.ts";
import type { FencedLease, KnownHolder } from "../fence/under-lease.ts";
import { messageOf } from "../protocol/errors.ts";
import { problem, sendProblem } from "../protocol/problem.ts";

/** An express application, or any function of the two. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;
/** Who holds a service that this daemon doesn't, as far as it knows. */
export type FindHolder = (service: string) => KnownHolder | null;

export type ServeRequests = (request: IncomingMessage, response: ServerResponse, find: FindHolder) => void;

export class ServedRequests {
  readonly #handler: HttpHandler;
  readonly #leaseOn: (service: string) => FencedLease | null;
  readonly #underWay = new Map<ServerResponse, string>();
  readonly #waiting = new Set<() => void>();
  /** The service of the last lease: what a request means that names none. */
  #last = "";

  /** `leaseOn`: the lease on a service that is worked for now; the empty name: on any. */
  constructor(handler: HttpHandler, leaseOn: (service: string) => FencedLease | null) {
    this.#handler = handler;
    this.#leaseOn = leaseOn;
  }

  serve(request: IncomingMessage, response: ServerResponse, find: FindHolder): void {
    const asked = readFenced(request.headers, "");
    if (asked === null) {
      sendRefusal(response, malformed());
      return;
    }
    const { service, epoch } = asked;
    const lease = this.#leaseOn(service);
    if (lease !== null) this.#last = lease.service;
    const meant = service === "" ? this.#last : service;
    const refusal = refuseUnderLease(lease, meant, epoch, () => find(meant));
    if (refusal !== null || lease === null) {
      if (refusal !== null) sendRefusal(response, refusal);
      return;
    }
    answerUnderLease(response, lease);
    this.#underWay.set(response, lease.service);
    response.once("close", () => {
      this.#underWay.delete(response);
      for (const look of this.#waiting) look();
    });
    void this.#pass(request, response);
  }

  /** Resolves when nothing of the service is under way; what still is after `graceMs` is cut off. */
  async drain(service: string, graceMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#of(service).length === 0) resolve();
    };
    this.#waiting.add(look);
    const timer = setTimeout(resolve, Math.max(0, graceMs));
    look();
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(look);
    for (const response of this.#of(service)) response.destroy();
  }

  #of(service: string): ServerResponse[] {
    return [...this.#underWay].filter(([, of]) => of === service).map(([response]) => response);
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#handler(request, response);
    } catch (error) {
      // Before it answered: a problem, like every other; in the middle of it: cut off.
      const detail = messageOf(error);
      sendProblem(response, problem(500, "Internal Server Error", detail, { code: "ERR_ARB_INTERNAL" }));
    }
  }
}
