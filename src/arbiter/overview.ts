/**
 * `GET /v1/overview`: what fits a screen of a cluster of any size. Counts of everything, all that is
 * wrong, and of services and daemons only the rows asked for, those that need a look first.
 *
 * The status has every row, 5 MB of them at ten thousand daemons; a page that follows it once a
 * second can't read that. What a row is, is the status's own.
 */
import type { ArbiterState, DaemonView, ServiceView } from "../core/arbiter-state.ts";
import { daemonState, holderOf } from "./cluster-map.ts";
import type { LatencyHistory } from "./latency-history.ts";
import { missingOf } from "./readiness.ts";
import { daemonStatus, headOf, serviceStatus } from "./status.ts";
import type { DaemonStatus, ServiceStatus, Status } from "./status.ts";
import type { Surroundings } from "./status-facts.ts";

export interface OverviewQuery {
  /** First row of services, and of daemons. */
  readonly services: number;
  readonly daemons: number;
  /** Rows of each, at most. */
  readonly limit: number;
  /** Part of a name, a type, a realm, a state or a holder's name; empty: everything. */
  readonly filter: string;
}

export interface OverviewPart<Row> {
  /** How many there are, whether they match the filter or not. */
  readonly total: number;
  /** How many of those are not well. */
  readonly unwell: number;
  readonly matching: number;
  readonly offset: number;
  readonly rows: readonly Row[];
}

/** A daemon's row with the slowest check of each of the last seconds, oldest first, in milliseconds. */
export type OverviewDaemon = DaemonStatus & { readonly latencies: readonly (number | null)[] };

export type Overview = Omit<Status, "services" | "daemons"> & {
  readonly problemCount: number;
  readonly services: OverviewPart<ServiceStatus>;
  readonly daemons: OverviewPart<OverviewDaemon>;
};

const MOST_PROBLEMS = 100;

export function overviewOf(
  state: ArbiterState,
  around: Surroundings,
  latencies: LatencyHistory,
  query: OverviewQuery,
): Overview {
  const { problems, ...head } = headOf(state, around);
  const filter = query.filter.toLowerCase();
  const services = part(
    [...state.services.values()],
    (view) => view.phase === "held",
    (view) => serviceText(view).includes(filter),
    { from: query.services, limit: query.limit },
  );
  const daemons = part(
    [...state.daemons.values()],
    (view) => isWell(state, view) && isReadyOrHolds(state, view, around),
    (view) => daemonText(state, view).includes(filter),
    { from: query.daemons, limit: query.limit },
  );
  return {
    ...head,
    problemCount: problems.length,
    problems: problems.slice(0, MOST_PROBLEMS),
    services: { ...services, rows: services.rows.map((view) => serviceStatus(state, view, around)) },
    daemons: {
      ...daemons,
      rows: daemons.rows.map((view) =>
        Object.assign(daemonStatus(state, view, around), {
          latencies: latencies.of(view.spec.name, around.nowMs),
        }),
      ),
    },
  };
}

/** Unwell first; else in their own order, so that rows don't jump about. */
function part<View>(
  all: readonly View[],
  isGood: (view: View) => boolean,
  matches: (view: View) => boolean,
  { from, limit }: { readonly from: number; readonly limit: number },
): OverviewPart<View> {
  const unwell: View[] = [];
  const well: View[] = [];
  let unwellInAll = 0;
  for (const view of all) {
    const good = isGood(view);
    if (!good) unwellInAll += 1;
    if (matches(view)) (good ? well : unwell).push(view);
  }
  const matching = [...unwell, ...well];
  const offset = Math.min(from, Math.max(0, matching.length - 1));
  return {
    total: all.length,
    unwell: unwellInAll,
    matching: matching.length,
    offset,
    rows: matching.slice(offset, offset + limit),
  };
}

function isWell(state: ArbiterState, { spec, report, failedChecks }: DaemonView): boolean {
  if (report === null || failedChecks > 0 || !report.healthy || report.state === "failed") return false;
  return !Object.hasOwn(state.settings.maintenance, spec.name);
}

function isReadyOrHolds(state: ArbiterState, view: DaemonView, around: Surroundings): boolean {
  return (state.holdings.get(view.spec.name)?.size ?? 0) > 0 || missingOf(state, view, around).length === 0;
}

function serviceText({ row, spec, phase }: ServiceView): string {
  return `${row.service} ${spec.type} ${spec.realm} ${phase} ${row.holder ?? ""}`.toLowerCase();
}

function daemonText(state: ArbiterState, view: DaemonView): string {
  const { name, type, realm, role, address } = view.spec;
  const held = [...(state.holdings.get(name) ?? [])].filter((service) => {
    const one = state.services.get(service);
    return one !== undefined && holderOf(one) === name;
  });
  return `${name} ${type} ${realm} ${role} ${address} ${daemonState(view)} ${held.join(" ")}`.toLowerCase();
}
