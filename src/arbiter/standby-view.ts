/**
 * What a standby shows when the leader can't be asked: services as the newest map has them, pauses
 * and maintenance as the store had them. It knows nothing of daemons, and says so.
 */
import type { ArbiterState, ServiceView } from "../core/arbiter-state.ts";
import type { ServiceRow, Settings } from "../core/model.ts";
import { formerService } from "../core/former.ts";
import { serviceView, unknownRow } from "../core/service-view.ts";
import { beginStep } from "../core/step.ts";
import type { ClusterMap, MapEntry } from "./cluster-map.ts";

/** A state to be shown, never stepped. */
export function standbyState(
  state: ArbiterState,
  map: ClusterMap | null,
  settings: Settings | null,
  moment: { readonly nowMs: number; readonly wallMs: number },
): ArbiterState {
  const services = new Map<string, ServiceView>();
  const step = beginStep(state, moment.nowMs, moment.wallMs);
  for (const [name, entry] of Object.entries(map?.services ?? {})) {
    const row = rowOf(name, entry);
    const spec = state.model.services.find((one) => one.name === name);
    const view = serviceView(step, spec ?? formerService(row), row, spec === undefined);
    view.phase = entry.holder === null ? "vacant" : "held";
    services.set(name, view);
  }
  const mapVersion = Math.max(state.mapVersion, map?.version ?? 0);
  const term = Math.max(state.term, map?.term ?? 0);
  return { ...state, services, mapVersion, term, settings: settings ?? state.settings };
}

function rowOf(service: string, { holder, epoch, sinceWallMs }: MapEntry): ServiceRow {
  const nothing = unknownRow({ ...EMPTY, name: service });
  return { ...nothing, holder, epoch, cleared: holder === null ? epoch : epoch - 1, sinceWallMs };
}

const EMPTY = formerService({
  service: "",
  holder: null,
  stateId: null,
  bootId: null,
  epoch: 0,
  cleared: 0,
  leaseMaxMs: 0,
  candidates: { version: 0, list: [] },
  pastSets: [],
  sinceWallMs: 0,
});
