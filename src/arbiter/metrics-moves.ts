/**
 * Counts moves by their cause, and measures for how long nobody held the service. The cause is what
 * first led away from the holder: it is noted at that transition and counted when the next holder
 * has said that it is active.
 */
import { Counter, Histogram } from "@prometheus-io/client";
import type { Registry } from "@prometheus-io/client";
import type { JournalEntry } from "../core/arbiter-io.ts";
import type { ArbiterState } from "../core/arbiter-state.ts";
import { SERVICE_TABLE } from "../core/service-table.ts";
import type { ServiceEvent } from "../core/service-table.ts";

export type MoveCause = "first" | "planned" | "proven" | "silent" | "ordered" | "failed" | "unknown";

/** By the event of the service table. */
const CAUSES: Readonly<Record<string, MoveCause | undefined>> = {
  moveWanted: "planned",
  drainingReport: "planned",
  provenOver: "proven",
  silent: "silent",
  boundPassed: "silent",
  overdue: "silent",
  failoverOrdered: "ordered",
  declaredDead: "ordered",
} satisfies Partial<Record<ServiceEvent, MoveCause>>;
/** The journal names the row of the table; this finds the event that led to it. */
const EVENT_OF_ROW: ReadonlyMap<number, string> = new Map(
  Object.values(SERVICE_TABLE).flatMap((cells) =>
    Object.entries(cells).flatMap(([event, cell]) =>
      typeof cell === "object" ? [[cell.id, event] as const] : [],
    ),
  ),
);

export function eventOfRow(row: number): string {
  return EVENT_OF_ROW.get(row) ?? "";
}

/** From one round trip to a long lease. */
const GAP_SECONDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 1, 2, 3, 5, 10, 30, 60, 300];

export class MoveMetrics {
  readonly #state: ArbiterState;
  readonly #moves: Counter<"cause">;
  readonly #gaps: Histogram<"cause" | "is">;
  /** By service. */
  readonly #causes = new Map<string, MoveCause>();
  /** By service: the newest epoch that was counted. */
  readonly #counted = new Map<string, number>();

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
      help: "For how long nobody held the service during a move, by cause, and by what kind of measure it is.",
      labelNames: ["cause", "is"],
      buckets: GAP_SECONDS,
      registers,
    });
  }

  moved({ service, from, to, row, epoch }: JournalEntry): void {
    if (to !== "held") {
      this.#noteCause(service, from, row);
      return;
    }
    // One that began under another leader: only that it ended here is known.
    const cause = this.#causes.get(service) ?? (epoch === 1 ? "first" : "unknown");
    this.#causes.delete(service);
    // From any other phase, and at the epoch that it had, the holder is the one that it was.
    if (from !== "activating" || epoch <= (this.#counted.get(service) ?? 0)) return;
    this.#counted.set(service, epoch);
    this.#moves.inc({ cause });
    const move = this.#state.services.get(service)?.lastMove;
    const { gapMs = null, gapIs: is = null } = move ?? {};
    if (cause !== "first" && gapMs !== null && is !== null) this.#gaps.observe({ cause, is }, gapMs / 1_000);
  }

  #noteCause(service: string, from: string, row: number): void {
    const cause = from === "activating" ? "failed" : CAUSES[eventOfRow(row)];
    // What came first counts: a planned move whose holder then fell silent was planned.
    if (cause !== undefined && !this.#causes.has(service)) this.#causes.set(service, cause);
  }
}
