/**
 * The daemon's series for Prometheus: few, and judged at the scrape from the same report that
 * `/health` gives. They stand in `docs/metrics.md`, and a test compares the two.
 */
import { Counter, Gauge, Registry } from "@prometheus-io/client";
import type { Report } from "../core/messages.ts";
import { addProcessMetrics } from "../shell/process-metrics.ts";

export interface DaemonMetrics {
  countAssignment(result: "taken" | "outdated" | "other-cluster" | "not-addressed"): void;
  countPromise(isGiven: boolean): void;
  countReport(wasDelivered: boolean): void;
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** A daemon that waits shouldn't wake fifty times a second: that alone cost half a percent of a core. */
const LOOP = { name: "arbiter_daemon_event_loop_delay_seconds", resolutionMs: 250, onDemand: true } as const;

export function createDaemonMetrics(report: () => Report): DaemonMetrics {
  const registry = new Registry();
  const registers = [registry];
  addProcessMetrics(registry, LOOP);
  const held = new Gauge({
    name: "arbiter_daemon_services_held",
    help: "Services that it holds.",
    registers,
  });
  const assignments = new Counter({
    name: "arbiter_daemon_assignments_total",
    help: "Assignments answered, by what came of them.",
    labelNames: ["result"],
    registers,
  });
  const promises = new Counter({
    name: "arbiter_daemon_promises_total",
    help: "Promises that a holder asked for, by whether they were given.",
    labelNames: ["given"],
    registers,
  });
  const reports = new Counter({
    name: "arbiter_daemon_reports_total",
    help: "Unasked reports, by whether an arbiter got them.",
    labelNames: ["delivered"],
    registers,
  });
  const condition = conditionOf(registry);
  const active = new Gauge({
    name: "arbiter_daemon_active",
    help: "1: active on the service.",
    labelNames: ["service"],
    registers,
  });
  const epoch = new Gauge({
    name: "arbiter_daemon_epoch",
    help: "Epoch at which the service is held.",
    labelNames: ["service"],
    registers,
  });
  const lease = new Gauge({
    name: "arbiter_daemon_lease_remaining_seconds",
    help: "What is left of the service's lease.",
    labelNames: ["service"],
    registers,
  });
  return {
    countAssignment: (result) => assignments.inc({ result }),
    countPromise: (isGiven) => promises.inc({ given: String(isGiven) }),
    countReport: (wasDelivered) => reports.inc({ delivered: String(wasDelivered) }),
    async render(): Promise<{ contentType: string; text: string }> {
      const now = report();
      condition(now);
      for (const gauge of [active, epoch, lease]) gauge.reset();
      held.set(now.services.length);
      for (const one of now.services) {
        const { service } = one;
        active.set({ service }, one.state === "active" ? 1 : 0);
        epoch.set({ service }, one.epoch);
        lease.set({ service }, one.leaseRemainingMs / 1000);
      }
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** How it says that it is. */
function conditionOf(registry: Registry): (report: Report) => void {
  const registers = [registry];
  const healthy = new Gauge({
    name: "arbiter_daemon_healthy",
    help: "1: it says that it is healthy.",
    registers,
  });
  const ready = new Gauge({
    name: "arbiter_daemon_ready",
    help: "1: it has looked, and nothing that a service needs is missing.",
    registers,
  });
  return (report) => {
    healthy.set(report.healthy ? 1 : 0);
    ready.set(report.ready ? 1 : 0);
  };
}
