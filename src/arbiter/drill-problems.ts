/** What is wrong with drills: one that failed, and one that is overdue. Each stays until a drill is good. */
import type { ArbiterState } from "../core/arbiter-state.ts";
import { iso } from "./status-facts.ts";
import type { Surroundings } from "./status-facts.ts";
import type { StatusProblem } from "./status-problems.ts";

const DAY_MS = 86_400_000;

export function drillProblems(state: ArbiterState, around: Surroundings): readonly StatusProblem[] {
  const list: StatusProblem[] = [];
  for (const [service, { failed, lastGoodWallMs, sinceWallMs }] of Object.entries(
    state.settings.drills ?? {},
  )) {
    const view = state.services.get(service);
    if (view === undefined || view.removed) continue;
    if (failed !== null)
      list.push({
        code: "drill-failed",
        subject: service,
        text: `The drill of ${service} at ${iso(failed.atWallMs)} failed: ${failed.because}.`,
        next: `Mend that, then try again: \`arbiter drill ${service}\`. A good drill ends this.`,
      });
    const maxAgeMs = around.drillMaxAgesMs?.[service];
    const ageMs = around.wallMs - (lastGoodWallMs ?? sinceWallMs);
    if (maxAgeMs === undefined || ageMs <= maxAgeMs) continue;
    const since =
      lastGoodWallMs === null
        ? `${service} is to be drilled since ${iso(sinceWallMs)}, and no drill was good yet`
        : `The last good drill of ${service} was at ${iso(lastGoodWallMs)}`;
    list.push({
      code: "drill-overdue",
      subject: service,
      text: `${since}: longer ago than drill_max_age (${Number((maxAgeMs / DAY_MS).toFixed(2))} days).`,
      next: `\`arbiter drill ${service}\`, or see in \`arbiter events --service ${service}\` why the scheduled ones were skipped.`,
    });
  }
  return list;
}
