/**
 * A table that fits its terminal: one row, one line, without rules, easy to copy.
 *
 * Where the width isn't enough, the columns that matter least go first, then the widest ones are
 * cut. A line never wraps: the eye finds a row by its first word.
 */
import { stripVTControlCharacters } from "node:util";
import type { Style, Terminal } from "./output.ts";

export interface Column {
  readonly head: string;
  /** 0: never left out; the highest goes first. */
  readonly rank: number;
  /** Free text: so many characters of it are enough for the others to stay. (Default: all) */
  readonly enough?: number;
}

/** A text, and how it is painted on a terminal that has colours. */
export type Cell = string | { readonly text: string; readonly style: Style };

const GAP = 2;
/** A column that is cut keeps so much, for a name to be told from another. */
const NARROWEST = 8;

export function renderColumns(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): string {
  const natural = columns.map((column, at) =>
    Math.max(column.head.length, ...rows.map((row) => lengthOf(textOf(row[at] ?? "")))),
  );
  const needed = natural.map((length, at) => Math.min(length, columns[at]?.enough ?? length));
  const kept = keptColumns(columns, needed, terminal.width);
  const widths = narrowed(natural, kept, terminal.width);
  const head = columns.map(({ head: text }): Cell => ({ text, style: "dim" }));
  return [head, ...rows].map((row) => `${line(terminal, row, kept, widths)}\n`).join("");
}

function keptColumns(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  let kept = columns.map((_column, at) => at);
  while (total(natural, kept) > width) {
    const leastOf = Math.max(...kept.map((at) => columns[at]?.rank ?? 0));
    if (leastOf === 0) break;
    const out = kept.findLast((at) => columns[at]?.rank === leastOf);
    kept = kept.filter((at) => at !== out);
  }
  return kept;
}

function total(widths: readonly number[], kept: readonly number[]): number {
  return kept.reduce((sum, at) => sum + (widths[at] ?? 0), GAP * Math.max(0, kept.length - 1));
}

/** The widest column gives first. */
function narrowed(natural: readonly number[], kept: readonly number[], width: number): number[] {
  const widths = [...natural];
  for (;;) {
    const over = total(widths, kept) - width;
    if (over <= 0) return widths;
    const widest = kept.reduce(
      (best, at) => ((widths[at] ?? 0) > (widths[best] ?? 0) ? at : best),
      kept[0] ?? 0,
    );
    const others = kept.filter((at) => at !== widest).map((at) => widths[at] ?? 0);
    const now = widths[widest] ?? 0;
    // Down to the next widest, and no further than needed.
    const next = Math.max(NARROWEST, now - over, Math.min(now - 1, Math.max(...others, 0)));
    if (next >= now) return widths;
    widths[widest] = next;
  }
}

function line(
  terminal: Terminal,
  row: readonly Cell[],
  kept: readonly number[],
  widths: readonly number[],
): string {
  const last = kept.at(-1);
  return kept
    .map((at) => {
      const cell = row[at] ?? "";
      const text = cut(textOf(cell), widths[at] ?? 0);
      const pad = at === last ? "" : " ".repeat(Math.max(0, (widths[at] ?? 0) - lengthOf(text) + GAP));
      return `${typeof cell === "string" ? text : terminal.paint(cell.style, text)}${pad}`;
    })
    .join("")
    .trimEnd();
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

function lengthOf(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}

export function cut(text: string, width: number): string {
  return lengthOf(text) <= width
    ? text
    : `${Array.from(text)
        .slice(0, Math.max(0, width - 1))
        .join("")}…`;
}

/** At blanks; each line after the first begins with `indent`, which counts as well. */
export function wrap(text: string, width: number, indent = ""): string {
  const lines: string[] = [];
  let current = "";
  for (const word of text.split(" ")) {
    const room = width - (lines.length === 0 ? 0 : indent.length);
    if (current !== "" && lengthOf(current) + 1 + lengthOf(word) > room) {
      lines.push(current);
      current = word;
    } else {
      current = current === "" ? word : `${current} ${word}`;
    }
  }
  lines.push(current);
  return lines.join(`\n${indent}`);
}
