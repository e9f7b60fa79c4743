/**
 * What a move cost, as far as this arbiter can know it: for how long nobody held the service, and whether
 * two may have held it at once. Each figure says what kind of measure it is; nothing is decided by them.
 *
 * Both are taken from what the daemons say, when the arbiter hears it, on the arbiter's own clock: two
 * machines' clocks are never compared. So a gap is as exact as two messages' travel, and an overlap is
 * not a difference of times at all: it is 0 where the order of messages, or the lease's end, excludes it.
 */
import type { ServiceView } from "./arbiter-state.ts";
import { daemonOf, type Step } from "./step.ts";

/** What `gapMs` is. */
export type GapIs =
  /** From the old holder's word that it had let go to the new one's that it is active. */
  | "measured"
  /** The old holder was started anew; when it had ended before isn't known. */
  | "at-least"
  /** Counted from the old holder's last answer: it may have gone on for a while after that. */
  | "at-most";

/** Why no two held it at once; `unknown`: they may have. */
export type OverlapIs =
  /** The old holder's own word that it had let go came before the new one was told. */
  | "proof"
  /** Every lease of the old holder had ended before (clocks' rates differ by `clock_drift` at most). */
  | "lease"
  /** An operator's word counted as proof, or the service was let go under another leader. */
  | "unknown";

/** How the newest epoch that is over was found to be over. */
export type ClearedBy = "proof" | "time" | "order";

export interface MoveMeasure {
  /** null: not known, or nothing was lost. */
  readonly gapMs: number | null;
  readonly gapIs: GapIs | null;
  /** null: not known, or nobody had held it before. */
  readonly overlapMs: 0 | null;
  readonly overlapIs: OverlapIs | null;
}

export const NOT_MEASURED: MoveMeasure = { gapMs: null, gapIs: null, overlapMs: null, overlapIs: null };

/** Nobody is known to hold it any more, by this event of the table. */
export function beginGap(step: Step, view: ServiceView, event: string): void {
  if (view.lostAtMs !== null) return;
  if (event === "boundPassed" || event === "declaredDead") {
    view.lostAtMs = lastKnownAtWorkMs(step, view);
    view.lostIs = "at-most";
    return;
  }
  view.lostAtMs = step.nowMs;
  view.lostIs = isNewStart(view.proof?.evidence) ? "at-least" : "measured";
}

/** Proof by another boot: when the one before it had ended isn't known. */
export function isNewStart(evidence: Readonly<Record<string, unknown>> | undefined): boolean {
  const says = evidence?.["says"];
  return typeof says === "string" && says.startsWith("it was started anew");
}

/** null: this arbiter never heard of the old holder, and can't say. */
function lastKnownAtWorkMs(step: Step, view: ServiceView): number | null {
  const holder = daemonOf(step.state, view.row.holder);
  return holder === null || holder.report === null ? null : holder.reportedAtMs;
}

/** The new holder has said that it is active. */
export function endGap(step: Step, view: ServiceView): void {
  const { lostAtMs, lostIs } = view;
  const gapMs = lostAtMs === null ? null : Math.max(0, Math.round((step.nowMs - lostAtMs) * 10) / 10);
  const overlapIs = overlapOf(view);
  view.lastMove = {
    gapMs,
    gapIs: gapMs === null ? null : lostIs,
    overlapMs: overlapIs === "proof" || overlapIs === "lease" ? 0 : null,
    overlapIs,
  };
  view.lostAtMs = null;
}

/** Epoch 1 follows nobody. */
function overlapOf({ row, clearedBy }: ServiceView): OverlapIs | null {
  if (row.epoch <= 1) return null;
  if (row.cleared !== row.epoch - 1 || clearedBy === "time") return "lease";
  return clearedBy === "proof" ? "proof" : "unknown";
}

/** For sentences: `29.3 ms`, `at least 29.3 ms`, `1800 ms at most`. */
export function gapWords({ gapMs, gapIs }: MoveMeasure): string {
  const words = `${gapMs ?? 0} ms`;
  if (gapIs === "at-least") return `at least ${words}`;
  return gapIs === "at-most" ? `${words} at most` : words;
}
