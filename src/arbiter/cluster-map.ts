/**
 * The cluster map: who holds what, at which epoch, under one ever-rising version (I8), and the
 * answers made from it. Pure functions of the arbiter's state.
 *
 * A service has a holder from the commit of its epoch until that epoch is known to be over. A
 * holder in trouble (`suspect`, `fencing`) is still shown, since it may still be active: saying
 * "nobody" early would invite somebody else to begin.
 *
 * The map says what is committed and nothing else. So a version has one map, whoever makes it, and
 * whatever else an arbiter has come to think since.
 */
import type { ArbiterState, ServicePhase, ServiceView } from "../core/arbiter-state.ts";
import type { ServiceRow } from "../core/model.ts";

export interface MapEntry {
  readonly holder: string | null;
  readonly epoch: number;
  readonly url: string | null;
  readonly address: string | null;
  readonly port: number | null;
  /** When this holder got it, in ms since 1970; for people. */
  readonly sinceWallMs: number;
}

export interface ClusterMap {
  readonly version: number;
  readonly clusterId: string;
  readonly term: number;
  readonly services: Readonly<Record<string, MapEntry>>;
}

/** `GET /v1/services/NAME` */
export interface ServiceAnswer extends Omit<MapEntry, "sinceWallMs"> {
  readonly service: string;
  readonly phase: ServicePhase;
  readonly since: string;
  readonly version: number;
}

export interface Peer {
  readonly name: string;
  readonly type: string;
  readonly role: string;
  readonly state: string;
  readonly address: string;
  readonly port: number;
  readonly url: string;
  /** Of the configuration that it runs with, where it said so. */
  readonly version: string | null;
}

export function holderOf(view: ServiceView): string | null {
  if (view.phase === "vacant" || view.row.cleared >= view.row.epoch) return null;
  return view.row.holder;
}

export function entryOf(state: ArbiterState, view: ServiceView): MapEntry {
  return entry(state, view.row, holderOf(view));
}

function entry(state: ArbiterState, row: ServiceRow, holder: string | null): MapEntry {
  const spec = holder === null ? undefined : state.daemons.get(holder)?.spec;
  return {
    holder,
    epoch: row.epoch,
    url: spec?.url ?? null,
    address: spec?.address ?? null,
    port: spec?.port ?? null,
    sinceWallMs: row.sinceWallMs,
  };
}

export function isLeading(state: ArbiterState): boolean {
  return state.leadership.mode === "leading";
}

/** The leader's. */
export function clusterMap(state: ArbiterState): ClusterMap {
  const { mapVersion: version, clusterId, term } = state;
  const rows = [...state.services.values()].map(({ row }) => row);
  return mapOfRows(state, { version, clusterId, term, rows });
}

/** What those rows say; those of services that are over and configured nowhere are left out. */
export function mapOfRows(
  state: ArbiterState,
  of: Omit<ClusterMap, "services"> & { readonly rows: readonly ServiceRow[] },
): ClusterMap {
  const { rows, ...map } = of;
  const services = new Map<string, MapEntry>();
  for (const { name } of state.model.services) services.set(name, VACANT);
  for (const row of rows) {
    const holder = row.cleared >= row.epoch ? null : row.holder;
    if (holder !== null || services.has(row.service)) services.set(row.service, entry(state, row, holder));
  }
  return { ...map, services: Object.fromEntries(services) };
}

const VACANT: MapEntry = { holder: null, epoch: 0, url: null, address: null, port: null, sinceWallMs: 0 };

/** Changes whenever the map does; two clusters never share one. */
export function mapTag({ clusterId, term, version }: Omit<ClusterMap, "services">): string {
  return `"${clusterId}.${term}.${version}"`;
}

export function serviceAnswer(state: ArbiterState, view: ServiceView): ServiceAnswer {
  const { sinceWallMs: _, ...answer } = entryOf(state, view);
  return {
    service: view.row.service,
    ...answer,
    phase: view.phase,
    since: sinceOf(view),
    version: state.mapVersion,
  };
}

/** As a standby knows it: held or not, as of the map's version. */
export function serviceInMap({ version, services }: ClusterMap, service: string): ServiceAnswer | null {
  const found = Object.hasOwn(services, service) ? services[service] : undefined;
  if (found === undefined) return null;
  const { sinceWallMs, ...answer } = found;
  const phase = answer.holder === null ? "vacant" : "held";
  return { service, ...answer, phase, since: new Date(sinceWallMs).toISOString(), version };
}

/** Since when the holder has it; since when nobody has. */
export function sinceOf(view: ServiceView): string {
  const atWallMs = holderOf(view) === null ? view.phaseSinceWallMs : view.row.sinceWallMs;
  return new Date(atWallMs).toISOString();
}

export function leaderOf(state: ArbiterState): string | null {
  if (state.leadership.mode === "leading") return state.options.name;
  const { record } = state.leadership;
  return record === null || record.released || record.leader === state.options.name ? null : record.leader;
}

/** What a daemon is doing, as far as this arbiter knows. */
export function daemonState(view: {
  readonly report: { readonly state: string } | null;
  readonly failedChecks: number;
  readonly spec: { readonly maxCheckAttempts: number };
}): string {
  if (view.failedChecks >= view.spec.maxCheckAttempts) return "unreachable";
  return view.report?.state ?? "unknown";
}

export function peers(state: ArbiterState): readonly Peer[] {
  const leader = leaderOf(state);
  const list: Peer[] = state.model.arbiters.map(({ name, type, role, address, port, url }) => ({
    name,
    type,
    role,
    state: arbiterState(state, name, leader),
    address,
    port,
    url,
    version: name === state.options.name ? state.configuration.hash : null,
  }));
  for (const { spec, report, failedChecks } of state.daemons.values()) {
    list.push({
      name: spec.name,
      type: spec.type,
      role: spec.role,
      state: daemonState({ report, failedChecks, spec }),
      address: spec.address,
      port: spec.port,
      url: spec.url,
      version: report === null || report.configVersion === "" ? null : report.configVersion,
    });
  }
  return list;
}

/** What an arbiter is doing: this one knows it of itself, of another what the record says. */
export function arbiterState(state: ArbiterState, name: string, leader: string | null): string {
  if (name === leader) return "leading";
  if (name === state.options.name) return state.leadership.mode;
  const isListed = state.leadership.record?.electable.some((listed) => listed.name === name) ?? false;
  return isListed ? "standing-by" : "unknown";
}
