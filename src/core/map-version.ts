/**
 * The cluster map's version only rises, for everybody (I8), also where the store has lost its past
 * and counts from an earlier number. Whoever has kept a map says its version; a leader that hears of
 * one above its own commits under a number above that, so that what it shows is new to all.
 */
import { raisedBy } from "./plausible.ts";
import { isLeading, mayCommit, tell, type Step } from "./step.ts";

/** Somebody has a map of this version. */
export function mapSeen(step: Step, version: number): void {
  const { state } = step;
  state.mapSeenVersion = raisedBy(Math.max(state.mapSeenVersion, state.mapVersion), version);
}

/** The version that the store gave counts; one that was shown before is remembered. */
export function mapLoaded(step: Step, revision: number): void {
  const { state } = step;
  state.mapSeenVersion = Math.max(state.mapSeenVersion, state.mapVersion);
  state.mapVersion = revision;
}

/** At the end of a step: with nothing else to commit, the number alone is raised. */
export function raiseMap(step: Step): void {
  const { state } = step;
  if (!isLeading(state) || !mayCommit(state) || state.mapSeenVersion <= state.mapVersion) return;
  if (state.commits.size > 0 || step.settings !== null || step.changes.length > 0) return;
  step.settings = state.settings;
  tell(step, {
    type: "map.renumbered",
    text: `The cluster map's version goes on above ${state.mapSeenVersion}, which somebody has seen: the store has forgotten what came after ${state.mapVersion}.`,
    evidence: { seen: state.mapSeenVersion, stored: state.mapVersion },
  });
}
