/**
 * An arbiter's right to lead, over one compare-and-set record.
 *
 * The leader *beats* the record. Whoever sees the same beat for the record's whole time-to-live ×
 * (1 + drift), on its own monotonic clock, may campaign with the next term; the leader itself stops
 * acting time-to-live / (1 + drift) after it *began* its last successful beat. So the two never
 * overlap, and no clock of the store's is trusted. No start of an arbiter resumes a term. While the
 * store is away the leader may go on by the others' promises; see `arbiter-promise.ts`.
 */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { ArbiterState } from "./arbiter-state.ts";
import { askOthers, noteAttempt, rivals } from "./arbiter-promise.ts";
import type { LeadershipRecord } from "./model.ts";
import { raisedBy } from "./plausible.ts";
import { keepEdit, takeConfiguration } from "./reconfigure.ts";
import { setTimer, tell, type Step } from "./step.ts";
import { electable, mayCampaignAtMs, promisedUntilMs } from "./succession.ts";

/** Beats in a time-to-live, so that three may be lost. */
const BEATS_A_TTL = 4;
/** How often a standby looks, and how soon a failed call to the store is repeated. */
const LOOK_SHARE = 1 / 8;

const ttlOf = (state: ArbiterState): number => state.model.arbiterLeaseMs;

export function lookAgain(step: Step, inMs: number): void {
  setTimer(step, "leadership", step.nowMs + inMs);
}

function read(step: Step): void {
  const { leadership } = step.state;
  if (leadership.calling) return;
  leadership.calling = true;
  leadership.lookedAtMs = step.nowMs;
  step.effects.push({ kind: "readLeadership" });
}

/** The timer came due, or the process has just started. */
export function lookAtLeadership(step: Step): void {
  const { state } = step;
  const { leadership } = state;
  switch (leadership.mode) {
    case "leading":
    case "loading":
      if (hasRunOut(step)) {
        stepDown(step, "its leadership ran out");
        break;
      }
      if (leadership.mode === "leading") askOthers(step);
      if (leadership.needsNewTerm) campaign(step);
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

/** With nobody else who could lead, the right to act doesn't end. */
export function hasRunOut({ state, nowMs }: Step): boolean {
  return nowMs >= state.leadership.validUntilMs && rivals(state).size > 0;
}

function load(step: Step): void {
  const { state } = step;
  if (state.leadership.calling) return;
  state.leadership.calling = true;
  step.effects.push({ kind: "load", term: state.term });
}

function beat(step: Step): void {
  const { state } = step;
  const { leadership } = state;
  const { record } = leadership;
  if (leadership.calling || record === null) return;
  leadership.calling = true;
  const next = { ...record, beat: record.beat + 1, ttlMs: ttlOf(state), electable: electable(state) };
  tryRecord(step, record, next);
}

/** Every change of the record goes this way: what it may hold from now on is kept in mind. */
function tryRecord(step: Step, expected: LeadershipRecord | null, next: LeadershipRecord): void {
  step.state.leadership.campaignsOpen += 1;
  noteAttempt(step.state, next);
  step.effects.push({ kind: "campaign", expected, next });
}

function campaign(step: Step): void {
  const { state } = step;
  const { leadership, options } = state;
  if (leadership.calling) return;
  leadership.calling = true;
  const { record } = leadership;
  // A store may have lost its past: above every term that any daemon reports.
  let highest = Math.max(record?.term ?? 0, state.term, leadership.highestTerm);
  for (const daemon of state.daemons.values()) highest = raisedBy(highest, daemon.report?.term ?? 0);
  const next: LeadershipRecord = {
    // An emptied store is still the same cluster to whoever has known it.
    clusterId: record?.clusterId ?? (state.clusterId === "" ? options.freshClusterId : state.clusterId),
    term: highest + 1,
    leader: options.name,
    instance: options.instance,
    url: options.url,
    beat: Math.max(record?.beat ?? 0, leadership.highestBeat) + 1,
    released: false,
    ttlMs: ttlOf(state),
    electable: electable(state),
  };
  if (leadership.mode !== "leading") leadership.mode = "campaigning";
  tryRecord(step, record, next);
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
  const campaignAtMs = state.self.electable ? mayCampaignAtMs(state) : Infinity;
  if (campaignAtMs <= step.nowMs) return campaign(step);
  const waitMs = Math.min(campaignAtMs - step.nowMs, ttlOf(state) * LOOK_SHARE);
  lookAgain(step, leadership.lookOnceMore ? 0 : waitMs);
  leadership.lookOnceMore = false;
}

/** Before anything else is committed. With `hasLostPast`, the store is not believed to know what was. */
export function takeNewTerm(step: Step, hasLostPast = false): void {
  const { state } = step;
  state.leadership.needsNewTerm = true;
  if (hasLostPast) state.hasLostPast = true;
  lookAgain(step, 0);
}

function note(step: Step, record: LeadershipRecord | null): void {
  const { leadership } = step.state;
  const known = leadership.record;
  const isSame =
    known?.instance === record?.instance && known?.term === record?.term && known?.beat === record?.beat;
  if (!isSame || leadership.beatSeenAtMs === 0) leadership.beatSeenAtMs = step.nowMs;
  leadership.record = record;
  // The store remembers less than this arbiter; or somebody else leads, and has gone on from there.
  const term = record?.term ?? 0;
  const lastBeat = record?.beat ?? 0;
  if (term < leadership.highestTerm || lastBeat < leadership.highestBeat) step.state.hasLostPast = true;
  else if (record?.instance !== step.state.options.instance) step.state.hasLostPast = false;
  leadership.highestTerm = Math.max(leadership.highestTerm, term);
  leadership.highestBeat = Math.max(leadership.highestBeat, lastBeat);
  if (record !== null) leadership.lastRecord = record;
  // What was to follow an earlier beat can't be taken any more.
  const { unconfirmed } = leadership;
  if (unconfirmed.length > 0)
    leadership.unconfirmed = unconfirmed.filter((list) => record === null || list.beat > record.beat);
  if (record !== null) joinCluster(step.state, record.clusterId);
}

/** The store is another one, or was emptied: what was heard of daemons is of another cluster. */
function joinCluster(state: ArbiterState, clusterId: string): void {
  if (state.clusterId === clusterId) return;
  state.leadership.highestTerm = state.leadership.record?.term ?? 0;
  state.leadership.highestBeat = state.leadership.record?.beat ?? 0;
  if (state.clusterId !== "")
    for (const daemon of state.daemons.values()) {
      daemon.report = null;
      daemon.nonce = null;
      daemon.promisesUntilMs = {};
    }
  state.clusterId = clusterId;
}

const isOwn = (state: ArbiterState, record: LeadershipRecord | null): boolean =>
  record !== null && record.instance === state.options.instance && record.term === state.term;

type Campaigned = Extract<ArbiterEvent, { kind: "campaigned" }>;

export function campaigned(step: Step, event: Campaigned): void {
  const { state } = step;
  const { leadership, options } = state;
  leadership.calling = false;
  leadership.campaignsOpen -= 1;
  storeAnswered(step);
  // Of a term before the present one: the answer was overtaken by a later one's (I3).
  if (event.won && event.record !== null && event.record.term < state.term) return;
  note(step, event.record);
  const record = event.record;
  if (leadership.mode === "releasing") {
    finishRelease(step, record);
    return;
  }
  if (!event.won || record === null) {
    // A beat whose answer was lost may have been applied: the record is still this arbiter's own.
    if (leadership.mode === "leading" && isOwn(state, record)) {
      if (state.hasLostPast) takeNewTerm(step);
      lookAgain(step, 0);
    } else if (leadership.mode === "leading" || leadership.mode === "loading")
      stepDown(step, `${record?.leader ?? "nobody"} leads`);
    else leadership.mode = "standing-by";
    return;
  }
  // No promise is given with a campaign open, so none can bind here; but it is asked once more (I1).
  const isBound = promisedUntilMs(state) > step.nowMs;
  if (isBound || (record.term === state.term && leadership.mode !== "leading")) {
    // It stepped down while this beat was on its way. No term is led twice: assignments are
    // counted within it, and daemons ignore a count that begins anew (I3).
    leadership.mode = "standing-by";
    lookAgain(step, 0);
    return;
  }
  const untilMs = event.beganAtMs + record.ttlMs / (1 + state.model.clockDrift);
  leadership.validUntilMs = Math.max(leadership.validUntilMs, untilMs);
  if (record.term === state.term) return;
  if (record.instance !== options.instance) return;
  takeTerm(step, record);
}

function takeTerm(step: Step, record: LeadershipRecord): void {
  const { state } = step;
  state.term = record.term;
  state.seq = 0;
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
  standBy(step);
}

/** Nothing of what was under way concerns this arbiter any more. */
function standBy(step: Step): void {
  const { state } = step;
  state.leadership.mode = "standing-by";
  state.leadership.needsNewTerm = false;
  state.leadership.round = null;
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
  const unanswered = [...state.commits.values()].flatMap(({ commands }) => commands);
  for (const { id } of [...unanswered, ...state.waitingCommands.splice(0)])
    step.effects.push({
      kind: "answer",
      id,
      answer: {
        status: 503,
        text: "This arbiter stopped leading before the order was on disk; send it again.",
        eventSeq: null,
      },
    });
  // What its files say counts from now on, as for any standby.
  for (const commit of state.commits.values()) keepEdit(state, commit);
  state.commits.clear();
  if (state.waitingModel !== null) takeConfiguration(step, state.waitingModel);
  step.effects.push({ kind: "changed", mapVersion: state.mapVersion });
  lookAgain(step, 0);
}

type StoreFailed = Extract<ArbiterEvent, { kind: "storeFailed" }>;

export function storeFailed(step: Step, { what, detail }: StoreFailed): void {
  const { leadership } = step.state;
  leadership.calling = false;
  if (what === "campaign") leadership.campaignsOpen -= 1;
  storeIsDown(step, detail);
  if (leadership.mode === "campaigning") leadership.mode = "standing-by";
  if (leadership.mode === "releasing" && leadership.transfer !== null) {
    // Whether it was taken will be seen in the record; if not, this term is over all the same.
    leadership.transfer = null;
    standBy(step);
    return;
  }
  lookAgain(step, ttlOf(step.state) * LOOK_SHARE);
}

export function storeIsDown(step: Step, detail: string): void {
  const { leadership } = step.state;
  // Engines end their sentences in their own way; this one stands inside others.
  leadership.storeProblem = detail.replace(/\.$/, "");
  if (leadership.storeDownSinceMs !== null) return;
  leadership.storeDownSinceMs = step.nowMs;
  tell(step, {
    type: "store.down",
    text: `The store doesn't answer: ${leadership.storeProblem}. Leases are renewed; nothing can fail over until it is back.`,
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

/** Stop in good order: nothing is assigned any more, and the record says so, and who should be next. */
export function release(step: Step, successor: string | null = null): void {
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
  tryRecord(step, record, releasedRecord(record, successor));
}

function releasedRecord(record: LeadershipRecord, successor: string | null): LeadershipRecord {
  const next = { ...record, beat: record.beat + 1, released: true };
  return successor === null ? next : { ...next, successor };
}

/** The record says that it hands over: from now on it is a standby like the others. */
export function transfer(step: Step, to: string | null): void {
  step.state.leadership.transfer = { to };
  release(step, to);
}

function finishRelease(step: Step, record: LeadershipRecord | null): void {
  const { leadership, options } = step.state;
  const { transfer: handedOver } = leadership;
  if (record !== null && record.instance === options.instance && !record.released) {
    // A beat was on its way: once more, on top of it.
    const successor = handedOver?.to ?? null;
    tryRecord(step, record, releasedRecord(record, successor));
    return;
  }
  if (handedOver !== null) {
    leadership.transfer = null;
    standBy(step);
    return;
  }
  leadership.mode = "released";
  step.effects.push({ kind: "released" });
}
