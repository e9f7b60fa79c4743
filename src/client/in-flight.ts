/**
 * Requests that a holder has not answered yet. A frozen host never will, and says nothing: so once
 * one has taken a while, the arbiters are asked for the next change, and requests to a holder that
 * is over are ended, to be sent to the new one. Those that must not be sent twice go on waiting.
 */
import type { ClientRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Holder } from "./answers.ts";
import type { Holders } from "./holders.ts";

/** Longer than nearly every answer takes; short beside a lease. */
const SLOW_MS = 250;
const PAUSE_MS = 250;

/** The attempt is over since its holder is. */
export class HolderMoved extends Error {
  readonly code = "ERR_ARB_MOVED";
  constructor(service: string, epoch: number, newer: number) {
    super(`The holder of ${service} at epoch ${epoch} is over: epoch ${newer} has been seen.`);
  }
}

interface Attempt {
  readonly service: string;
  readonly epoch: number;
}

export class InFlight {
  readonly #holders: Holders;
  readonly #attempts = new Map<ClientRequest, Attempt>();
  /** How many of each service have taken a while, and which services are followed because of it. */
  readonly #slow = new Map<string, number>();
  readonly #watched = new Set<string>();

  constructor(holders: Holders) {
    this.#holders = holders;
    holders.onNewerEpoch((service, newer) => this.#end(service, newer));
  }

  /** A request that may be sent again. */
  add(request: ClientRequest, { service, epoch }: Holder): void {
    this.#attempts.set(request, { service, epoch });
    let isSlow = false;
    const timer = setTimeout(() => {
      isSlow = true;
      this.#count(service, 1);
      void this.#watch(service);
    }, SLOW_MS);
    timer.unref();
    request.once("close", () => {
      clearTimeout(timer);
      this.#attempts.delete(request);
      if (isSlow) this.#count(service, -1);
    });
  }

  /** Its answer has come from a holder that isn't over: newer epochs are no reason to end it. */
  settle(request: ClientRequest): void {
    this.#attempts.delete(request);
  }

  async #watch(service: string): Promise<void> {
    if (this.#watched.has(service)) return;
    this.#watched.add(service);
    while ((this.#slow.get(service) ?? 0) > 0) {
      try {
        await this.#holders.next(service, null);
      } catch {
        await sleep(PAUSE_MS, undefined, { ref: false });
      }
    }
    this.#watched.delete(service);
  }

  #count(service: string, by: number): void {
    this.#slow.set(service, (this.#slow.get(service) ?? 0) + by);
  }

  #end(service: string, newer: number): void {
    for (const [request, attempt] of this.#attempts) {
      if (attempt.service !== service || attempt.epoch >= newer) continue;
      request.destroy(new HolderMoved(service, attempt.epoch, newer));
    }
  }
}
