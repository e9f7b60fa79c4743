/**
 * The body of `GET /v1/status`: everything that `arbiter status` shows. A pure function of the
 * arbiter's state, so that each line of it can be tested without a cluster.
 *
 * Nothing secret can get in: it is built from named members, never by passing a file's keys on.
 */
import type { ArbiterState, DaemonView, ServiceView } from "../core/arbiter-state.ts";
import type { GapIs, OverlapIs } from "../core/move-measure.ts";
import { originWord } from "../config/show.ts";
import { arbiterState, daemonState, entryOf, holderOf, leaderOf, sinceOf } from "./cluster-map.ts";
import { hasDrifted, lastDrill, missingOf } from "./readiness.ts";
import type { LastDrill } from "./readiness.ts";
import { problemsOf } from "./status-problems.ts";
import type { StatusProblem } from "./status-problems.ts";
import { iso, pauseOf, seenThrough } from "./status-facts.ts";
import type { PauseStatus, Surroundings } from "./status-facts.ts";

export interface ServiceStatus {
  readonly name: string;
  readonly type: string;
  readonly realm: string;
  readonly holder: string | null;
  readonly role: string | null;
  readonly epoch: number;
  readonly phase: string;
  readonly since: string;
  readonly phaseSince: string;
  readonly address: string | null;
  readonly port: number | null;
  readonly url: string | null;
  readonly leaseRemainingMs: number | null;
  readonly candidates: readonly { readonly name: string; readonly role: string; readonly state: string }[];
  /** Candidates whose promises show that the holder goes on although no arbiter reaches it. */
  readonly seenThrough: readonly string[];
  readonly pause: PauseStatus | null;
  /** For how long nobody held it at its last move; null: not known. */
  readonly lastGapMs: number | null;
  /** What that is: `measured`, `at-least` or `at-most`. */
  readonly lastGapIs: GapIs | null;
  /** For how long two held it at its last move: 0, or null where that isn't known. */
  readonly lastOverlapMs: 0 | null;
  /** What excludes it: `proof` or `lease`; `unknown`: nothing does. */
  readonly lastOverlapIs: OverlapIs | null;
  readonly reason: string;
  /** It left the configuration and is only kept until it is over. */
  readonly removed: boolean;
}

export interface DaemonStatus {
  readonly name: string;
  readonly type: string;
  readonly role: string;
  readonly realm: string;
  readonly state: string;
  readonly healthy: boolean;
  readonly ready: boolean;
  readonly reason: string;
  readonly address: string;
  readonly port: number;
  readonly url: string;
  readonly lastSeen: string | null;
  readonly lastFailure: string | null;
  readonly failedChecks: number;
  readonly latencyMs: number | null;
  /** What keeps it from being ready, beside its silence; empty: nothing that anybody knows of. */
  readonly missing: readonly string[];
  /** The newest that tried it; null: it was never drilled. */
  readonly lastDrill: LastDrill | null;
  /** What it runs with isn't what the arbiter's files say of it; null: it doesn't say, or they don't. */
  readonly hasDrifted: boolean | null;
  readonly services: readonly string[];
  readonly maintenance: { readonly by: string; readonly reason: string } | null;
  /** `file`, or `joined`: it came to the running cluster. */
  readonly origin: string;
  readonly removed: boolean;
}

export interface ArbiterStatus {
  readonly name: string;
  readonly role: string;
  readonly address: string;
  readonly port: number;
  readonly url: string;
  readonly electable: boolean;
  readonly state: string;
}

export interface Status {
  readonly version: number;
  readonly clusterId: string;
  readonly cluster: string;
  readonly term: number;
  /** Who answers. */
  readonly name: string;
  readonly leader: string | null;
  readonly arbiters: readonly ArbiterStatus[];
  readonly services: readonly ServiceStatus[];
  readonly daemons: readonly DaemonStatus[];
  readonly problems: readonly StatusProblem[];
  readonly config: {
    readonly version: number;
    readonly hash: string;
    readonly refusedEdit: { readonly at: string; readonly errors: readonly string[] } | null;
  };
}

export function statusOf(state: ArbiterState, around: Surroundings): Status {
  return {
    ...headOf(state, around),
    services: [...state.services.values()].map((view) => serviceStatus(state, view, around)),
    daemons: [...state.daemons.values()].map((view) => daemonStatus(state, view, around)),
  };
}

/** All but the rows of services and daemons. */
export function headOf(state: ArbiterState, around: Surroundings): Omit<Status, "services" | "daemons"> {
  const leader = leaderOf(state);
  const { refusedEdit, configuration } = state;
  return {
    version: state.mapVersion,
    clusterId: state.clusterId,
    cluster: state.model.name,
    term: state.term,
    name: state.options.name,
    leader,
    arbiters: state.model.arbiters.map((arbiter) => ({
      name: arbiter.name,
      role: arbiter.role,
      address: arbiter.address,
      port: arbiter.port,
      url: arbiter.url,
      electable: arbiter.electable,
      state:
        around.silent?.includes(arbiter.name) === true
          ? "unreachable"
          : arbiterState(state, arbiter.name, leader),
    })),
    problems: problemsOf(state, around),
    config: {
      version: configuration.version,
      hash: configuration.hash,
      refusedEdit:
        refusedEdit === null ? null : { at: iso(refusedEdit.atWallMs), errors: refusedEdit.errors },
    },
  };
}

export function serviceStatus(state: ArbiterState, view: ServiceView, around: Surroundings): ServiceStatus {
  const { holder, epoch, url, address, port } = entryOf(state, view);
  const { spec } = view;
  return {
    name: view.row.service,
    type: spec.type,
    realm: spec.realm,
    holder,
    role: holder === null ? null : (state.daemons.get(holder)?.spec.role ?? null),
    epoch,
    phase: view.phase,
    since: sinceOf(view),
    phaseSince: iso(view.phaseSinceWallMs),
    address,
    port,
    url,
    leaseRemainingMs: leaseRemaining(state, view, around.nowMs),
    candidates: spec.candidates.map((name) => {
      const candidate = state.daemons.get(name);
      return {
        name,
        role: candidate?.spec.role ?? "unknown",
        state: candidate === undefined ? "unknown" : daemonState(candidate),
      };
    }),
    seenThrough: seenThrough(state, view, around.nowMs),
    pause: pauseOf(state, view.row.service, around.wallMs),
    lastGapMs: view.lastMove.gapMs,
    lastGapIs: view.lastMove.gapIs,
    lastOverlapMs: view.lastMove.overlapMs,
    lastOverlapIs: view.lastMove.overlapIs,
    reason: view.moveReason ?? view.history.at(-1)?.because ?? "",
    removed: view.removed,
  };
}

/** As the holder last reported it, less the time since. */
function leaseRemaining(state: ArbiterState, view: ServiceView, nowMs: number): number | null {
  const holder = holderOf(view);
  const daemon = holder === null ? undefined : state.daemons.get(holder);
  const held = daemon?.report?.services.find(
    ({ service, epoch }) => service === view.row.service && epoch === view.row.epoch,
  );
  if (daemon === undefined || held === undefined) return null;
  return Math.max(0, Math.round(held.leaseRemainingMs - (nowMs - daemon.reportedAtMs)));
}

export function daemonStatus(state: ArbiterState, view: DaemonView, around: Surroundings): DaemonStatus {
  const { spec, report } = view;
  const isReachable = view.failedChecks < spec.maxCheckAttempts && report !== null;
  const { maintenance } = state.settings;
  const missing = isReachable ? missingOf(state, view, around).map(({ text }) => text) : [];
  const kept = Object.hasOwn(maintenance, spec.name) ? maintenance[spec.name] : undefined;
  return {
    name: spec.name,
    type: spec.type,
    role: spec.role,
    realm: spec.realm,
    state: daemonState(view),
    // What was said before it fell silent is no longer known to be so.
    healthy: isReachable && report.healthy,
    ready: isReachable && missing.length === 0,
    missing,
    lastDrill: lastDrill(state, spec.name),
    reason: report?.reason ?? "",
    address: spec.address,
    port: spec.port,
    url: spec.url,
    lastSeen: report === null ? null : iso(around.wallMs - (around.nowMs - view.reportedAtMs)),
    lastFailure: view.lastFailure,
    failedChecks: view.failedChecks,
    latencyMs: view.roundTripMs === null ? null : Math.round(view.roundTripMs * 1_000) / 1_000,
    hasDrifted: hasDrifted(state, view, around),
    services: [...(state.holdings.get(spec.name) ?? [])],
    maintenance: kept === undefined ? null : { by: kept.by, reason: kept.reason },
    origin: originWord(spec),
    removed: view.removed,
  };
}
