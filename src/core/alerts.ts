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

/** What begins it, what ends it, and whose it is. */
export interface Trouble {
  readonly name: string;
  readonly begins: readonly string[];
  readonly ends: readonly string[];
  /** Each service, or each daemon, has a trouble of its own. */
  readonly of?: "service" | "daemon";
}

export const TROUBLES: readonly Trouble[] = [
  {
    name: "service",
    of: "service",
    begins: [
      "service.fencing",
      "service.vacant",
      "service.activation-failed",
      "service.commit-refused",
      "service.declared-dead",
      "failover.held-back",
    ],
    ends: ["service.held", "service.adopted"],
  },
  { name: "daemon", of: "daemon", begins: ["daemon.down"], ends: ["daemon.up", "daemon.left"] },
  { name: "health", of: "daemon", begins: ["daemon.unhealthy"], ends: ["daemon.healthy", "daemon.left"] },
  { name: "drill", of: "service", begins: ["drill.failed"], ends: ["drill.passed"] },
  { name: "store", begins: ["store.down"], ends: ["store.up"] },
  { name: "lead", begins: ["leader.stepped-down"], ends: ["leader.elected"] },
  { name: "doubt", begins: ["arbiter.doubts-itself"], ends: ["arbiter.trusts-itself", "leader.elected"] },
  { name: "edit", begins: ["config.refused", "config.waiting"], ends: ["config.applied"] },
  { name: "arbiter", begins: ["arbiter.down"], ends: ["arbiter.up"] },
  { name: "drift", begins: ["config.drift"], ends: ["config.in-sync"] },
];
/** Told to who filters nothing, though nothing that ends. */
export const WARNINGS: ReadonlySet<string> = new Set([
  "arbiter.trusts-another",
  "config.rollback-failed",
  "drill.skipped",
  "events-dropped",
  "map.renumbered",
  "operator.pause-ending",
  "security.refused",
]);
/** Troubles that a target can be told the end of. Beyond that the oldest are forgotten. */
const MOST_OPEN = 10_000;

/** What who filters nothing is told of, beside the ends of it. */
export function isAlertType(type: string): boolean {
  return WARNINGS.has(type) || TROUBLES.some(({ begins }) => begins.includes(type));
}

function subjectOf({ service, daemon, publication, type }: LoggedEvent): string {
  if (service !== undefined) return `service:${service}`;
  if (daemon !== undefined) return `daemon:${daemon}`;
  return publication === undefined ? type : `published:${publication.namespace}/${publication.key}`;
}

function subjectIn({ name, of }: Trouble, event: LoggedEvent): string {
  return of === undefined ? name : `${name}:${event[of] ?? ""}`;
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
  const { seq, type } = event;
  const begun = TROUBLES.find(({ begins }) => begins.includes(type));
  if (begun !== undefined) {
    if (!isWanted(type)) return { notice: null, cursor: { ...cursor, seq } };
    const subject = subjectIn(begun, event);
    const known = Object.hasOwn(cursor.open, subject) ? cursor.open[subject] : undefined;
    const open = bounded({ ...cursor.open, [subject]: known ?? seq });
    return { notice: { kind: "problem", subject, event, since: null }, cursor: { seq, open } };
  }
  const ended = TROUBLES.filter(({ ends }) => ends.includes(type))
    .map((trouble) => subjectIn(trouble, event))
    .filter((subject) => Object.hasOwn(cursor.open, subject));
  const [subject] = ended;
  if (subject !== undefined) {
    const open = Object.fromEntries(Object.entries(cursor.open).filter(([name]) => !ended.includes(name)));
    const notice: Notice = { kind: "recovery", subject, event, since: cursor.open[subject] ?? null };
    return { notice: tellsRecoveries || isWanted(type) ? notice : null, cursor: { seq, open } };
  }
  // Who filters nothing isn't told of each planned move's end.
  const kind = WARNINGS.has(type) ? "problem" : "information";
  const about: Notice = { kind, subject: subjectOf(event), event, since: null };
  return { notice: isWanted(type) ? about : null, cursor: { ...cursor, seq } };
}

function bounded(open: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const subjects = Object.entries(open);
  if (subjects.length <= MOST_OPEN) return open;
  return Object.fromEntries(subjects.toSorted((a, b) => b[1] - a[1]).slice(0, MOST_OPEN));
}
