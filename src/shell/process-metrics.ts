/**
 * What every process says of itself, arbiter and daemon alike: memory, CPU, its start, and how late its
 * event loop is. Under the names that every dashboard for Prometheus knows.
 */
import { Counter, Gauge, type Registry } from "@prometheus-io/client";
import type { GaugeConfiguration } from "@prometheus-io/client";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** A label of its own: Prometheus keeps `quantile` for summaries. */
const POINTS = { p50: 50, p99: 99, max: 100 } as const;
const STARTED_SECONDS = Date.now() / 1_000 - process.uptime();

/** Read when it is asked for. */
export function addGauge<T extends string>(registry: Registry, gauge: GaugeConfiguration<T>): void {
  registry.registerMetric(new Gauge({ ...gauge, registers: [] }));
}

/** How the delay of the event loop is measured. */
export interface LoopMeasuring {
  /** The series' name. */
  readonly name: string;
  /** How often it is looked at: each look wakes the process. */
  readonly resolutionMs: number;
  /** From the first scrape on only: where nobody asks, nobody is woken. */
  readonly onDemand: boolean;
}

/** Returns the function that ends the measuring. */
export function addProcessMetrics(registry: Registry, loop: LoopMeasuring): () => void {
  const delay = monitorEventLoopDelay({ resolution: loop.resolutionMs });
  if (!loop.onDemand) delay.enable();
  addGauge(registry, {
    name: loop.name,
    help: "Delay of the event loop since the last scrape: the middle, the 99th percentile, the longest.",
    labelNames: ["at"],
    collect() {
      // Asked again it changes nothing.
      delay.enable();
      for (const [at, percentile] of Object.entries(POINTS)) {
        this.set({ at }, delay.percentile(percentile) / 1e9);
      }
      delay.reset();
    },
  });
  addGauge(registry, {
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process.",
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  const cpu = new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time of the process, user and system.",
    registers: [],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  registry.registerMetric(cpu);
  addGauge(registry, {
    name: "process_start_time_seconds",
    help: "When the process was started, in seconds since 1970.",
    collect() {
      this.set(STARTED_SECONDS);
    },
  });
  return () => delay.disable();
}
