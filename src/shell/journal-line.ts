/** A transition as one line of the journal: the same in production and in the simulator. */
import type { JournalEntry } from "../core/arbiter-io.ts";

/** Of the line's form; it rises when a member changes its meaning or goes. */
const JOURNAL_VERSION = 1;

export interface JournalLine extends Omit<JournalEntry, "atWallMs"> {
  readonly v: number;
  /** ISO 8601. */
  readonly at: string;
}

export function journalLine(entry: JournalEntry): JournalLine {
  const { atMs, atWallMs, ...rest } = entry;
  return { v: JOURNAL_VERSION, at: new Date(atWallMs).toISOString(), atMs, ...rest };
}
