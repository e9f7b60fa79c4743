/**
 * Each row of both tables is left out once, and something has to notice: the golden transcripts, or a busy
 * world within the seeds that the list states. Of those that are spared the list says why their absence
 * breaks nothing; a world that comes by them has to agree. `npm run mutants -- row` prints the table.
 */
import { expect, test } from "vitest";
import { ROWS } from "./mutants/rows.ts";
import { Tables } from "./mutants/rows-in-place.ts";

const TIMEOUT_MS = 10 * 60_000;

/** Rows that stand behind others, so that the few worlds here don't come by them: a named test of each does. */
const SELDOM: ReadonlySet<string> = new Set(
  [
    ...[110, 111, 112, 114, 115, 651].map((id) => `arbiter ${id}`),
    ...[311, 313, 314, 333, 334, 336, 350].map((id) => `daemon ${id}`),
  ].map((row) => `row ${row}`),
);

test("each row of the tables is noticed if it is left out", { timeout: TIMEOUT_MS }, () => {
  const tables = new Tables();
  const complaints: string[] = [];
  const unmet: string[] = [];
  for (const row of ROWS) {
    const { by, cameUp } = tables.without(row);
    if (row.survives === null && by === null) complaints.push(`${row.name}: not found`);
    if (row.survives !== null && by !== null) complaints.push(`${row.name} is found after all: ${by}`);
    if (!cameUp && !SELDOM.has(row.name)) unmet.push(row.name);
  }
  expect(complaints).toEqual([]);
  expect(unmet).toEqual([]);
});
