/**
 * The answer to "why is it there?": how a service stands, why nothing moves, and its last moves. The
 * past is told from the event log, which all arbiters share and which outlives each of them; the
 * present only by the arbiter that leads.
 */
import { isBlip, movesOf, type ToldMove } from "../core/explain-moves.ts";
import { presentOf } from "../core/explain-now.ts";
import type { LoggedEvent } from "../core/model.ts";
import { leaderOf } from "./cluster-map.ts";
import type { Engine } from "./engine.ts";
import { iso } from "./status-facts.ts";

export interface ExplainedMove extends Omit<ToldMove, "beganWallMs" | "endedWallMs" | "steps"> {
  readonly began: string;
  readonly ended: string | null;
  readonly steps: readonly {
    readonly at: string;
    readonly row: number | null;
    readonly type: string;
    readonly text: string;
  }[];
}

export interface Explanation {
  readonly service: string;
  readonly at: string;
  /** Who answers, and whether it leads: only the leader knows the present. */
  readonly arbiter: string;
  readonly leads: boolean;
  readonly leader: string | null;
  readonly leaderUrl: string | null;
  readonly holder: string | null;
  readonly epoch: number | null;
  readonly phase: string | null;
  readonly since: string | null;
  /** How it stands, in a sentence. */
  readonly text: string;
  /** Why nothing moves, or what is waited for; the weightiest first. */
  readonly why: readonly string[];
  /** Newest first. */
  readonly moves: readonly ExplainedMove[];
  /** How often, as far back as these, a check failed and the next one was good; null: never. */
  readonly blips: { readonly count: number; readonly last: string } | null;
  /** The log says more of the past than was read. */
  readonly hasMore: boolean;
}

const PAGE = 1_000;
/** A log of that many events of other services is not searched further. */
const MOST_EVENTS = 20_000;

/** null: there is no such service. */
export async function explained(engine: Engine, service: string, most: number): Promise<Explanation | null> {
  const { state } = engine;
  const view = state.services.get(service);
  const spec = view?.spec ?? state.model.services.find(({ name }) => name === service);
  if (spec === undefined) return null;
  const { moves, blips, hasMore } = await pastOf(engine, service, spec.candidates, most);
  const leads = state.leadership.mode === "leading";
  const leader = leaderOf(state);
  const around = engine.around;
  const [last] = moves;
  const known = leads && view !== undefined ? view : null;
  const present =
    known === null
      ? absent(state.options.name, leader, last)
      : presentOf(state, known, around.nowMs, around.wallMs);
  return {
    service,
    at: iso(around.wallMs),
    arbiter: state.options.name,
    leads,
    leader,
    leaderUrl: state.leadership.record?.url ?? null,
    holder: known === null ? (last?.to ?? null) : known.row.holder,
    epoch: known === null ? (last?.toEpoch ?? null) : known.row.epoch,
    phase: known?.phase ?? null,
    since: known === null ? null : iso(known.phaseSinceWallMs),
    ...present,
    moves,
    blips,
    hasMore,
  };
}

function absent(
  arbiter: string,
  leader: string | null,
  last: ExplainedMove | undefined,
): { readonly text: string; readonly why: readonly string[] } {
  const said =
    last === undefined
      ? "The event log tells of no move of it."
      : `The last that the event log tells: ${last.text}`;
  const who = leader === null ? "nobody leads" : `${leader} leads`;
  return {
    text: said,
    why: [`${arbiter} stands by (${who}), so it has asked nobody and can't tell how it stands now.`],
  };
}

/** Reads the log backwards, until there is enough of it. */
async function pastOf(
  engine: Engine,
  service: string,
  candidates: readonly string[],
  most: number,
): Promise<Pick<Explanation, "moves" | "blips" | "hasMore">> {
  await engine.feed.refresh();
  const events: LoggedEvent[] = [];
  let from = engine.feed.tail;
  let all: ToldMove[] = [];
  const real = (): ToldMove[] => all.filter((move) => !isBlip(move));
  while (from > 0 && real().length <= most && events.length < MOST_EVENTS) {
    const before = Math.max(0, from - PAGE);
    const page = await engine.feed.after(before, PAGE);
    const fresh = page.filter(({ seq }) => seq > before && seq <= from);
    // Trimmed away: the log begins later.
    if (fresh.length === 0) break;
    events.unshift(...fresh);
    from = before;
    all = movesOf(service, candidates, events);
  }
  const told = real().slice(-most);
  const sinceMs = told[0]?.beganWallMs ?? 0;
  const blips = all.filter((move) => isBlip(move) && move.beganWallMs >= sinceMs);
  const last = blips.at(-1);
  return {
    moves: told.toReversed().map((move) => shown(move)),
    blips: last === undefined ? null : { count: blips.length, last: iso(last.beganWallMs) },
    hasMore: real().length > most,
  };
}

/** With times as people and programs read them. */
export function shown({ beganWallMs, endedWallMs, steps, ...move }: ToldMove): ExplainedMove {
  return {
    ...move,
    began: iso(beganWallMs),
    ended: endedWallMs === null ? null : iso(endedWallMs),
    steps: steps.map(({ atWallMs, ...step }) => ({ at: iso(atWallMs), ...step })),
  };
}
