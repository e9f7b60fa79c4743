/**
 * An operator says that the former leader is gone for good: an arbiter leads that the record keeps
 * from it, since it isn't listed there, or has lost the state folder of the one that is.
 *
 * By itself it never may (I1): whoever isn't listed can't know whether that leader goes on without
 * the store, by nobody's promise or by another's. Neither can the operator's order hurry it: the beat
 * must have stood still for as long as for anybody else, and the next sign of life ends the claim.
 */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { ArbiterState } from "./arbiter-state.ts";
import { lookAgain } from "./leadership.ts";
import { CLOCK_SLACK_MS } from "./model.ts";
import { tell, type Step } from "./step.ts";

type Commanded = Extract<ArbiterEvent, { kind: "commanded" }>;

export function claimLead(step: Step, event: Commanded): void {
  const { state, nowMs } = step;
  const { leadership, options } = state;
  const answer = (status: number, text: string): void =>
    void step.effects.push({ kind: "answer", id: event.id, answer: { status, text, eventSeq: null } });
  const why = whyNoClaim(state, nowMs);
  if (why !== null) return answer(409, why);
  const { record } = leadership;
  if (record === null) return;
  leadership.claimed = { term: record.term, beat: record.beat };
  tell(step, {
    type: "operator.leader-forced",
    text: `${record.leader} is declared gone: ${options.name} takes the lead (by ${event.by})`,
    evidence: { by: event.by, ...event.origin, lastTerm: record.term },
  });
  answer(202, `${options.name} takes the lead from ${record.leader}, which is declared gone.`);
  lookAgain(step, 0);
}

function whyNoClaim(state: ArbiterState, nowMs: number): string | null {
  const { leadership, options, self, model } = state;
  const { record, mode, storeDownSinceMs } = leadership;
  if (mode !== "standing-by")
    return `${options.name} is ${mode}; only one that stands by can claim the lead.`;
  if (!self.electable) return `${options.name} has electable = 0 and never leads.`;
  if (storeDownSinceMs !== null)
    return `The store doesn't answer ${options.name}; nobody can lead without it.`;
  if (record === null || record.released) return "Nobody holds the lead: it needs no claim.";
  const stillMs = record.ttlMs * (1 + model.clockDrift) + CLOCK_SLACK_MS;
  const leftMs = Math.ceil(leadership.beatSeenAtMs + stillMs - nowMs);
  if (leftMs <= 0) return null;
  return `${record.leader} may still lead: its last sign of life is too recent. Ask again in ${leftMs} ms; if it is alive, use \`arbiter leader transfer\`.`;
}
