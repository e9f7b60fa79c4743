/**
 * The operator: undoes what was forbidden, and decides where nobody else may. People are slow, and
 * know more than an arbiter can: whether a machine is really gone.
 */
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

/** Looks in once in so long, for as long as the first phase lasts. */
export function beginVisits(simulation: Simulation, everyMs: number): void {
  simulation.world.after(everyMs, () => {
    if (simulation.world.nowMs >= simulation.options.safetyMs) return;
    allowEverything(simulation);
    const names = simulation.whole.services.map(({ name }) => name);
    if (simulation.wasWiped)
      for (const name of [...names, ...removedServices(simulation)]) decideIfDead(simulation, name);
    beginVisits(simulation, everyMs);
  });
}

/** What left the files, and isn't over. */
export function removedServices({ leader }: Simulation): string[] {
  return [...(leader?.state?.services ?? [])].filter(([, { removed }]) => removed).map(([name]) => name);
}

/** Whatever was forbidden is allowed again. */
export function allowEverything(simulation: Simulation): void {
  const { leader } = simulation;
  const settings = leader?.state?.settings;
  if (leader === null || settings === undefined) return;
  for (const key of Object.keys(settings.pauses)) {
    leader.command({ verb: "resume", service: key === "*" ? null : key }, () => {});
  }
  for (const daemon of Object.keys(settings.maintenance)) {
    leader.command({ verb: "maintenance", daemon, on: false, reason: "" }, () => {});
  }
}

function decideIfDead(simulation: Simulation, service: string): void {
  const { oneHolder, world } = simulation;
  if (oneHolder.beliefs(service, world.nowMs).length === 0) declareDead(simulation, service);
}

/** Where only candidates are left that the holder never heard of, nobody but an operator can decide. */
export function declareDead(simulation: Simulation, service: string): void {
  const phase = simulation.leader?.state?.services.get(service)?.phase;
  // Only where the arbiter itself has come to the end of what it may decide.
  if (phase !== "fencing" && phase !== "vacant") return;
  simulation.world.note("operator forces", service);
  simulation.leader?.command(
    { verb: "failover", service, to: null, force: true, evenIfAlive: false },
    (answer) => simulation.world.note("answer", answer.status, answer.text),
  );
}

/** Whoever says that a holder is dead has looked: its boot is gone, and nobody else holds the service. */
export function isOver({ leader, daemons, oneHolder, world }: Simulation, service: string): boolean {
  const row = leader?.state?.services.get(service)?.row;
  if (row === undefined || oneHolder.beliefs(service, world.nowMs).length > 0) return false;
  return daemons.every(
    ({ process, bootId, state }) =>
      process === null || (bootId !== row.bootId && state?.held.has(service) !== true),
  );
}

/**
 * An arbiter claims the lead if the one that led is gone: no process of any arbiter leads, and that start
 * of it, which the record names, has ended. Where nobody is kept from leading, the order is refused.
 */
export function claimIfGone(simulation: Simulation, random: Random): void {
  const { arbiters, store, world } = simulation;
  const { record } = store;
  const isThere = arbiters.some(
    ({ state }) =>
      state !== null && (state.leadership.mode === "leading" || state.options.instance === record?.instance),
  );
  if (record === null || isThere) return;
  const able = arbiters.filter(({ process }) => process?.isPaused === false);
  if (able.length === 0) return;
  const claimant = random.pick(able);
  claimant.command({ verb: "claim" }, (answer) =>
    world.note("claim", claimant.name, answer.status, answer.text),
  );
}
