/**
 * The end of a pause, and the warning before it: when nothing has moved for two hours because
 * somebody wanted it so, what waits moves in the moment in which the pause ends.
 *
 * The wall clock only says how long a pause is to last; nothing safe depends on it.
 */
import type { Settings } from "./model.ts";
import { mayCommit, setTimer, settingsAreBusy, tell, type Step } from "./step.ts";

/** So long before its end a pause is warned of; of a short one, at its last quarter. */
const WARN_BEFORE_MS = 5 * 60_000;
const RETRY_MS = 1000;

interface Ending {
  readonly key: string;
  readonly by: string;
  readonly reason: string;
  readonly untilWallMs: number;
  readonly warnAtWallMs: number;
}

function endings(settings: Settings): readonly Ending[] {
  return Object.entries(settings.pauses).flatMap(([key, { by, reason, untilWallMs, sinceWallMs }]) => {
    if (untilWallMs === null) return [];
    const lengthMs = sinceWallMs === undefined ? Infinity : untilWallMs - sinceWallMs;
    const warnAtWallMs = untilWallMs - Math.min(WARN_BEFORE_MS, lengthMs / 4);
    return [{ key, by, reason, untilWallMs, warnAtWallMs }];
  });
}

/** One warning a pause; a longer one under the same name is another. */
function mark({ key, untilWallMs }: Ending): string {
  return `${key} ${untilWallMs}`;
}

export function schedulePauseEnd(step: Step): void {
  const { warnedPauses, settings } = step.state;
  const all = endings(settings);
  for (const old of warnedPauses) if (!all.some((one) => mark(one) === old)) warnedPauses.delete(old);
  const instants = all.map((one) => (warnedPauses.has(mark(one)) ? one.untilWallMs : one.warnAtWallMs));
  const nextWallMs = Math.min(...instants, Infinity);
  setTimer(
    step,
    "pauses",
    nextWallMs === Infinity ? null : step.nowMs + Math.max(0, nextWallMs - step.wallMs),
  );
}

/** The timer `pauses`. */
export function endPauses(step: Step): void {
  if (!mayCommit(step.state) || settingsAreBusy(step.state)) {
    setTimer(step, "pauses", step.nowMs + RETRY_MS);
    return;
  }
  const settings = step.settings ?? step.state.settings;
  const all = endings(settings);
  for (const one of all)
    if (one.untilWallMs > step.wallMs && one.warnAtWallMs <= step.wallMs) warn(step, one);
  const over = all.filter(({ untilWallMs }) => untilWallMs <= step.wallMs);
  if (over.length === 0) return schedulePauseEnd(step);
  const ended = new Set(over.map(({ key }) => key));
  step.settings = {
    ...settings,
    pauses: Object.fromEntries(Object.entries(settings.pauses).filter(([key]) => !ended.has(key))),
  };
  for (const { key, by } of over)
    tell(step, {
      type: "operator.resume",
      ...about(key),
      text: `The pause of ${named(key)} by ${by} has ended.`,
    });
}

function warn(step: Step, ending: Ending): void {
  const { key, by, reason, untilWallMs } = ending;
  if (step.state.warnedPauses.has(mark(ending))) return;
  step.state.warnedPauses.add(mark(ending));
  const seconds = Math.round((untilWallMs - step.wallMs) / 1000);
  const why = reason === "" ? "" : ` (${reason})`;
  const again = key === "*" ? "" : ` ${key}`;
  tell(step, {
    type: "operator.pause-ending",
    ...about(key),
    text: `The pause of ${named(key)} by ${by}${why} ends in ${seconds} s: what waits may move then. \`arbiter pause${again} --for 1h\` makes it longer.`,
    evidence: { by, reason, endsInMs: seconds * 1000 },
  });
}

function about(key: string): { readonly service?: string } {
  return key === "*" ? {} : { service: key };
}

function named(key: string): string {
  return key === "*" ? "every service" : key;
}
