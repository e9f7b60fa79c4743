/**
 * What a reload would move, in words: the cluster as its arbiter sees it now is set up in the simulator,
 * and the edit is made there.
 */
import type { Status } from "../arbiter/status.ts";
import type { ClusterModel } from "../core/model.ts";
import { reloadMoves, type ReloadMove, type Standing } from "../simulator/own-reload.ts";

export function plannedMoves(
  before: ClusterModel,
  after: ClusterModel,
  status: Status,
): readonly ReloadMove[] {
  return reloadMoves(before, after, standingOf(status));
}

function standingOf({ services, daemons }: Status): Standing {
  const holders = services.flatMap(({ name, holder }) => (holder === null ? [] : [[name, holder] as const]));
  const names = (of: typeof daemons): string[] => of.map(({ name }) => name);
  const isAll = services.some(({ pause }) => pause?.all === true);
  const paused = services.filter(({ pause }) => pause !== null && !pause.all).map(({ name }) => name);
  return {
    holders: Object.fromEntries(holders),
    down: names(daemons.filter(({ state }) => state === "unreachable")),
    unhealthy: names(daemons.filter(({ state, healthy }) => state !== "unreachable" && !healthy)),
    paused: isAll ? ["*"] : paused,
    inMaintenance: names(daemons.filter(({ maintenance }) => maintenance !== null)),
  };
}
