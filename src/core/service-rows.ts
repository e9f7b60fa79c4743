/** The rows of the service table by their number, as they stand in events and in the journal. */
import type { ServicePhase } from "./arbiter-state.ts";
import { SERVICE_TABLE, type ServiceTransition } from "./service-table.ts";

export type NumberedRow = ServiceTransition & { readonly from: ServicePhase };

const PHASES: readonly ServicePhase[] = [
  "vacant",
  "activating",
  "held",
  "suspect",
  "fencing",
  "handing-over",
];

const ROWS: ReadonlyMap<number, NumberedRow> = new Map(
  PHASES.flatMap((from) =>
    Object.values(SERVICE_TABLE[from]).flatMap((one) =>
      typeof one === "string" ? [] : [[one.id, { ...one, from }] as const],
    ),
  ),
);

/** null: there is none of that number, or the event is none of a row. */
export function rowOf(id: number | undefined): NumberedRow | null {
  return id === undefined ? null : (ROWS.get(id) ?? null);
}
