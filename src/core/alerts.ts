/**
 * Which events of the log somebody is told of, and as what. Pure: the log goes in, notices come out.
 *
 * A *problem* opens a subject (a service, a daemon, the store, …), and the first event that closes it
 * again becomes a *recovery*; everything else that is asked for is *information*. What is open stands
 * beside the cursor in the store, so that a recovery is told also by the next leader.
 */
import type { LoggedEvent } from "./model.ts";

export type NoticeKind = "problem" | "recovery" | "information";

export interface Notice {
  readonly kind: NoticeKind;
  /** What it is about: `service:scheduler-master`, `daemon:…`, `store`, … */
  readonly subject: string;
  readonly event: LoggedEvent;
  /** Of a recovery: the number of the event that began the trouble. */
  readonly since: number | null;
}

/** How far a target has been told, and which troubles it knows of. */
export interface TargetCursor {
  readonly seq: number;
  /** By subject: the number of the event that it was told of. */
  readonly open: Readonly<Record<string, number>>;
}

/** Types of events that begin a trouble; who filters nothing is told of these. */
const PROBLEMS: ReadonlySet<string> = new Set([
  "service.vacant",
  "service.fencing",
  "service.activation-failed",
  "service.commit-refused",
  "service.declared-dead",
  "daemon.down",
  "daemon.unhealthy",
  "store.down",
  "config.refused",
  "config.waiting",
  "events-dropped",
  "leader.stepped-down",
]);
/** Types that end one, for the same subject. */
const RECOVERIES: ReadonlySet<string> = new Set([
  "service.held",
  "service.adopted",
  "daemon.up",
  "daemon.healthy",
  "daemon.left",
  "store.up",
  "config.applied",
  "leader.elected",
]);
/** Told to who filters nothing, though nothing is wrong by them alone. */
const TELLING: ReadonlySet<string> = new Set(["security.refused"]);
/** Troubles that a target can be told the end of. Beyond that the oldest are forgotten. */
const MOST_OPEN = 10_000;

/** Words at the end of a type by which later events are understood, too. */
const PROBLEM_ENDS = /(?:failed|refused|exhausted|overdue|drifted|suspended|warning)$/u;

export function isProblemType(type: string): boolean {
  return PROBLEMS.has(type) || (PROBLEM_ENDS.test(type) && !type.startsWith("operator."));
}

/** What who filters nothing is told of, beside the ends of it. */
export function isAlertType(type: string): boolean {
  return isProblemType(type) || TELLING.has(type);
}

export function subjectOf(event: LoggedEvent): string {
  const [family = event.type] = event.type.split(".", 1);
  if (family === "service" && event.service !== undefined) return `service:${event.service}`;
  if (family === "daemon" && event.daemon !== undefined) return `daemon:${event.daemon}`;
  return family;
}

/**
 * What a target is told of one event, and where it stands after it. `isWanted` is its filter of
 * types; `tellsRecoveries`: whether it wants to hear of ends that its filter doesn't name.
 */
export function noticeOf(
  cursor: TargetCursor,
  event: LoggedEvent,
  isWanted: (type: string) => boolean,
  tellsRecoveries: boolean,
): { readonly notice: Notice | null; readonly cursor: TargetCursor } {
  const subject = subjectOf(event);
  const { seq, type } = event;
  if (isProblemType(type)) {
    if (!isWanted(type)) return { notice: null, cursor: { ...cursor, seq } };
    const open = bounded({ ...cursor.open, [subject]: cursor.open[subject] ?? seq });
    return { notice: { kind: "problem", subject, event, since: null }, cursor: { seq, open } };
  }
  const since = Object.hasOwn(cursor.open, subject) ? (cursor.open[subject] ?? null) : null;
  if (RECOVERIES.has(type) && since !== null) {
    const { [subject]: _closed, ...open } = cursor.open;
    const notice: Notice = { kind: "recovery", subject, event, since };
    return { notice: tellsRecoveries || isWanted(type) ? notice : null, cursor: { seq, open } };
  }
  // Who filters nothing isn't told of each planned move's end.
  const notice: Notice | null = isWanted(type) ? { kind: "information", subject, event, since: null } : null;
  return { notice, cursor: { ...cursor, seq } };
}

function bounded(open: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const subjects = Object.entries(open);
  if (subjects.length <= MOST_OPEN) return open;
  return Object.fromEntries(subjects.toSorted((a, b) => b[1] - a[1]).slice(0, MOST_OPEN));
}
