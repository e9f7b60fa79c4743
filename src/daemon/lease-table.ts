/**
 * The leases that this process has right now, as numbers and nothing else. `held` compares the
 * clock at the call: a timer that didn't fire, a loop that hung or a machine that slept can't make
 * an ended lease look alive. Whoever must know of a change (lease objects, the watch) is told here.
 */
export interface HeldLease {
  readonly service: string;
  readonly epoch: number;
  readonly leaseEndMs: number;
  readonly fenceAtMs: number;
}

export class LeaseTable {
  readonly #leases = new Map<string, HeldLease>();
  readonly #nowMs: () => number;
  readonly #onChange: (leases: ReadonlyMap<string, HeldLease>) => void;

  constructor(nowMs: () => number, onChange: (leases: ReadonlyMap<string, HeldLease>) => void) {
    this.#nowMs = nowMs;
    this.#onChange = onChange;
  }

  set(lease: HeldLease): void {
    this.#leases.set(lease.service, lease);
    this.#onChange(this.#leases);
  }

  /** Nothing of the service runs at this epoch any more. A newer epoch's lease stays. */
  drop(service: string, epoch: number): void {
    if (this.#leases.get(service)?.epoch !== epoch) return;
    this.#leases.delete(service);
    this.#onChange(this.#leases);
  }

  /** From then on something that is held here has to be killed; infinite: nothing is held. */
  get earliestFenceMs(): number {
    return Math.min(...[...this.#leases.values()].map(({ fenceAtMs }) => fenceAtMs));
  }

  /** Milliseconds left at this epoch, judged now; 0 when it isn't held. */
  remainingMs(service: string, epoch: number): number {
    const lease = this.#leases.get(service);
    if (lease === undefined || lease.epoch !== epoch) return 0;
    return Math.max(0, lease.leaseEndMs - this.#nowMs());
  }
}
