/**
 * Whether a daemon that waits could take a service, beyond what it says of itself: a spare is *ready* only
 * if all of it was looked at, here and there. What is missing, each a sentence's end and a kind for metrics.
 *
 * It says itself what it can see: command, ports, hooks, health. What only the arbiter knows: that it runs
 * with the file that the arbiter has, that the holder has acknowledged it as a candidate, and how its last
 * drill ended. One that was never drilled isn't less ready for it; that it never was is said.
 */
import type { ArbiterState, DaemonView, ServiceView } from "../core/arbiter-state.ts";
import type { DrillTrial } from "../core/model.ts";
import { iso } from "./status-facts.ts";
import type { Surroundings } from "./status-facts.ts";

/** `checks`: what it looks at itself. */
export type MissingKind = "checks" | "configuration" | "candidates" | "drill";

export const MISSING_KINDS: readonly MissingKind[] = ["checks", "configuration", "candidates", "drill"];

const MOST_NAMED = 3;
/** A commit and two checks, on a slow machine: a spare that has just come is no reason to alarm anyone. */
const ACKNOWLEDGED_WITHIN_MS = 5_000;

export interface Missing {
  readonly kind: MissingKind;
  readonly text: string;
}

export interface LastDrill {
  readonly service: string;
  readonly at: string;
  readonly passed: boolean;
  /** Why it failed; null: it passed. */
  readonly because: string | null;
}

/** Empty: it is ready, as far as anybody knows; one that doesn't answer isn't asked for more. */
export function missingOf(state: ArbiterState, view: DaemonView, around: Surroundings): readonly Missing[] {
  const known = answers.get(around) ?? new Map<DaemonView, readonly Missing[]>();
  answers.set(around, known);
  const before = known.get(view);
  if (before !== undefined) return before;
  const missing = lookAt(state, view, around);
  known.set(view, missing);
  return missing;
}

/** One answer asks for its problems, its order and its rows: each daemon is looked at once for all of them. */
const answers = new WeakMap<Surroundings, Map<DaemonView, readonly Missing[]>>();

function lookAt(state: ArbiterState, view: DaemonView, around: Surroundings): readonly Missing[] {
  const { report, spec } = view;
  if (report === null) return [];
  const missing: Missing[] = [];
  if (!report.ready)
    missing.push({ kind: "checks", text: report.reason === "" ? "it doesn't say why" : report.reason });
  // What it holds it has shown that it can take; and what was changed for it comes with its next start.
  if ((state.holdings.get(spec.name)?.size ?? 0) > 0) return missing;
  if (ownDrift(view, around) === true)
    missing.push({
      kind: "configuration",
      text: "it runs with another file than the arbiter's: restart it with the present one",
    });
  const isNew = around.nowMs - (view.healthySinceMs ?? around.nowMs) < ACKNOWLEDGED_WITHIN_MS;
  for (const { row } of isNew ? [] : unacknowledgedBy(state, view))
    missing.push({
      kind: "candidates",
      text: `${row.holder ?? "the holder"} hasn't acknowledged it as a candidate of ${row.service} yet`,
    });
  const drill = lastDrill(state, spec.name);
  if (drill !== null && !drill.passed)
    missing.push({
      kind: "drill",
      text: `its last drill, of ${drill.service} at ${drill.at}, failed: ${drill.because ?? ""}`,
    });
  return missing;
}

/** It runs with another configuration than the arbiter's; null: it doesn't say, or there is nothing to compare. */
export function hasDrifted(state: ArbiterState, view: DaemonView, around: Surroundings): boolean | null {
  const { report } = view;
  const own = ownDrift(view, around);
  if (own !== null) return own;
  return report === null || report.configVersion === ""
    ? null
    : report.configVersion !== state.configuration.hash;
}

/** Of what concerns it alone: an edit elsewhere in the folder takes nothing from its readiness. */
function ownDrift({ report, spec }: DaemonView, { ownConfigs = {} }: Surroundings): boolean | null {
  const expected = Object.hasOwn(ownConfigs, spec.name) ? ownConfigs[spec.name] : undefined;
  return report?.ownConfig === undefined || expected === undefined ? null : report.ownConfig !== expected;
}

/**
 * Services whose holder, in good order, may not know of this candidate yet: it couldn't follow a silent one. The
 * first few are enough to name.
 */
function unacknowledgedBy(state: ArbiterState, { spec, report }: DaemonView): readonly ServiceView[] {
  const found: ServiceView[] = [];
  // A spare of ten thousand services is asked for often: candidates are only read where somebody is missing.
  for (const name of state.candidateOf.get(spec.name) ?? []) {
    const view = state.services.get(name);
    if (view === undefined || view.phase !== "held" || view.removed || view.row.holder === spec.name)
      continue;
    const { version, list } = view.row.candidates;
    const isAgreed = view.acknowledgedSet >= version;
    if (isAgreed && list.length >= view.spec.candidates.length) continue;
    const isListed = list.some((one) => one.name === spec.name && one.stateId === report?.stateId);
    if (!isListed || !isAgreed) found.push(view);
    if (found.length === MOST_NAMED) break;
  }
  return found;
}

/** The newest that tried it, of any service; null: never. */
export function lastDrill({ settings: { drills } }: ArbiterState, daemon: string): LastDrill | null {
  if (drills === undefined) return null;
  let byDaemon = indexes.get(drills);
  if (byDaemon === undefined) {
    byDaemon = lastDrills(drills);
    indexes.set(drills, byDaemon);
  }
  return byDaemon.get(daemon) ?? null;
}

/** Settings are never changed in place, and a status asks for each of many daemons. */
const indexes = new WeakMap<Drills, ReadonlyMap<string, LastDrill>>();
type Drills = NonNullable<ArbiterState["settings"]["drills"]>;

function lastDrills(drills: Drills): ReadonlyMap<string, LastDrill> {
  const newest = new Map<string, { readonly service: string; readonly trial: DrillTrial }>();
  for (const [service, { tried = {} }] of Object.entries(drills))
    for (const [daemon, trial] of Object.entries(tried))
      if (trial.atWallMs > (newest.get(daemon)?.trial.atWallMs ?? -Infinity))
        newest.set(daemon, { service, trial });
  return new Map(
    [...newest].map(
      ([
        daemon,
        {
          service,
          trial: { atWallMs, because },
        },
      ]) => [daemon, { service, at: iso(atWallMs), passed: because === null, because }],
    ),
  );
}
