/**
 * Writes the tables of docs/rules.md: each rule, the file that keeps it, and what shows that it is needed.
 * Generated from the list of mutants, and a test compares the two. After a change of the list:
 * `npm run mutants:page`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { MUTANTS } from "./main.ts";
import type { Mutant } from "./mutant.ts";

const FILE = new URL("../../../docs/rules.md", import.meta.url);

function filesOf({ patches }: Mutant): string {
  return [...new Set(patches.map(({ file }) => `\`${file}\``))].join(", ");
}

function needed(mutant: Mutant): string {
  const { without, hunts, seeds } = mutant;
  const shown = hunts.map(({ name }) => name).join("; or ");
  const isOnce = hunts.every((hunt) => "once" in hunt && hunt.once);
  return `| ${without} | ${filesOf(mutant)} | ${shown} | ${isOnce ? "at once" : seeds} |`;
}

function secondLine(mutant: Mutant): string {
  return `| ${mutant.without} | ${filesOf(mutant)} | ${mutant.survives ?? ""} |`;
}

function put(text: string, name: string, head: string, rows: readonly string[]): string {
  const [open, close] = [`<!-- ${name}: made by npm run mutants:page -->`, `<!-- end of ${name} -->`];
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`docs/rules.md has no markers for the ${name}`);
  const line = head.replaceAll(/[^|]+/gu, " --- ");
  return `${text.slice(0, from)}${open}\n${[head, line, ...rows].join("\n")}\n${text.slice(to)}`;
}

/** The page with its tables made anew. */
export function render(written: string): string {
  const rules = MUTANTS.filter(({ name }) => !name.startsWith("row "));
  const isNeeded = ({ survives }: Mutant): boolean => survives === null;
  const first = put(
    written,
    "rules that are needed",
    "| rule | kept in | left out, it shows in | within so many seeds |",
    rules.filter(isNeeded).map(needed),
  );
  return put(
    first,
    "second lines",
    "| rule | kept in | why nothing shows |",
    rules.filter((rule) => !isNeeded(rule)).map(secondLine),
  );
}

export function page(): string {
  return readFileSync(FILE, "utf8");
}

if (import.meta.main) writeFileSync(FILE, render(page()));
