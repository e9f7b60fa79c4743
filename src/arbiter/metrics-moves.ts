/**
 * Counts moves by their cause, and measures for how long nobody held the service. The cause is what
 * first led away from the holder: it is noted at that transition and counted when the next holder
 * has said that it is active.
 */
import { Counter, Histogram } from "@prometheus-io/client";
import type { Registry } from "@prometheus-io/client";
import type { JournalEntry } from "../core/arbiter-io.ts";
import type { ArbiterState } from "../core/arbiter-state.ts";

export type MoveCause = "first" | "planned" | "proven" | "silent" | "ordered" | "failed";

/** By the event of the service table. */
const CAUSES: Readonly<Record<string, MoveCause>> = {
  moveWanted: "planned",
  provenOver: "proven",
  silent: "silent",
  boundPassed: "silent",
  overdue: "silent",
  failoverOrdered: "ordered",
  declaredDead: "ordered",
};
/** From one round trip to a long lease. */
const GAP_SECONDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 1, 2, 3, 5, 10, 30, 60, 300];

export class MoveMetrics {
  readonly #state: ArbiterState;
  readonly #moves: Counter<"cause">;
  readonly #gaps: Histogram<"cause">;
  /** By service. */
  readonly #causes = new Map<string, MoveCause>();

  constructor(state: ArbiterState, registry: Registry) {
    this.#state = state;
    const registers = [registry];
    this.#moves = new Counter({
      name: "arbiter_moves_total",
      help: "Services that have got a holder at a new epoch, by what led away from the one before.",
      labelNames: ["cause"],
      registers,
    });
    this.#gaps = new Histogram({
      name: "arbiter_gap_seconds",
      help: "For how long nobody held the service during a move, by cause.",
      labelNames: ["cause"],
      buckets: GAP_SECONDS,
      registers,
    });
  }

  moved({ service, from, to, event }: JournalEntry): void {
    if (to !== "held") {
      this.#noteCause(service, from, event);
      return;
    }
    const cause = this.#causes.get(service) ?? "first";
    this.#causes.delete(service);
    // From any other phase, the holder is the one that it was.
    if (from !== "activating") return;
    this.#moves.inc({ cause });
    const gapMs = this.#state.services.get(service)?.lastGapMs ?? null;
    if (cause !== "first" && gapMs !== null) this.#gaps.observe({ cause }, gapMs / 1_000);
  }

  #noteCause(service: string, from: string, event: string): void {
    const cause = from === "activating" ? "failed" : CAUSES[event];
    // What came first counts: a planned move whose holder then fell silent was planned.
    if (cause !== undefined && !this.#causes.has(service)) this.#causes.set(service, cause);
  }
}
