/**
 * Promises between arbiters, so that the store may be away without an end.
 *
 * A leader's right to act ends a time-to-live after its last good beat, since from then on another
 * one may campaign. It goes on only if every other arbiter that could campaign has promised not to
 * lead, whatever the store says meanwhile; it then renews leases, but commits nothing (I1, I2). All of
 * them must promise in one round, and what is gained counts from when the first was asked.
 *
 * Who could campaign: whoever stands in the record, and in every list that the store may have taken
 * without this leader's knowledge. The promise is the arbiter's, not the process's: one that is started
 * anew has forgotten it, but first watches the beat for a whole time-to-live, which is as long.
 */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { ArbiterState, ElectableList } from "./arbiter-state.ts";
import { extensionEndOf } from "./lease.ts";
import { PROTOCOL, type ArbiterPromiseRequest } from "./messages.ts";
import type { Step } from "./step.ts";
import { couldLeadInstead, touchStore } from "./store-touch.ts";

/** A round that isn't complete after this share of the time-to-live is begun anew. */
const ROUND_SHARE = 1 / 4;
/** With less than this share of the time-to-live left, the others are asked for their promise. */
const ASK_SHARE = 1 / 2;

/** The others that the store may list, each once; two states under one name are nobody to rely on. */
export function rivals(state: ArbiterState): Map<string, { url: string; stateId: string | null }> {
  const { record, unconfirmed } = state.leadership;
  const lists: ElectableList[] = unconfirmed.map(({ electable }) => electable);
  if (record !== null) lists.push(record.electable);
  const found = new Map<string, { url: string; stateId: string | null }>();
  for (const list of lists) {
    for (const { name, url, stateId } of list) {
      if (name === state.options.name) continue;
      const known = found.get(name);
      const isSame = known === undefined || known.stateId === stateId;
      found.set(name, { url, stateId: isSame ? stateId : null });
    }
  }
  return found;
}

/** With each look of a leader: a question who is there, or, once a beat is overdue, for the promise. */
export function askOthers(step: Step): void {
  const { state, nowMs } = step;
  const { leadership } = state;
  const { record, unconfirmed } = leadership;
  if (record === null) return;
  const others = rivals(state);
  if (others.size === 0) return;
  const isOverdue = nowMs >= leadership.validUntilMs - record.ttlMs * ASK_SHARE;
  const { round } = leadership;
  const isOpen = round !== null && round.forMs > 0 && nowMs < round.askedAtMs + record.ttlMs * ROUND_SHARE;
  if (isOverdue && isOpen && round.missing.size > 0) return;
  // Never longer than a time-to-live that the store may hold: for so long a new start keeps still.
  const ttlMs = Math.min(record.ttlMs, ...unconfirmed.map((list) => list.ttlMs));
  const forMs = isOverdue ? ttlMs : 0;
  leadership.roundNumber += 1;
  leadership.round = {
    number: leadership.roundNumber,
    askedAtMs: nowMs,
    forMs,
    missing: new Map([...others].map(([name, { stateId }]) => [name, stateId])),
  };
  for (const [name, { url }] of others) {
    const request: ArbiterPromiseRequest = {
      protocol: PROTOCOL,
      clusterId: state.clusterId,
      to: name,
      leader: state.options.name,
      instance: state.options.instance,
      term: state.term,
      round: leadership.roundNumber,
      forMs,
    };
    const timeoutMs = record.ttlMs * ROUND_SHARE;
    step.effects.push({ kind: "askArbiterPromise", arbiter: name, url, request, timeoutMs });
  }
}

type Answered = Extract<ArbiterEvent, { kind: "arbiterPromiseAnswered" }>;

export function arbiterPromiseAnswered(step: Step, event: Answered): void {
  const { leadership, term, model } = step.state;
  const { answer, arbiter } = event;
  if (answer === null || answer.name !== arbiter || answer.term !== term) return;
  leadership.met.set(arbiter, answer.stateId);
  const { round } = leadership;
  if (round === null || round.number !== answer.round || !answer.promised || round.forMs === 0) return;
  // Another state under its name may campaign all the same: that one's promise binds only itself.
  if (round.missing.get(arbiter) !== answer.stateId) return;
  round.missing.delete(arbiter);
  if (round.missing.size > 0) return;
  const untilMs = extensionEndOf(round.askedAtMs, round.forMs, model.clockDrift);
  leadership.validUntilMs = Math.max(leadership.validUntilMs, untilMs);
}

type Asked = Extract<ArbiterEvent, { kind: "arbiterPromiseAsked" }>;

export function arbiterPromiseAsked(step: Step, event: Asked): void {
  const { state, nowMs } = step;
  const { options } = state;
  const { id, request } = event;
  const { leader, term, round, forMs } = request;
  const because = refusalOf(state, request, nowMs) ?? "";
  if (because === "" && forMs > 0) {
    const untilMs = Math.max(nowMs + forMs, state.leadership.promised?.untilMs ?? 0);
    state.leadership.promised = { leader, term, untilMs };
  }
  if (forMs > 0) touchStore(step);
  step.effects.push({
    kind: "answerArbiterPromise",
    id,
    answer: {
      protocol: PROTOCOL,
      name: options.name,
      stateId: options.stateId,
      round,
      term,
      promised: because === "",
      because,
    },
  });
}

/** Why this arbiter doesn't promise; null: it does. */
function refusalOf(state: ArbiterState, request: ArbiterPromiseRequest, nowMs: number): string | null {
  const { options, leadership } = state;
  if (request.protocol !== PROTOCOL) return `this arbiter speaks protocol ${PROTOCOL}`;
  if (request.to !== options.name) return `this is ${options.name}`;
  if (request.leader === options.name) return "an arbiter needs no promise of its own";
  if (state.clusterId !== "" && request.clusterId !== state.clusterId)
    return `this arbiter belongs to cluster ${state.clusterId}`;
  if (request.term < Math.max(state.term, leadership.record?.term ?? 0)) return "a later term has begun";
  const { promised, mode } = leadership;
  if (promised !== null && promised.untilMs > nowMs && promised.term > request.term)
    return `${promised.leader} has its promise for term ${promised.term}`;
  // A campaign on its way may be won at any moment, and then this one leads.
  if (leadership.campaignsOpen > 0) return "its campaign is on its way";
  if (mode === "campaigning" || mode === "loading" || mode === "leading" || mode === "releasing")
    return `it is ${mode} itself`;
  if (request.forMs > 0 && couldLeadInstead(state, nowMs)) return "the store answers here";
  return null;
}

/** Keeps in mind what the store may hold from now on, until it is known. */
export function noteAttempt(
  state: ArbiterState,
  next: { readonly beat: number; readonly ttlMs: number; readonly electable: ElectableList },
): void {
  const { leadership } = state;
  const { beat, ttlMs, electable } = next;
  const text = JSON.stringify(electable);
  const isKnown = leadership.unconfirmed.some(
    (one) => one.beat === beat && one.ttlMs === ttlMs && JSON.stringify(one.electable) === text,
  );
  if (!isKnown) leadership.unconfirmed = [...leadership.unconfirmed, { beat, ttlMs, electable }];
}
