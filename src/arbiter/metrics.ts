/**
 * `GET /metrics`: what the process measures, for Prometheus. Gauges are read from the core's state
 * when they are asked for. No label grows with the number of daemons: at ten thousand of them a
 * histogram with a label for each would cost more than the checks.
 */
import { Counter, Gauge, Histogram, Registry } from "@prometheus-io/client";
import type { GaugeConfiguration } from "@prometheus-io/client";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { JournalEntry } from "../core/arbiter-io.ts";
import type { ArbiterState, ServicePhase } from "../core/arbiter-state.ts";
import type { UndeliveredAlerts } from "./alerts/alerts.ts";
import { holderOf } from "./cluster-map.ts";

const PHASES: readonly ServicePhase[] = [
  "vacant",
  "activating",
  "held",
  "suspect",
  "fencing",
  "handing-over",
];
/** From one round trip on a fast network to the longest time-out in use. */
const ROUND_TRIP_SECONDS = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 3];
/** From a fast disk's sync to a server's time-out. */
const STORE_SECONDS = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];

export class ArbiterMetrics {
  readonly #registry = new Registry();
  readonly #registers = [this.#registry];
  readonly #loopDelay: ReturnType<typeof monitorEventLoopDelay> = monitorEventLoopDelay({ resolution: 20 });
  readonly #roundTrips = new Histogram({
    name: "arbiter_check_round_trip_seconds",
    help: "Time from sending a check to its report.",
    buckets: ROUND_TRIP_SECONDS,
    registers: this.#registers,
  });
  readonly #failures = new Counter({
    name: "arbiter_check_failures_total",
    help: "Checks that brought no report, by cause.",
    labelNames: ["cause"],
    registers: this.#registers,
  });
  readonly #moves = new Counter({
    name: "arbiter_service_transitions_total",
    help: "Transitions of services, by the phase they lead to and the event that caused them.",
    labelNames: ["to", "cause"],
    registers: this.#registers,
  });
  readonly #store = new Histogram({
    name: "arbiter_store_seconds",
    help: "Time that the store took to answer, by operation.",
    labelNames: ["operation"],
    buckets: STORE_SECONDS,
    registers: this.#registers,
  });
  readonly #lateness = new Counter({
    name: "arbiter_late_seconds_total",
    help: "By how much the process's own timers were late, summed up.",
    registers: this.#registers,
  });

  readonly #alertsSent = new Counter({
    name: "arbiter_alert_messages_total",
    help: "Messages that a target of the alerts has taken.",
    labelNames: ["target"],
    registers: this.#registers,
  });
  readonly #alertFailures = new Counter({
    name: "arbiter_alert_failures_total",
    help: "Tries to deliver alerts that failed; each is repeated.",
    labelNames: ["target"],
    registers: this.#registers,
  });

  /** `drifted`: arbiters whose files aren't those in force. */
  constructor(state: ArbiterState, drifted: () => readonly string[]) {
    this.#loopDelay.enable();
    this.#gaugesOf(state);
    this.#gauge({
      name: "arbiter_config_drift",
      help: "1 for each arbiter whose files are not the configuration in force.",
      labelNames: ["arbiter"],
      collect() {
        this.reset();
        const now = new Set(drifted());
        for (const { name } of state.model.arbiters) this.set({ arbiter: name }, now.has(name) ? 1 : 0);
      },
    });
    const loopDelay = this.#loopDelay;
    this.#gauge({
      name: "arbiter_event_loop_delay_seconds",
      help: "Delay of the event loop since the last scrape, by quantile.",
      labelNames: ["quantile"],
      collect() {
        for (const quantile of [50, 99, 100]) {
          this.set({ quantile: String(quantile / 100) }, loopDelay.percentile(quantile) / 1e9);
        }
        loopDelay.reset();
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  checked(ms: number): void {
    this.#roundTrips.observe(ms / 1_000);
  }

  checkFailed(cause: string): void {
    this.#failures.inc({ cause });
  }

  moved({ to, event }: JournalEntry): void {
    this.#moves.inc({ to, cause: event });
  }

  storeAnswered(operation: string, ms: number): void {
    this.#store.observe({ operation }, ms / 1_000);
  }

  late(ms: number): void {
    this.#lateness.inc(ms / 1_000);
  }

  alertSent(target: string): void {
    this.#alertsSent.inc({ target });
  }

  alertFailed(target: string): void {
    this.#alertFailures.inc({ target });
  }

  close(): void {
    this.#loopDelay.disable();
    this.#registry.clear();
  }

  /** Read when it is asked for. */
  #gauge<T extends string>(gauge: GaugeConfiguration<T>): void {
    this.#registry.registerMetric(new Gauge({ ...gauge, registers: [] }));
  }

  /** Alerts that were tried in vain so far, by target. */
  watchAlerts(undelivered: () => readonly UndeliveredAlerts[]): void {
    this.#gauge({
      name: "arbiter_alerts_undelivered",
      help: "Alerts that could not be delivered yet, by target.",
      labelNames: ["target"],
      collect() {
        this.reset();
        for (const { target, count } of undelivered()) this.set({ target }, count);
      },
    });
  }

  #gaugesOf(state: ArbiterState): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      this.#gauge({
        name,
        help,
        collect() {
          this.set(read());
        },
      });
    };
    gauge("arbiter_leading", "1 on the arbiter that leads.", () =>
      state.leadership.mode === "leading" ? 1 : 0,
    );
    gauge("arbiter_term", "The term of the leadership that this arbiter knows of.", () => state.term);
    gauge("arbiter_map_version", "Version of the cluster map.", () => state.mapVersion);
    gauge(
      "arbiter_config_version",
      "Version of the configuration in force.",
      () => state.configuration.version,
    );
    gauge("arbiter_daemons", "Daemons that are checked.", () => state.daemons.size);
    gauge("arbiter_store_down", "1 while the store doesn't answer.", () =>
      state.leadership.storeDownSinceMs === null ? 0 : 1,
    );
    gauge("arbiter_services_held", "Services that have a holder.", () => {
      let held = 0;
      for (const view of state.services.values()) if (holderOf(view) !== null) held += 1;
      return held;
    });
    this.#gauge({
      name: "arbiter_services",
      help: "Services, by phase.",
      labelNames: ["phase"],
      collect() {
        const counts = new Map<ServicePhase, number>(PHASES.map((phase) => [phase, 0]));
        for (const { phase } of state.services.values()) counts.set(phase, (counts.get(phase) ?? 0) + 1);
        for (const [phase, count] of counts) this.set({ phase }, count);
      },
    });
    this.#gauge({
      name: "arbiter_service_epoch",
      help: "The epoch of each service.",
      labelNames: ["service"],
      collect() {
        this.reset();
        for (const [service, { row }] of state.services) this.set({ service }, row.epoch);
      },
    });
  }
}
