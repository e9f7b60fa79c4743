/**
 * The daemon's series for Prometheus: few, and judged at the scrape from the same report that
 * `/health` gives. What Node itself offers (memory, garbage collection) is left to the author.
 */
import { Counter, Gauge, Registry } from "@prometheus-io/client";
import type { Report } from "../core/messages.ts";

export interface DaemonMetrics {
  countAssignment(result: "taken" | "outdated" | "other-cluster" | "not-addressed"): void;
  countPromise(isGiven: boolean): void;
  countReport(wasDelivered: boolean): void;
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

export function createDaemonMetrics(report: () => Report): DaemonMetrics {
  const registry = new Registry();
  const registers = [registry];
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
  const healthy = new Gauge({
    name: "arbiter_daemon_healthy",
    help: "1: it says that it is healthy.",
    registers,
  });
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
      healthy.set(now.healthy ? 1 : 0);
      for (const gauge of [active, epoch, lease]) gauge.reset();
      for (const held of now.services) {
        const { service } = held;
        active.set({ service }, held.state === "active" ? 1 : 0);
        epoch.set({ service }, held.epoch);
        lease.set({ service }, held.leaseRemainingMs / 1000);
      }
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
