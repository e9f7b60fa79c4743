/**
 * I1, looked at where work is done: not at what a daemon's core says, but at whether something of the
 * service could do another piece of work at this instant.
 *
 * A library daemon's work compares the clock at each call (`lease.held()`), so it ends with the lease
 * even if nothing ever stops it; a paused one counts like any other, as its clock runs on. A launched
 * program knows nothing of leases: it counts until it is dead.
 *
 * Belief begins when work is begun or a lease is extended, so those are the two instants to look at.
 */
import type { Belief } from "../../core/invariants.ts";
import { nothingOld, oneHolder } from "../../core/invariants.ts";
import type { Clock } from "../machine.ts";
import { mustHold } from "../violation.ts";

export interface Work extends Belief {
  readonly bootId: string;
  readonly clock: Clock;
  readonly isLaunched: boolean;
  /** On the daemon's own clock. */
  leaseEndMs: number;
}

export class OneHolder {
  readonly #works = new Map<string, Set<Work>>();
  readonly #lastEpochs = new Map<string, number>();
  /** Begun so far. */
  activations = 0;

  begin(work: Work, worldMs: number): void {
    const { service, epoch } = work;
    // I3, across all daemons: whoever begins does so at an epoch above every one that was begun.
    mustHold(nothingOld({ term: 0, epoch: this.#lastEpochs.get(service) ?? 0 }, { term: 0, epoch }));
    this.#lastEpochs.set(service, epoch);
    this.activations += 1;
    const works = this.#works.get(service) ?? new Set();
    works.add(work);
    this.#works.set(service, works);
    this.check(service, worldMs);
  }

  end(work: Work): void {
    this.#works.get(work.service)?.delete(work);
  }

  extend(work: Work, leaseEndMs: number, worldMs: number): void {
    work.leaseEndMs = leaseEndMs;
    this.check(work.service, worldMs);
  }

  check(service: string, worldMs: number): void {
    const works = this.#works.get(service);
    if (works === undefined || works.size < 2) return;
    mustHold(oneHolder(this.beliefs(service, worldMs)));
  }

  beliefs(service: string, worldMs: number): Work[] {
    const beliefs: Work[] = [];
    for (const work of this.#works.get(service) ?? []) {
      if (work.isLaunched || work.clock.at(worldMs) < work.leaseEndMs) beliefs.push(work);
    }
    return beliefs;
  }
}
