/** How things stand at the end of a run, for whoever has to find out why it ended. */
import type { Simulation } from "./simulation.ts";

export function pictureOf(simulation: Simulation): string[] {
  const lines: string[] = [];
  for (const { name, process, state } of simulation.arbiters) {
    const mode = process?.isPaused === true ? "paused" : (state?.leadership.mode ?? "down");
    lines.push(
      `arbiter ${name}: ${mode}, term ${state?.term ?? "-"}, now ${process?.nowMs().toFixed(1) ?? "-"}`,
    );
    if (state?.leadership.mode !== "leading") continue;
    for (const view of state.services.values()) {
      const { phase, row, boundMs, knownCleared, acknowledgedSet, shownActive, pendingCommit } = view;
      lines.push(
        `  ${row.service}: ${phase} ${view.fencing ?? ""} ${row.holder} epoch ${row.epoch} cleared ${row.cleared}/${knownCleared} ` +
          `state ${row.stateId} ${row.bootId} bound ${boundMs.toFixed(1)} acknowledged ${acknowledgedSet} ` +
          `shown ${shownActive} pending ${pendingCommit} order ${view.order?.kind ?? "-"} target ${view.target} ` +
          `candidates ${JSON.stringify(row.candidates)} past ${JSON.stringify(row.pastSets)}`,
      );
    }
    for (const { spec, report, failedChecks, backOffUntilMs, inFlightSinceMs } of state.daemons.values()) {
      lines.push(
        `  sees ${spec.name}: failed ${failedChecks} backs off until ${backOffUntilMs.toFixed(1)} ` +
          `in flight since ${inFlightSinceMs} ${JSON.stringify(report)}`,
      );
    }
  }
  for (const { name, state, process } of simulation.daemons) {
    const held = [...(state?.held.values() ?? [])].map(
      (one) => `${one.service}@${one.epoch} ${one.phase} until ${one.leaseEndMs.toFixed(1)}`,
    );
    lines.push(
      `daemon ${name}: ${process === null ? "down" : process.isPaused ? "paused" : "up"}, ` +
        `now ${process?.nowMs().toFixed(1) ?? "-"}, holds ${held.join(", ") || "nothing"}`,
    );
  }
  return lines;
}
