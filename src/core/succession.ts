/**
 * Who may campaign, and when: the order in which arbiters follow one another.
 *
 * Only those that the record lists may: the leader can ask exactly those to keep still while the store
 * is away. Each waits until the beat has stood still for the record's time-to-live × (1 + drift), on
 * its own clock, and for its place in line on top, so that they don't all come at once.
 */
import type { ArbiterState, ElectableList } from "./arbiter-state.ts";
import { weight } from "./hash.ts";
import { CLOCK_SLACK_MS } from "./model.ts";

/** Each place further down the order of succession waits this share of the time-to-live longer. */
const RANK_SHARE = 1 / 4;
/** Times-to-live that the others leave to the one who was named. */
const PREFERENCE_TTLS = 2;

/** The list that goes into the record with the next beat. `stateId`: of those whom it has met. */
export function electable(state: ArbiterState): ElectableList {
  const { options, leadership } = state;
  return state.model.arbiters
    .filter((arbiter) => arbiter.electable)
    .map(({ name, url }) => ({
      name,
      url,
      stateId:
        name === options.name ? options.stateId : (leadership.met.get(name) ?? listedState(state, name)),
    }));
}

/** Being unreachable is no reason to be forgotten. */
function listedState(state: ArbiterState, name: string): string | null {
  return state.leadership.record?.electable.find((one) => one.name === name)?.stateId ?? null;
}

/** Until then this arbiter has promised not to lead. */
export function promisedUntilMs(state: ArbiterState): number {
  return state.leadership.promised?.untilMs ?? 0;
}

/** When this arbiter may campaign; `Infinity`: not at all while the record is as it is. */
export function mayCampaignAtMs(state: ArbiterState): number {
  const byRecordMs = mayByRecordAtMs(state);
  const yieldMs = yieldingMs(state);
  // Also where its own earlier term would let it lead at once.
  const inTurnMs = yieldMs === 0 ? byRecordMs : Math.max(byRecordMs, state.leadership.beatSeenAtMs) + yieldMs;
  return Math.max(promisedUntilMs(state), inTurnMs);
}

/**
 * One whose configuration has drifted lets everybody else come first, each at its place in line. It
 * only ever waits longer (I1), and leads in the end if nobody else does (I7).
 */
function yieldingMs(state: ArbiterState): number {
  if (!state.yieldsLead) return 0;
  const others = state.model.arbiters.filter((arbiter) => arbiter.electable).length - 1;
  return others < 1 ? 0 : (PREFERENCE_TTLS + others * RANK_SHARE) * state.model.arbiterLeaseMs;
}

/** It would lead once the record lets it: listed, itself, and electable. */
export function isInLine(state: ArbiterState): boolean {
  return state.self.electable && mayByRecordAtMs(state) !== Infinity;
}

function mayByRecordAtMs(state: ArbiterState): number {
  const { leadership, options } = state;
  const { beatSeenAtMs } = leadership;
  const record = leadership.record ?? leadership.lastRecord;
  const ttlMs = state.model.arbiterLeaseMs;
  const delayMs = successionRank(state) * ttlMs * RANK_SHARE;
  const politeMs = PREFERENCE_TTLS * ttlMs;
  if (record === null)
    return (
      beatSeenAtMs + delayMs + (options.primary === null || options.primary === options.name ? 0 : politeMs)
    );
  if (record.released) {
    if (record.successor === options.name) return beatSeenAtMs;
    const isPolite = record.successor !== undefined || record.instance === options.instance;
    return beatSeenAtMs + delayMs + (isPolite ? politeMs : 0);
  }
  // Its own earlier term, or an earlier start in the same locked state folder: that one is gone.
  if (record.instance === options.instance) return 0;
  const listed = record.electable.find(({ name }) => name === options.name);
  if (listed !== undefined && listed.stateId === options.stateId && record.leader === options.name) return 0;
  const stillUntilMs = beatSeenAtMs + record.ttlMs * (1 + state.model.clockDrift) + CLOCK_SLACK_MS;
  // An operator answers for it, as long as that very beat stands still.
  const { claimed } = leadership;
  if (claimed !== null && claimed.term === record.term && claimed.beat === record.beat) return stillUntilMs;
  // Whoever isn't listed can't know whether the leader goes on without the store. Nor can another
  // state under a listed name: the promise that the leader got is not its own.
  if (listed === undefined || record.leader === options.name) return Infinity;
  if (listed.stateId !== null && listed.stateId !== options.stateId) return Infinity;
  return stillUntilMs + delayMs;
}

/**
 * `spare 0` arbiters first, highest random weight among equals; 0 is next in line. Who led last
 * doesn't count: its place would only keep the next one waiting.
 */
function successionRank(state: ArbiterState): number {
  const last = (state.leadership.record ?? state.leadership.lastRecord)?.leader;
  const self = state.options.name;
  const order = state.model.arbiters
    .filter(({ name, electable: may }) => may && (name === self || name !== last))
    .toSorted(
      (a, b) =>
        Number(a.role === "spare") - Number(b.role === "spare") ||
        weight(state.model.name, b.name) - weight(state.model.name, a.name),
    );
  const place = order.findIndex(({ name }) => name === self);
  return Math.max(0, place);
}
