/**
 * Each rule of the protocol is left out once, and the simulator has to notice within the seeds that the
 * list states. What nothing can notice is marked there, with the reason; `npm run mutants` hunts those, too,
 * and prints the table. Rows of the tables have a test of their own (`rows.test.ts`).
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { ATTACKS } from "./mutants/attacks.ts";
import { complaint, huntAll, MUTANTS } from "./mutants/main.ts";
import { patched } from "./mutants/mutant.ts";
import { page, render } from "./mutants/page.ts";

const SOURCES = new URL("../../src/", import.meta.url);
const TIMEOUT_MS = 20 * 60_000;
const SEEDS = 3;

test("each patch still fits the sources, and each name is there once", () => {
  for (const { patches } of MUTANTS) {
    const texts = new Map<string, string>();
    for (const patch of patches) {
      const text = texts.get(patch.file) ?? readFileSync(new URL(patch.file, SOURCES), "utf8");
      texts.set(patch.file, patched(text, patch));
    }
  }
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

test("docs/rules.md lists them as they are: npm run mutants:page", () => {
  expect(page()).toBe(render(page()));
});

test.each(Object.entries(ATTACKS))(
  "with every rule in place: %s",
  { timeout: TIMEOUT_MS },
  (name, attack) => {
    for (let seed = 1; seed <= (name === "transcripts" ? 1 : SEEDS); seed++) expect(attack(seed)).toBeNull();
  },
);

test("each is found within its seeds", { timeout: TIMEOUT_MS }, async () => {
  const complaints: string[] = [];
  const wanted = MUTANTS.filter(({ name, survives }) => survives === null && !name.startsWith("row "));
  await huntAll(wanted, availableParallelism(), (mutant, verdict) => {
    const text = complaint(mutant, verdict);
    if (text !== null) complaints.push(text);
  });
  expect(complaints).toEqual([]);
});
