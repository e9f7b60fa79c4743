/** What keeps a daemon from taking a service now, for people, and what there is to be done about it. */
import type { ArbiterState, DaemonView } from "../core/arbiter-state.ts";
import { missingOf } from "./readiness.ts";
import type { MissingKind } from "./readiness.ts";
import type { Surroundings } from "./status-facts.ts";

/** In the order in which they are said. */
const STEPS = [
  ["start", "start what is down"],
  ["repair", "repair what is unhealthy or not ready"],
  ["drill", "mend what failed in the drill and try again (`arbiter drill SERVICE`)"],
  ["maintenance", "end the maintenance (`arbiter maintenance DAEMON off`)"],
] as const;
type Step = (typeof STEPS)[number][0];

export interface Hindrance {
  /** `NAME is …` */
  readonly text: string;
  /** Empty: it ends by itself. */
  readonly steps: readonly Step[];
}

const STEP_OF_MISSING: Readonly<Record<MissingKind, Step>> = {
  checks: "repair",
  configuration: "repair",
  candidates: "repair",
  drill: "drill",
};
export const UNHEALTHY: Hindrance = { text: "unhealthy", steps: ["repair"] };
const DOWN: Hindrance = { text: "down", steps: ["start"] };

/** Why a daemon couldn't take a service; null: it could, or does. */
export type WhyNot = (daemon: string) => Hindrance | null;

/** A spare of a thousand services is asked about once, not a thousand times. */
export function whyNotIn(state: ArbiterState, around: Surroundings): WhyNot {
  const known = new Map<string, Hindrance | null>();
  return (daemon) => {
    const before = known.get(daemon);
    if (before !== undefined) return before;
    const found = whyNot(state, daemon, around);
    known.set(daemon, found);
    return found;
  };
}

function whyNot(state: ArbiterState, name: string, around: Surroundings): Hindrance | null {
  const view = state.daemons.get(name);
  if (view === undefined) return { text: "not in the configuration", steps: ["start"] };
  if (Object.hasOwn(state.settings.maintenance, name))
    return { text: "in maintenance", steps: ["maintenance"] };
  return reachable(view) ?? ability(view) ?? unready(state, view, around);
}

function reachable(view: DaemonView): Hindrance | null {
  if (view.failedChecks >= view.spec.maxCheckAttempts) return DOWN;
  // Not asked yet: no reason to alarm anyone.
  return view.report === null && view.failedChecks > 0 ? DOWN : null;
}

function ability({ report }: DaemonView): Hindrance | null {
  if (report === null) return null;
  // It cleans up, or is on its way out.
  if (report.state === "failed" || report.state === "leaving") return { text: report.state, steps: [] };
  return report.healthy ? null : UNHEALTHY;
}

function unready(state: ArbiterState, view: DaemonView, around: Surroundings): Hindrance | null {
  const missing = missingOf(state, view, around);
  if (missing.length === 0) return null;
  return {
    text: `not ready (${missing.map(({ text }) => text).join("; ")})`,
    steps: missing.map(({ kind }) => STEP_OF_MISSING[kind]),
  };
}

/** What there is to be done about all of these: a sentence. */
export function whatHelps(hindrances: readonly Hindrance[]): string {
  const needed = new Set(hindrances.flatMap(({ steps }) => steps));
  const said = STEPS.flatMap(([step, text]) => (needed.has(step) ? [text] : []));
  const text = said.length === 0 ? "wait: it cleans up, or leaves" : said.join(", ");
  return `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}.`;
}
