/**
 * An operator says that the former leader is gone for good: an arbiter leads that the record keeps
 * from it, since it isn't listed there, or has lost the state folder of the one that is.
 *
 * By itself it never may (I1): whoever isn't listed can't know whether that leader goes on without
 * the store, by nobody's promise or by another's. Neither can the operator's order hurry it: the beat
 * must have stood still for as long as for anybody else, and the next sign of life ends the claim.
 */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { ArbiterState, Claim } from "./arbiter-state.ts";
import { lookAgain } from "./leadership.ts";
import { CLOCK_SLACK_MS } from "./model.ts";
import { tell, type Step } from "./step.ts";

type Commanded = Extract<ArbiterEvent, { kind: "commanded" }>;

/** Answered once it leads, with the number of the event that says so (I5), or once it can't. */
export function claimLead(step: Step, event: Commanded): void {
  const { leadership } = step.state;
  const why = whyNoClaim(step.state, step.nowMs);
  if (why !== null) return answer(step, event.id, 409, why);
  const { record } = leadership;
  if (record === null) return;
  const { id, by, origin } = event;
  leadership.claimed = { term: record.term, beat: record.beat, leader: record.leader, id, by, origin };
  lookAgain(step, 0);
}

/** With each step, as long as one is open. */
export function goOnWithClaim(step: Step, claimed: Claim): void {
  const { state } = step;
  const { leadership, options } = state;
  const { mode, record, storeDownSinceMs, storeProblem } = leadership;
  const { leader, id } = claimed;
  if (mode === "leading") {
    leadership.claimed = null;
    const text = `${options.name} takes the lead from ${leader}, which is declared gone.`;
    step.commands.push({ id, text, eventIndex: step.events.length });
    return tell(step, {
      type: "operator.leader-forced",
      text: `${leader} is declared gone: ${options.name} takes the lead (by ${claimed.by})`,
      evidence: { by: claimed.by, ...claimed.origin, lastTerm: claimed.term },
    });
  }
  if (mode === "campaigning" || mode === "loading") return;
  const isStill = record?.term === claimed.term && record.beat === claimed.beat;
  if (mode === "standing-by" && storeDownSinceMs === null && isStill) return;
  leadership.claimed = null;
  if (storeDownSinceMs !== null)
    return answer(step, id, 503, `The store doesn't answer: ${storeProblem ?? "no reason known"}.`);
  if (mode !== "standing-by") return answer(step, id, 503, `${options.name} is ${mode}.`);
  answer(step, id, 409, `Somebody has written meanwhile: ${record?.leader ?? leader} may lead.`);
}

function answer(step: Step, id: string, status: number, text: string): void {
  step.effects.push({ kind: "answer", id, answer: { status, text, eventSeq: null } });
}

function whyNoClaim(state: ArbiterState, nowMs: number): string | null {
  const { leadership, options, self, model } = state;
  const { record, mode, storeDownSinceMs, claimed } = leadership;
  if (claimed !== null) return `${options.name} takes the lead already, as ${claimed.by} has ordered.`;
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
