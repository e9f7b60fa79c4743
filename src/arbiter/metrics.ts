/**
 * `GET /metrics`: what the process measures, for Prometheus. No label grows with the number of
 * daemons: at ten thousand of them a histogram with a label for each would cost more than the checks.
 * Every series stands in `docs/metrics.md`, and a test compares the two.
 */
import { Counter, Histogram, Registry } from "@prometheus-io/client";
import type { JournalEntry } from "../core/arbiter-io.ts";
import type { ArbiterState } from "../core/arbiter-state.ts";
import { addGauge, addProcessMetrics } from "../shell/process-metrics.ts";
import type { UndeliveredAlerts } from "./alerts/alerts.ts";
import { eventOfRow, MoveMetrics } from "./metrics-moves.ts";
import { addStateMetrics } from "./metrics-state.ts";
import type { MetricsAround } from "./metrics-state.ts";
import type { PublishAnswer } from "./publisher.ts";

/** From one round trip on a fast network to the longest time-out in use. */
const ROUND_TRIP_SECONDS = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 3];
/** From a timer's own grain to a stall. */
const LATENESS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1];
/** From a fast disk's sync to a server's time-out. */
const STORE_SECONDS = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];

const LOOP = { name: "arbiter_event_loop_delay_seconds", resolutionMs: 20, onDemand: false } as const;

export class ArbiterMetrics {
  readonly #registry = new Registry();
  readonly #registers = [this.#registry];
  readonly #moves: MoveMetrics;
  readonly #endProcess: () => void;
  readonly #roundTrips = new Histogram({
    name: "arbiter_check_round_trip_seconds",
    help: "Time from sending a check to its report.",
    buckets: ROUND_TRIP_SECONDS,
    registers: this.#registers,
  });
  readonly #checksLate = new Histogram({
    name: "arbiter_check_lateness_seconds",
    help: "By how much a check was sent later than it was due.",
    buckets: LATENESS_SECONDS,
    registers: this.#registers,
  });
  readonly #failures = new Counter({
    name: "arbiter_check_failures_total",
    help: "Checks that brought no report, by cause.",
    labelNames: ["cause"],
    registers: this.#registers,
  });
  readonly #transitions = new Counter({
    name: "arbiter_service_transitions_total",
    help: "Transitions of services, by the phase they lead to and the event of the service table that caused them.",
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
  readonly #published = new Counter({
    name: "arbiter_published_events_total",
    help: "Events that programs have published here, by what came of them.",
    labelNames: ["result"],
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

  constructor(state: ArbiterState, around: MetricsAround) {
    this.#moves = new MoveMetrics(state, this.#registry);
    addStateMetrics(this.#registry, state, around);
    this.#endProcess = addProcessMetrics(this.#registry, LOOP);
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

  checkDue(lateMs: number): void {
    this.#checksLate.observe(Math.max(0, lateMs) / 1_000);
  }

  checkFailed(cause: string): void {
    this.#failures.inc({ cause });
  }

  moved(entry: JournalEntry): void {
    this.#transitions.inc({ to: entry.to, cause: eventOfRow(entry.row) });
    this.#moves.moved(entry);
  }

  storeAnswered(operation: string, ms: number): void {
    this.#store.observe({ operation }, ms / 1_000);
  }

  late(ms: number): void {
    this.#lateness.inc(ms / 1_000);
  }

  published({ kind }: PublishAnswer): void {
    this.#published.inc({ result: kind });
  }

  alertSent(target: string): void {
    this.#alertsSent.inc({ target });
  }

  alertFailed(target: string): void {
    this.#alertFailures.inc({ target });
  }

  /** Alerts that were tried in vain so far, by target. */
  watchAlerts(undelivered: () => readonly UndeliveredAlerts[]): void {
    addGauge(this.#registry, {
      name: "arbiter_alerts_undelivered",
      help: "Alerts that could not be delivered yet, by target.",
      labelNames: ["target"],
      collect() {
        this.reset();
        for (const { target, count } of undelivered()) this.set({ target }, count);
      },
    });
  }

  close(): void {
    this.#endProcess();
    this.#registry.clear();
  }
}
