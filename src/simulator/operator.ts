/**
 * The operator: undoes what was forbidden, and decides where nobody else may. People are slow, and
 * know more than an arbiter can: whether a machine is really gone.
 */
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
