/**
 * What a launcher says of itself as a whole: the worst of its services, and, while it runs none, whether it
 * could run one. A report has one word for the daemon, but a launcher may hold several services: one that
 * is well again must not cover up one that isn't.
 */
export interface Condition {
  readonly healthy: boolean;
  readonly ready: boolean;
  readonly reason: string;
}

export const WELL: Condition = { healthy: true, ready: true, reason: "" };

export class DaemonHealth {
  readonly #tell: (condition: Condition) => void;
  readonly #services = new Map<string, Condition>();
  /** Why no service could be run here; empty: one could. */
  #missing = "";
  #told: Condition = WELL;

  constructor(tell: (condition: Condition) => void) {
    this.#tell = tell;
  }

  /** Also when the service is over: then it is well. */
  set(service: string, condition: Condition): void {
    this.#services.set(service, condition);
    this.#update();
  }

  forget(service: string): void {
    this.#services.delete(service);
    this.#update();
  }

  setMissing(missing: string): void {
    this.#missing = missing;
    this.#update();
  }

  #update(): void {
    const now = this.#worst();
    const { healthy, ready, reason } = this.#told;
    if (now.healthy === healthy && now.ready === ready && now.reason === reason) return;
    this.#told = now;
    this.#tell(now);
  }

  #worst(): Condition {
    const all = [...this.#services.entries()];
    // Whose trouble it is matters only where there are several.
    const named = (service: string, reason: string): string =>
      all.length > 1 ? `${service}: ${reason}` : reason;
    const worst = all.find(([, one]) => !one.healthy) ?? all.find(([, one]) => !one.ready);
    if (worst !== undefined) return { ...worst[1], reason: named(worst[0], worst[1].reason) };
    return this.#missing === "" ? WELL : { healthy: true, ready: false, reason: this.#missing };
  }
}
