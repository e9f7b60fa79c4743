/**
 * What happened to a service, told from its events: where it went, why, what was waited for and for
 * how long, and who was passed over.
 *
 * An event carries the row of the service table that made it and the evidence of that row; the
 * sentences here say it in plain words, for a reader who knows nothing of the code. Nothing is
 * guessed: what isn't in the evidence isn't told.
 */
import { eventSentence, inTime, rejections, rowSentence } from "./explain-words.ts";
import type { EventDraft } from "./model.ts";
import { isNewStart, type GapIs, type OverlapIs } from "./move-measure.ts";
import { rowOf } from "./service-rows.ts";

export type MoveKind =
  /** It went to another daemon, and nobody had planned it. */
  | "failover"
  | "switchover"
  /** A planned move that brought it back to its master by itself. */
  | "failback"
  /** The same daemon got it again, under a new epoch. */
  | "restarted"
  /** It began to look like trouble, and nothing moved. */
  | "kept"
  /** A holder that had gone on without an arbiter was found, and kept. */
  | "adopted"
  /** Nobody had ever held it, as far as the log reaches. */
  | "first"
  /** It has not ended yet. */
  | "under-way";

export interface ToldStep {
  readonly atWallMs: number;
  /** Row of the service table; null: something beside it. */
  readonly row: number | null;
  readonly type: string;
  readonly text: string;
}

export interface ToldMove {
  readonly kind: MoveKind;
  readonly beganWallMs: number;
  readonly endedWallMs: number | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly fromEpoch: number | null;
  readonly toEpoch: number | null;
  /** For how long nobody held it; null: not known, or it was held all the time. */
  readonly gapMs: number | null;
  /** What kind of measures these are; see `move-measure.ts`. */
  readonly gapIs: GapIs | null;
  readonly overlapIs: OverlapIs | null;
  readonly text: string;
  readonly steps: readonly ToldStep[];
  readonly rejected: readonly { readonly daemon: string; readonly because: string }[];
}

/** What was ordered or seen shortly before belongs to the story. */
const LEAD_IN_MS = 10_000;
const BESIDE = /^(?:operator|daemon|leader|config|drill)\./u;

/** A check or two failed and the next was good: nobody needs to read each of them. */
export function isBlip({ kind, steps }: ToldMove): boolean {
  return kind === "kept" && steps.every(({ row }) => row === null || row === 330 || row === 400);
}

interface Open {
  readonly events: EventDraft[];
  from: string | null;
  fromEpoch: number | null;
}

/** `events`: the log's, oldest first, of any service. `candidates`: whose ups and downs matter. */
export function movesOf(
  service: string,
  candidates: readonly string[],
  events: readonly EventDraft[],
): ToldMove[] {
  const moves: ToldMove[] = [];
  const beside: EventDraft[] = [];
  let open: Open | null = null;
  let holder: string | null = null;
  let epoch: number | null = null;
  for (const event of events) {
    const row = event.service === service ? rowOf(event.row) : null;
    if (row === null) {
      if (!concerns(event, service, candidates)) continue;
      if (open === null) beside.push(event);
      else open.events.push(event);
      continue;
    }
    if (open === null) {
      const sinceMs = event.atWallMs - LEAD_IN_MS;
      open = { events: beside.filter(({ atWallMs }) => atWallMs >= sinceMs), from: holder, fromEpoch: epoch };
    }
    beside.length = 0;
    if (
      open.from === null &&
      row.from !== "vacant" &&
      row.from !== "activating" &&
      event.daemon !== undefined
    ) {
      open.from = event.daemon;
      open.fromEpoch = event.epoch ?? null;
    }
    open.events.push(event);
    if (row.to !== "held") continue;
    moves.push(told(open, event));
    holder = event.daemon ?? holder;
    epoch = event.epoch ?? epoch;
    open = null;
  }
  if (open !== null) moves.push(told(open, null));
  return moves;
}

function concerns(event: EventDraft, service: string, candidates: readonly string[]): boolean {
  if (!BESIDE.test(event.type)) return false;
  if (event.service !== undefined) return event.service === service;
  return event.daemon === undefined || candidates.includes(event.daemon);
}

/** `last`: the event that ended it; null: it goes on. */
function told({ events, from, fromEpoch }: Open, last: EventDraft | null): ToldMove {
  const rows = events.filter(({ row }) => row !== undefined);
  const beganWallMs = rows[0]?.atWallMs ?? events[0]?.atWallMs ?? 0;
  const to = last?.daemon ?? null;
  const toEpoch = last?.epoch ?? null;
  const kind = kindOf(rows, last, { from, fromEpoch });
  const gap = last?.evidence?.["gapMs"];
  const gapMs = typeof gap === "number" ? gap : null;
  const facts = {
    kind,
    beganWallMs,
    endedWallMs: last?.atWallMs ?? null,
    from,
    to,
    fromEpoch,
    toEpoch,
    gapMs,
    gapIs: wordOf(last, GAPS, "gapIs"),
    overlapIs: wordOf(last, OVERLAPS, "overlapIs"),
  };
  let before: EventDraft | null = null;
  const steps: ToldStep[] = [];
  for (const event of events) {
    const sinceMs = before === null ? null : event.atWallMs - before.atWallMs;
    const text = event.row === undefined ? eventSentence(event) : rowSentence(event, sinceMs, before);
    if (event.row !== undefined) before = event;
    if (text !== null)
      steps.push({ atWallMs: event.atWallMs, row: event.row ?? null, type: event.type, text });
  }
  return { ...facts, text: headline(facts, rows), steps, rejected: rejectedIn(rows) };
}

const GAPS: readonly GapIs[] = ["measured", "at-least", "at-most"];
const OVERLAPS: readonly OverlapIs[] = ["proof", "lease", "unknown"];

/** null: the version that wrote the event didn't say. */
function wordOf<T extends string>(event: EventDraft | null, words: readonly T[], name: string): T | null {
  const said = event?.evidence?.[name];
  return words.find((word) => word === said) ?? null;
}

function kindOf(
  rows: readonly EventDraft[],
  last: EventDraft | null,
  { from, fromEpoch }: { readonly from: string | null; readonly fromEpoch: number | null },
): MoveKind {
  if (last === null) return "under-way";
  if (last.row === 110 || last.row === 113) return "adopted";
  if (last.row !== 200) return "kept";
  if (rows.some(({ row }) => row === 113 || row === 110)) return "adopted";
  if (from === null) return "first";
  if (from === last.daemon) return last.epoch === fromEpoch ? "kept" : "restarted";
  if (!rows.some(({ row }) => row === 600)) return "failover";
  const reason = reasonIn(rows);
  return reason.includes("failback_delay") || reason.startsWith("failback") ? "failback" : "switchover";
}

function reasonIn(rows: readonly EventDraft[]): string {
  for (const { evidence } of rows) {
    const reason = evidence?.["move"] ?? evidence?.["reason"];
    if (typeof reason === "string" && reason !== "") return reason;
  }
  return "";
}

function plannedReason(rows: readonly EventDraft[], from: string | null): string {
  const reason = reasonIn(rows);
  return reason === "" || reason === "the holder drains" ? `${from} was asked to stop` : reason;
}

type Facts = Omit<ToldMove, "text" | "steps" | "rejected">;

function headline(move: Facts, rows: readonly EventDraft[]): string {
  const { kind, from, to, toEpoch, beganWallMs, endedWallMs } = move;
  const tookMs = (endedWallMs ?? beganWallMs) - beganWallMs;
  const gap = gapSentence(move, rows);
  const epoch = toEpoch === null ? "" : ` (epoch ${toEpoch})`;
  switch (kind) {
    case "failover":
      return `Failover from ${from} to ${to}${epoch}.${gap}`;
    case "switchover":
      return `Planned move from ${from} to ${to}${epoch}, because ${plannedReason(rows, from)}.${gap}`;
    case "failback":
      return `Given back by ${from} to ${to}${epoch}.${gap}`;
    case "restarted":
      return `${to} lost it and got it again${epoch}.${gap}`;
    case "adopted":
      return `${to} was found holding it${epoch}, and kept it: it had gone on without this arbiter.`;
    case "first":
      return `${to} got it${epoch}: the first holder that the log tells of.`;
    case "kept":
      return keptText(move, rows, tookMs);
    case "under-way":
      return from === null
        ? "It has no holder yet."
        : `${from}'s lease is not renewed any more, and nobody else has been given it yet.`;
  }
}

function gapSentence({ from, gapMs, gapIs }: Facts, rows: readonly EventDraft[]): string {
  if (gapMs === null)
    return " For how long nobody held it is not known: the arbiter that moved it had not heard the last holder.";
  if (rows.some(({ type }) => type === "service.declared-dead"))
    return ` Nobody held it for ${inTime(gapMs)} at most, counted from the last answer of ${from}; that it had stopped was an operator's word, so both may have worked on it.`;
  if (rows.some(({ row }) => row === 520))
    return ` Nobody is known to have worked on it for ${inTime(gapMs)}, counted from the last answer of ${from}.`;
  if (gapIs === "at-least" || rows.some(({ evidence }) => isNewStart(evidence)))
    return ` Nobody held it for ${inTime(gapMs)} at least: its holder had been started anew, and when it had ended before is not known.`;
  return ` Nobody held it for ${inTime(gapMs)}.`;
}

function keptText({ to }: Facts, rows: readonly EventDraft[], tookMs: number): string {
  const wasFenced = rows.some(({ row }) => row === 420 || row === 620);
  if (wasFenced)
    return `${to} didn't answer this arbiter for ${inTime(tookMs)}, and kept it: it answered before anybody else had been given it.`;
  if (rows[0]?.row === 400)
    return `${to} went on holding it under an arbiter that had just taken the lead: no gap.`;
  if (rows.some(({ row }) => row === 310))
    return `${to} started it anew, in place; it never went anywhere else.`;
  return `A check of ${to} failed, and it answered again ${inTime(tookMs)} later: nothing moved.`;
}

function rejectedIn(rows: readonly EventDraft[]): { daemon: string; because: string }[] {
  const found = new Map<string, string>();
  for (const { evidence } of rows)
    for (const { daemon, because } of rejections(evidence)) found.set(daemon, because);
  return [...found].map(([daemon, because]) => ({ daemon, because }));
}
