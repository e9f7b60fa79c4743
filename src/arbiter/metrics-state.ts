/**
 * Gauges that are read from the core's state when they are asked for. Labels by service end at a
 * thousand services: beyond that the sums and the extremes remain.
 */
import type { Registry } from "@prometheus-io/client";
import type { ArbiterState, DaemonView } from "../core/arbiter-state.ts";
import { SERVICE_TABLE } from "../core/service-table.ts";
import { addGauge } from "../shell/process-metrics.ts";
import { daemonState, holderOf } from "./cluster-map.ts";
import { MISSING_KINDS } from "./readiness.ts";
import type { Missing } from "./readiness.ts";
import type { StatusProblem } from "./status-problems.ts";

const PHASES: readonly string[] = Object.keys(SERVICE_TABLE);
const MOST_SERVICES = 1_000;

export interface MetricsAround {
  nowMs(): number;
  /** What `GET /v1/status` lists. */
  problems(): readonly StatusProblem[];
  /** Why each of these isn't ready, as the status says it. */
  missing(views: readonly DaemonView[]): readonly (readonly Missing[])[];
  /** Arbiters whose files aren't those in force. */
  drifted(): readonly string[];
  /** Events that wait for the store. */
  unwritten(): number;
  /** Number of the newest event. */
  lastEvent(): number;
  /** Event streams that are open. */
  streams(): number;
}

export function addStateMetrics(registry: Registry, state: ArbiterState, around: MetricsAround): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    addGauge(registry, {
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
  gauge("arbiter_store_down", "1 while the store doesn't answer.", () =>
    state.leadership.storeDownSinceMs === null ? 0 : 1,
  );
  gauge("arbiter_events_unwritten", "Events that wait for the store.", () => around.unwritten());
  gauge("arbiter_last_event", "Number of the newest event of the log.", () => around.lastEvent());
  gauge("arbiter_event_streams", "Event streams that are open at this arbiter.", () => around.streams());
  addCounts(registry, state, around);
  addReadiness(registry, state, around);
  addServices(registry, state, around);
}

function addCounts(registry: Registry, state: ArbiterState, around: MetricsAround): void {
  addGauge(registry, {
    name: "arbiter_problems",
    help: "What is wrong at the moment, as in the status, by code.",
    labelNames: ["code"],
    collect() {
      this.reset();
      const counts = new Map<string, number>();
      for (const { code } of around.problems()) counts.set(code, (counts.get(code) ?? 0) + 1);
      for (const [code, count] of counts) this.set({ code }, count);
    },
  });
  addGauge(registry, {
    name: "arbiter_config_drift",
    help: "1 for each arbiter whose files are not the configuration in force.",
    labelNames: ["arbiter"],
    collect() {
      this.reset();
      const now = new Set(around.drifted());
      for (const { name } of state.model.arbiters) this.set({ arbiter: name }, now.has(name) ? 1 : 0);
    },
  });
  addGauge(registry, {
    name: "arbiter_daemons",
    help: "Daemons that are checked, by what they report of themselves.",
    labelNames: ["state"],
    collect() {
      this.reset();
      const counts = new Map<string, number>();
      for (const view of state.daemons.values()) {
        const found = daemonState(view);
        counts.set(found, (counts.get(found) ?? 0) + 1);
      }
      for (const [found, count] of counts) this.set({ state: found }, count);
    },
  });
  addGauge(registry, {
    name: "arbiter_services",
    help: "Services, by phase.",
    labelNames: ["phase"],
    collect() {
      const counts = new Map<string, number>(PHASES.map((phase) => [phase, 0]));
      for (const { phase } of state.services.values()) counts.set(phase, (counts.get(phase) ?? 0) + 1);
      for (const [phase, count] of counts) this.set({ phase }, count);
    },
  });
}

function addReadiness(registry: Registry, state: ArbiterState, around: MetricsAround): void {
  /** Looked at for the first gauge, and used by the second: a registry collects in the order of registering. */
  let unready: readonly (readonly Missing[])[] = [];
  addGauge(registry, {
    name: "arbiter_daemons_not_ready",
    help: "Daemons that answer, but aren't ready: something is missing for them to take a service.",
    collect() {
      const answering = [...state.daemons.values()].filter(
        ({ report, failedChecks }) => report !== null && failedChecks === 0,
      );
      unready = around.missing(answering).filter((missing) => missing.length > 0);
      this.set(unready.length);
    },
  });
  addGauge(registry, {
    name: "arbiter_daemons_missing",
    help: "Daemons that aren't ready, by what is missing.",
    labelNames: ["what"],
    collect() {
      for (const what of MISSING_KINDS)
        this.set({ what }, unready.filter((missing) => missing.some(({ kind }) => kind === what)).length);
    },
  });
  addGauge(registry, {
    name: "arbiter_last_good_drill_timestamp_seconds",
    help: `When the last good drill of each service ended, in seconds since 1970, up to ${MOST_SERVICES} services.`,
    labelNames: ["service"],
    collect() {
      this.reset();
      const drills = state.settings.drills ?? {};
      for (const [service] of firstOf(state)) {
        const atMs = drills[service]?.lastGoodWallMs ?? null;
        if (atMs !== null) this.set({ service }, atMs / 1_000);
      }
    },
  });
}

function addServices(registry: Registry, state: ArbiterState, around: MetricsAround): void {
  addGauge(registry, {
    name: "arbiter_services_held",
    help: "Services that have a holder.",
    collect() {
      let held = 0;
      for (const view of state.services.values()) if (holderOf(view) !== null) held += 1;
      this.set(held);
    },
  });
  addGauge(registry, {
    name: "arbiter_service_epoch",
    help: `The epoch of each service, up to ${MOST_SERVICES} of them.`,
    labelNames: ["service"],
    collect() {
      this.reset();
      for (const [service, { row }] of firstOf(state)) this.set({ service }, row.epoch);
    },
  });
  addGauge(registry, {
    name: "arbiter_service_held",
    help: `1 while the service has a holder, up to ${MOST_SERVICES} services.`,
    labelNames: ["service"],
    collect() {
      this.reset();
      for (const [service, view] of firstOf(state)) this.set({ service }, view.phase === "held" ? 1 : 0);
    },
  });
  addGauge(registry, {
    name: "arbiter_lease_left_seconds",
    help: "What is left of the leases that are held, as the holders last said: the least and the middle one.",
    labelNames: ["at"],
    collect() {
      this.reset();
      const left = leasesLeft(state, around.nowMs());
      if (left.length === 0) return;
      this.set({ at: "min" }, (left[0] ?? 0) / 1_000);
      this.set({ at: "p50" }, (left[Math.floor(left.length / 2)] ?? 0) / 1_000);
    },
  });
}

function firstOf(state: ArbiterState): ArbiterState["services"] | readonly [] {
  return state.services.size > MOST_SERVICES ? [] : state.services;
}

/** In milliseconds, the least first. */
function leasesLeft(state: ArbiterState, nowMs: number): readonly number[] {
  const left: number[] = [];
  for (const { row, phase } of state.services.values()) {
    if (phase !== "held" || row.holder === null) continue;
    const daemon = state.daemons.get(row.holder);
    const held = daemon?.report?.services.find(
      ({ service, epoch }) => service === row.service && epoch === row.epoch,
    );
    if (daemon === undefined || held === undefined) continue;
    left.push(Math.max(0, held.leaseRemainingMs - (nowMs - daemon.reportedAtMs)));
  }
  return left.toSorted((a, b) => a - b);
}
