/**
 * Somebody wrote into the store: a standby looks at once, rather than when its timer comes due.
 *
 * So it sees a beat when it is made, which is from when its patience counts, and a lead that was
 * given up the moment it is. It is a hint and nothing else: what counts is the record that is read
 * then, and without a hint the timer finds out, too.
 */
import { lookAgain } from "./leadership.ts";
import type { Step } from "./step.ts";

/** A leader that commits all the time is looked at no more often than this share of a time-to-live. */
const HINT_SHARE = 1 / 40;

export function storeChanged(step: Step): void {
  const { leadership, model } = step.state;
  if (leadership.mode !== "standing-by") return;
  if (leadership.calling) {
    leadership.lookOnceMore = true;
    return;
  }
  const nextMs = leadership.lookedAtMs + model.arbiterLeaseMs * HINT_SHARE;
  lookAgain(step, Math.max(0, nextMs - step.nowMs));
}
