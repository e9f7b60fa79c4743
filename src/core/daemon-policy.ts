/**
 * By which margins a daemon stops itself, and what it does without an arbiter.
 *
 * What the daemon's own file says counts first. What it lacks comes with the assignment, as the
 * arbiter's files have it, so that a daemon's machine needs no more than its own file; and what
 * nobody wrote is derived from the lease that was granted, not from one that the file doesn't have.
 */
import type { DaemonOptions } from "./daemon-io.ts";
import type { Margins } from "./lease.ts";

export interface HoldPolicy {
  readonly onArbiterLoss: "failsafe" | "demote" | "hold";
  readonly drainTimeoutMs: number;
  readonly margins: Margins;
}

const DRAIN_TIMEOUT_MS = 10_000;
const KEYS = ["on_arbiter_loss", "drain_timeout", "drain_margin", "kill_grace"];
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function policyOf(options: DaemonOptions, config: Readonly<Record<string, string>>): HoldPolicy {
  return {
    onArbiterLoss: options.onArbiterLoss ?? lossOf(config["on_arbiter_loss"]),
    drainTimeoutMs: options.drainTimeoutMs ?? durationOf(config["drain_timeout"]) ?? DRAIN_TIMEOUT_MS,
    margins: {
      drainMarginMs: options.drainMarginMs ?? durationOf(config["drain_margin"]),
      killGraceMs: options.killGraceMs ?? durationOf(config["kill_grace"]),
    },
  };
}

/** Whether the same policy comes of it: each renewal brings the text anew, and it hardly ever changes. */
export function saysTheSame(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): boolean {
  return one === other || KEYS.every((key) => one[key] === other[key]);
}

function lossOf(text: string | undefined): HoldPolicy["onArbiterLoss"] {
  return text === "demote" || text === "hold" ? text : "failsafe";
}

/** As the arbiter writes durations: `500ms`, `2s`. Null: not given, or not understood. */
function durationOf(text: string | undefined): number | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text ?? "");
  const unit = UNIT_MS[match?.[2] ?? ""];
  return match === null || unit === undefined ? null : Number(match[1]) * unit;
}
