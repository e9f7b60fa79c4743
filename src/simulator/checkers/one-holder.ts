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
  /** Its machine sleeps: a launched program does nothing until it is awake, or killed. */
  isFrozen: boolean;
  readonly clusterId: string;
  /** An operator has said that it is dead, whatever is known of it: the next one doesn't wait for it. */
  isDisowned: boolean;
}

/** A service that is renamed is still the same work. */
export const RENAMED = "-renamed";

function workOf(service: string): string {
  return service.endsWith(RENAMED) ? service.slice(0, -RENAMED.length) : service;
}

export class OneHolder {
  readonly #works = new Map<string, Set<Work>>();
  readonly #lastEpochs = new Map<string, number>();
  /** Epochs up to which somebody said `--even-if-alive`, by service. */
  readonly #disowned = new Map<string, number>();
  /** `on_arbiter_loss = hold` gives up I1 knowingly. */
  readonly #isExempt: boolean;
  /** Begun so far. */
  activations = 0;
  /** Hears of each service of which work began, ended, or may go on for longer. */
  onChange: ((service: string) => void) | null = null;

  constructor(isExempt = false) {
    this.#isExempt = isExempt;
  }

  begin(work: Work, worldMs: number): void {
    const { service, epoch, clusterId } = work;
    // I3, across all daemons: whoever begins does so at an epoch above every one that was begun.
    work.isDisowned = epoch <= (this.#disowned.get(service) ?? 0);
    const line = `${clusterId} ${service}`;
    const lastEpoch = this.#lastEpochs.get(line) ?? 0;
    if (!work.isDisowned) mustHold(nothingOld({ term: 0, epoch: lastEpoch }, { term: 0, epoch }));
    this.#lastEpochs.set(line, Math.max(epoch, lastEpoch));
    this.activations += 1;
    const works = this.#works.get(workOf(service)) ?? new Set();
    works.add(work);
    this.#works.set(workOf(service), works);
    this.check(service, worldMs);
    this.onChange?.(service);
  }

  /** Who holds it at that epoch or before doesn't count any more: somebody takes the blame for it. */
  disown(service: string, epoch: number): void {
    this.#disowned.set(service, Math.max(epoch, this.#disowned.get(service) ?? 0));
    for (const work of this.#works.get(workOf(service)) ?? [])
      if (work.service === service && work.epoch <= epoch) work.isDisowned = true;
  }

  /** The store was emptied: a service that no candidate remembers begins anew. */
  forgetEpochs(): void {
    this.#lastEpochs.clear();
  }

  end(work: Work): void {
    if (this.#works.get(workOf(work.service))?.delete(work) === true) this.onChange?.(work.service);
  }

  extend(work: Work, leaseEndMs: number, worldMs: number): void {
    work.leaseEndMs = leaseEndMs;
    this.check(work.service, worldMs);
    this.onChange?.(work.service);
  }

  check(service: string, worldMs: number): void {
    const works = this.#works.get(workOf(service));
    if (works === undefined || works.size < 2 || this.#isExempt) return;
    const all = this.#beliefsOf(workOf(service), worldMs).filter(({ isDisowned }) => !isDisowned);
    mustHold(oneHolder(all.map(({ daemon, epoch }) => ({ daemon, epoch, service: workOf(service) }))));
  }

  beliefs(service: string, worldMs: number): Work[] {
    return this.#beliefsOf(workOf(service), worldMs).filter((work) => work.service === service);
  }

  #beliefsOf(key: string, worldMs: number): Work[] {
    const beliefs: Work[] = [];
    for (const work of this.#works.get(key) ?? []) {
      if (work.isLaunched ? !work.isFrozen : work.clock.at(worldMs) < work.leaseEndMs) beliefs.push(work);
    }
    return beliefs;
  }
}
