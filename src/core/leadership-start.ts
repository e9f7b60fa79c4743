/** What an arbiter knows of the lead when it starts: nothing. */
import type { LeadershipView } from "./arbiter-state.ts";

export function newLeadership(): LeadershipView {
  return {
    mode: "starting",
    record: null,
    beatSeenAtMs: 0,
    validUntilMs: 0,
    calling: false,
    lookedAtMs: 0,
    lookOnceMore: false,
    claimed: null,
    touching: false,
    touchedAtMs: -Infinity,
    needsNewTerm: false,
    storeDownSinceMs: null,
    storeProblem: null,
    lastRecord: null,
    highestTerm: 0,
    highestBeat: 0,
    campaignsOpen: 0,
    unconfirmed: [],
    met: new Map(),
    round: null,
    roundNumber: 0,
    promised: null,
    transfer: null,
  };
}
