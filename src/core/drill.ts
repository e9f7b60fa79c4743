/**
 * A drill: the service goes to a spare on purpose, stays there for a while, and comes back, so that
 * both ways are known to work before they are needed.
 *
 * This decides what comes next from what is seen, and nothing else: it moves nothing itself. The moves
 * are ordinary switchovers, with the safety of any other. A drill that doesn't go as it should ends
 * where the service is healthiest: back home from a spare that is unwell, on the spare where home
 * can't take it, or wherever the ordinary rules have put it meanwhile.
 *
 * Pure: no clock, no I/O; the stage's age is an input.
 */

export type DrillStage =
  /** On its way to the spare. */
  | "out"
  /** There, and watched. */
  | "holding"
  /** On its way home. */
  | "back";

export interface DrillSight {
  /** For how long the stage has lasted. */
  readonly stageMs: number;
  /** After so long a move has failed. */
  readonly moveTimeoutMs: number;
  readonly holdMs: number;
  /** Who holds it, settled (`held`); null: nobody does at the moment. */
  readonly holder: string | null;
  readonly epoch: number;
  /** Of the last move, as it was measured; null: it wasn't. */
  readonly gapMs: number | null;
  readonly home: string;
  readonly spare: string;
  /** The epoch when the stage began. */
  readonly fromEpoch: number;
  /** Why the spare lost it last, in its own words; empty: it didn't, or doesn't say. */
  readonly spareLost: string;
  /** What is wrong with the spare while it holds it; null: nothing. */
  readonly spareTrouble: string | null;
  /** Why home couldn't take it back now; null: it could. */
  readonly homeTrouble: string | null;
  /** Somebody else gave an order or paused it meanwhile; null: nobody did. */
  readonly interruption: string | null;
  /** Why it is going home early; null: it held out. */
  readonly failure: string | null;
}

export type DrillAct =
  | { readonly kind: "wait" }
  /** It has arrived at the spare. */
  | { readonly kind: "hold"; readonly gapMs: number | null }
  /** Order it home; `failure`: the drill has failed already. */
  | { readonly kind: "goHome"; readonly failure: string | null }
  | { readonly kind: "pass"; readonly gapMs: number | null }
  /** It ends where it is. */
  | { readonly kind: "fail"; readonly because: string; readonly verdicts: DrillVerdicts };

/** What the drill has shown of the two; absent: nothing, it ended for another reason. */
export interface DrillVerdicts {
  readonly spare?: "good" | "failed";
  readonly home?: "good" | "failed";
}

const WAIT: DrillAct = { kind: "wait" };

export function nextDrillAct(stage: DrillStage, sight: DrillSight): DrillAct {
  if (sight.interruption !== null) return fail(sight.interruption);
  switch (stage) {
    case "out":
      return onTheWayOut(sight);
    case "holding":
      return atTheSpare(sight);
    case "back":
      return onTheWayBack(sight);
  }
}

function fail(because: string, verdicts: DrillVerdicts = {}): DrillAct {
  return { kind: "fail", because, verdicts };
}

function whyLost({ spareLost }: DrillSight): string {
  return spareLost === "" ? "" : ` (${spareLost})`;
}

const SPARE_FAILED: DrillVerdicts = { spare: "failed" };

function onTheWayOut(sight: DrillSight): DrillAct {
  const { holder, epoch, fromEpoch, spare, home } = sight;
  const hasMoved = holder !== null && epoch > fromEpoch;
  const why = whyLost(sight);
  if (hasMoved && holder === spare) return { kind: "hold", gapMs: sight.gapMs };
  if (hasMoved && holder === home)
    return fail(`${spare} could not take it${why}; ${home} has it again`, SPARE_FAILED);
  if (hasMoved) return fail(`${spare} could not take it${why}; it went to ${holder}`, SPARE_FAILED);
  if (sight.stageMs < sight.moveTimeoutMs) return WAIT;
  // Where home never let go, the spare was never tried.
  return holder === home
    ? fail(`it could not be moved to ${spare} in time, and stays with ${home}`)
    : fail(`it did not arrive at ${spare} in time`, SPARE_FAILED);
}

function atTheSpare(sight: DrillSight): DrillAct {
  const { holder, spare, home, spareTrouble, homeTrouble } = sight;
  const why = whyLost(sight);
  if (holder !== null && holder !== spare)
    return fail(`${spare} lost it${why}; ${holder} has it now`, SPARE_FAILED);
  if (holder === null)
    // Suspect, or already on its way: the ordinary rules decide, and this waits to see what comes of it.
    return sight.stageMs < sight.holdMs + sight.moveTimeoutMs
      ? WAIT
      : fail(`${spare} lost it${why}, and nobody has it`, SPARE_FAILED);
  if (sight.epoch > sight.fromEpoch) return fail(`${spare} lost it${why}, and got it again`, SPARE_FAILED);
  if (spareTrouble !== null)
    return homeTrouble === null
      ? { kind: "goHome", failure: spareTrouble }
      : fail(`${spareTrouble}, and ${home} can't take it back: ${homeTrouble}`, SPARE_FAILED);
  if (sight.stageMs < sight.holdMs) return WAIT;
  if (homeTrouble !== null)
    return fail(`${home} can't take it back (${homeTrouble}); it stays with ${spare}, which is well`, {
      spare: "good",
    });
  return { kind: "goHome", failure: null };
}

function onTheWayBack(sight: DrillSight): DrillAct {
  const { holder, epoch, fromEpoch, spare, home, failure } = sight;
  const hasMoved = holder !== null && epoch > fromEpoch;
  if (hasMoved && holder === home)
    return failure === null
      ? { kind: "pass", gapMs: sight.gapMs }
      : fail(`${failure}; ${home} has it again`, SPARE_FAILED);
  const shown: DrillVerdicts = { spare: failure === null ? "good" : "failed" };
  if (hasMoved) return fail(`${home} could not take it back; ${holder} has it`, { ...shown, home: "failed" });
  if (sight.stageMs < sight.moveTimeoutMs) return WAIT;
  return holder === spare
    ? fail(`it could not be moved back to ${home} in time, and stays with ${spare}`, shown)
    : fail(`it did not arrive at ${home} in time`, { ...shown, home: "failed" });
}
