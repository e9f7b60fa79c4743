/**
 * An arbiter's right to lead, over one compare-and-set record.
 *
 * The leader *beats* the record. Whoever sees the same beat for the record's whole time-to-live ×
 * (1 + drift), on its own monotonic clock, may campaign with the next term; the leader itself stops
 * acting time-to-live / (1 + drift) after it *began* its last successful beat. So the two never
 * overlap, and no clock of the store's is trusted. No start of an arbiter resumes a term.
 */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { ArbiterState, LeadershipView } from "./arbiter-state.ts";
import { weight } from "./hash.ts";
import { CLOCK_SLACK_MS, type LeadershipRecord } from "./model.ts";
import { raisedBy } from "./plausible.ts";
import { setTimer, tell, type Step } from "./step.ts";

/** Beats in a time-to-live, so that three may be lost. */
const BEATS_A_TTL = 4;
/** How often a standby looks, and how soon a failed call to the store is repeated. */
const LOOK_SHARE = 1 / 8;
/** Each place further down the order of succession waits this share of the time-to-live longer. */
const RANK_SHARE = 1 / 4;

export function newLeadership(): LeadershipView {
  return {
    mode: "starting",
    record: null,
    beatSeenAtMs: 0,
    validUntilMs: 0,
    calling: false,
    needsNewTerm: false,
    storeDownSinceMs: null,
    storeProblem: null,
  };
}

const ttlOf = (state: ArbiterState): number => state.model.arbiterLeaseMs;

function lookAgain(step: Step, inMs: number): void {
  setTimer(step, "leadership", step.nowMs + inMs);
}

function read(step: Step): void {
  const { leadership } = step.state;
  if (leadership.calling) return;
  leadership.calling = true;
  step.effects.push({ kind: "readLeadership" });
}

/** The timer came due, or the process has just started. */
export function lookAtLeadership(step: Step): void {
  const { state } = step;
  const { leadership } = state;
  switch (leadership.mode) {
    case "leading":
    case "loading":
      if (step.nowMs >= leadership.validUntilMs && !mayGoOnAlone(state))
        stepDown(step, "its leadership ran out");
      else if (leadership.needsNewTerm) campaign(step);
      else if (leadership.mode === "loading") load(step);
      else beat(step);
      break;
    case "starting":
    case "standing-by":
    case "campaigning":
      read(step);
      break;
    case "releasing":
    case "released":
      return;
  }
  lookAgain(step, ttlOf(state) * (leadership.mode === "leading" ? 1 / BEATS_A_TTL : LOOK_SHARE));
}

function load(step: Step): void {
  const { state } = step;
  if (state.leadership.calling) return;
  state.leadership.calling = true;
  step.effects.push({ kind: "load", term: state.term });
}

/**
 * The store is away: renewals go on only while nobody else could lead. Other arbiters' promises are
 * not asked for yet, so with a second electable arbiter in the record it stops.
 */
function mayGoOnAlone(state: ArbiterState): boolean {
  return state.leadership.record?.electable.every(({ name }) => name === state.options.name) === true;
}

function electable(state: ArbiterState): LeadershipRecord["electable"] {
  return state.model.arbiters
    .filter((arbiter) => arbiter.electable)
    .map(({ name, url }) => ({
      name,
      url,
      stateId: name === state.options.name ? state.options.stateId : null,
    }));
}

function beat(step: Step): void {
  const { state } = step;
  const { leadership } = state;
  const { record } = leadership;
  if (leadership.calling || record === null) return;
  leadership.calling = true;
  const next = { ...record, beat: record.beat + 1, ttlMs: ttlOf(state), electable: electable(state) };
  step.effects.push({ kind: "campaign", expected: record, next });
}

function campaign(step: Step): void {
  const { state } = step;
  const { leadership, options } = state;
  if (leadership.calling) return;
  leadership.calling = true;
  const { record } = leadership;
  // A store may have lost its past: above every term that any daemon reports.
  let highest = Math.max(record?.term ?? 0, state.term);
  for (const daemon of state.daemons.values()) highest = raisedBy(highest, daemon.report?.term ?? 0);
  const next: LeadershipRecord = {
    clusterId: record?.clusterId ?? options.freshClusterId,
    term: highest + 1,
    leader: options.name,
    instance: options.instance,
    url: options.url,
    beat: (record?.beat ?? 0) + 1,
    released: false,
    ttlMs: ttlOf(state),
    electable: electable(state),
  };
  if (leadership.mode !== "leading") leadership.mode = "campaigning";
  step.effects.push({ kind: "campaign", expected: record, next });
}

export function leadershipRead(step: Step, record: LeadershipRecord | null): void {
  const { state } = step;
  const { leadership } = state;
  leadership.calling = false;
  storeAnswered(step);
  if (leadership.mode === "releasing" || leadership.mode === "released") return;
  note(step, record);
  if (leadership.mode === "leading" || leadership.mode === "loading") {
    if (!isOwn(state, record)) stepDown(step, `${record?.leader ?? "nobody"} leads`);
    return;
  }
  leadership.mode = "standing-by";
  if (!state.self.electable) return;
  const campaignAtMs = mayCampaignAtMs(state);
  if (campaignAtMs <= step.nowMs) campaign(step);
  else if (campaignAtMs !== Infinity)
    lookAgain(step, Math.min(campaignAtMs - step.nowMs, ttlOf(state) * LOOK_SHARE));
}

function note(step: Step, record: LeadershipRecord | null): void {
  const { leadership } = step.state;
  const known = leadership.record;
  const isSame =
    known?.instance === record?.instance && known?.term === record?.term && known?.beat === record?.beat;
  if (!isSame || leadership.beatSeenAtMs === 0) leadership.beatSeenAtMs = step.nowMs;
  leadership.record = record;
  if (record !== null) step.state.clusterId = record.clusterId;
}

const isOwn = (state: ArbiterState, record: LeadershipRecord | null): boolean =>
  record !== null && record.instance === state.options.instance && record.term === state.term;

/** When this arbiter may campaign; `Infinity`: not at all while the record is as it is. */
function mayCampaignAtMs(state: ArbiterState): number {
  const { leadership, options } = state;
  const { record, beatSeenAtMs } = leadership;
  const delayMs = successionRank(state) * ttlOf(state) * RANK_SHARE;
  if (record === null)
    return options.primary === null || options.primary === options.name
      ? beatSeenAtMs + delayMs
      : beatSeenAtMs + 2 * ttlOf(state) + delayMs;
  if (record.released) return beatSeenAtMs + delayMs;
  // Its own earlier term, or an earlier start in the same locked state folder: that one is gone.
  if (record.instance === options.instance) return 0;
  const listed = record.electable.find(({ name }) => name === options.name);
  if (listed !== undefined && listed.stateId === options.stateId && record.leader === options.name) return 0;
  // Whoever isn't listed can't know whether the leader goes on without the store.
  if (listed === undefined || record.leader === options.name) return Infinity;
  return beatSeenAtMs + record.ttlMs * (1 + state.model.clockDrift) + CLOCK_SLACK_MS + delayMs;
}

/** `spare 0` arbiters first, highest random weight among equals; 0 is next in line. */
function successionRank(state: ArbiterState): number {
  const order = state.model.arbiters
    .filter((arbiter) => arbiter.electable)
    .toSorted(
      (a, b) =>
        Number(a.role === "spare") - Number(b.role === "spare") ||
        weight(state.model.name, b.name) - weight(state.model.name, a.name),
    );
  const place = order.findIndex(({ name }) => name === state.options.name);
  return Math.max(0, place);
}

type Campaigned = Extract<ArbiterEvent, { kind: "campaigned" }>;

export function campaigned(step: Step, event: Campaigned): void {
  const { state } = step;
  const { leadership, options } = state;
  leadership.calling = false;
  storeAnswered(step);
  note(step, event.record);
  const record = event.record;
  if (leadership.mode === "releasing") {
    finishRelease(step, record);
    return;
  }
  if (!event.won || record === null) {
    // A beat whose answer was lost may have been applied: the record is still this arbiter's own.
    if (leadership.mode === "leading" && isOwn(state, record)) lookAgain(step, 0);
    else if (leadership.mode === "leading" || leadership.mode === "loading")
      stepDown(step, `${record?.leader ?? "nobody"} leads`);
    else leadership.mode = "standing-by";
    return;
  }
  if (record.term === state.term && leadership.mode !== "leading") {
    // It stepped down while this beat was on its way. No term is led twice: assignments are
    // counted within it, and daemons ignore a count that begins anew (I3).
    leadership.mode = "standing-by";
    lookAgain(step, 0);
    return;
  }
  leadership.validUntilMs = event.beganAtMs + record.ttlMs / (1 + state.model.clockDrift);
  if (record.term === state.term) return;
  if (record.instance !== options.instance) return;
  takeTerm(step, record);
}

function takeTerm(step: Step, record: LeadershipRecord): void {
  const { state } = step;
  state.term = record.term;
  state.seq = 0;
  state.clusterId = record.clusterId;
  state.leadership.mode = "loading";
  state.leadership.needsNewTerm = false;
  load(step);
}

export function stepDown(step: Step, because: string): void {
  const { state } = step;
  if (state.leadership.mode === "leading" || state.leadership.mode === "loading") {
    tell(step, {
      type: "leader.stepped-down",
      text: `${state.options.name} stops leading term ${state.term}: ${because}.`,
    });
  }
  state.leadership.mode = "standing-by";
  state.leadership.needsNewTerm = false;
  for (const view of state.services.values()) {
    view.pendingCommit = null;
    view.pendingSideCommit = null;
  }
  for (const daemon of state.daemons.values()) {
    daemon.inFlightSinceMs = null;
    daemon.sendAgain = false;
    setTimer(step, `check:${daemon.spec.name}`, null);
  }
  for (const [name, view] of state.services) {
    view.lookAtMs = null;
    setTimer(step, `service:${name}`, null);
  }
  for (const commit of state.commits.values())
    for (const { id } of commit.commands)
      step.effects.push({
        kind: "answer",
        id,
        answer: {
          status: 503,
          text: "This arbiter stopped leading before the order was on disk; send it again.",
          eventSeq: null,
        },
      });
  state.commits.clear();
  step.effects.push({ kind: "changed", mapVersion: state.mapVersion });
  lookAgain(step, 0);
}

export function storeFailed(step: Step, detail: string): void {
  const { leadership } = step.state;
  leadership.calling = false;
  storeIsDown(step, detail);
  if (leadership.mode === "campaigning") leadership.mode = "standing-by";
  lookAgain(step, ttlOf(step.state) * LOOK_SHARE);
}

export function storeIsDown(step: Step, detail: string): void {
  const { leadership } = step.state;
  leadership.storeProblem = detail;
  if (leadership.storeDownSinceMs !== null) return;
  leadership.storeDownSinceMs = step.nowMs;
  tell(step, {
    type: "store.down",
    text: `The store doesn't answer: ${detail} Leases are renewed; nothing can fail over until it is back.`,
  });
  step.effects.push({ kind: "changed", mapVersion: step.state.mapVersion });
}

function storeAnswered(step: Step): void {
  const { leadership, services } = step.state;
  if (leadership.storeDownSinceMs === null) return;
  const forMs = Math.round(step.nowMs - leadership.storeDownSinceMs);
  leadership.storeDownSinceMs = null;
  leadership.storeProblem = null;
  tell(step, { type: "store.up", text: `The store answers again after ${forMs} ms.`, evidence: { forMs } });
  for (const name of services.keys()) step.dirty.add(name);
}

/** Stop in good order: nothing is assigned any more, and the record says so. */
export function release(step: Step): void {
  const { state } = step;
  const { leadership } = state;
  const { record } = leadership;
  const isLeader = leadership.mode === "leading" && record !== null;
  if (isLeader) {
    tell(step, {
      type: "leader.released",
      text: `${state.options.name} stops in good order and gives up term ${state.term}.`,
    });
    step.effects.push({ kind: "record", term: state.term, events: [...step.events] });
    step.events.length = 0;
  }
  leadership.mode = isLeader ? "releasing" : "released";
  setTimer(step, "leadership", null);
  if (!isLeader) {
    step.effects.push({ kind: "released" });
    return;
  }
  step.effects.push({
    kind: "campaign",
    expected: record,
    next: { ...record, beat: record.beat + 1, released: true },
  });
}

function finishRelease(step: Step, record: LeadershipRecord | null): void {
  const { leadership, options } = step.state;
  if (record !== null && record.instance === options.instance && !record.released) {
    // A beat was on its way: once more, on top of it.
    step.effects.push({
      kind: "campaign",
      expected: record,
      next: { ...record, beat: record.beat + 1, released: true },
    });
    return;
  }
  leadership.mode = "released";
  step.effects.push({ kind: "released" });
}
