/**
 * `npm run mutants [NAME …]`: leaves each rule out once, hunts for what happens then, and prints the table.
 * Exit code 1 if one isn't found within its seeds, or one is found of which the list says that it can't be.
 */
import { Worker } from "node:worker_threads";
import { ARBITER_RULES } from "./arbiter-rules.ts";
import { DAEMON_RULES } from "./daemon-rules.ts";
import { FAREWELL_RULES } from "./farewell-rules.ts";
import { LEADERSHIP_RULES } from "./leadership-rules.ts";
import type { Mutant, Verdict } from "./mutant.ts";
import { OPERATOR_RULES } from "./operator-rules.ts";
import { RENAME_RULES } from "./rename-rules.ts";
import { ROWS } from "./rows.ts";
import { STORE_RULES } from "./store-rules.ts";

export const MUTANTS: readonly Mutant[] = [
  ...DAEMON_RULES,
  ...FAREWELL_RULES,
  ...ARBITER_RULES,
  ...RENAME_RULES,
  ...LEADERSHIP_RULES,
  ...STORE_RULES,
  ...OPERATOR_RULES,
  ...ROWS,
];

const WORKER = new URL("./worker.ts", import.meta.url);

/** All of them, so many at a time. */
export async function huntAll(
  mutants: readonly Mutant[],
  threads: number,
  onVerdict: (mutant: Mutant, verdict: Verdict) => void = () => {},
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let mutant = mutants[next++]; mutant !== undefined; mutant = mutants[next++]) {
      const verdict = await huntOne(mutant);
      verdicts.push(verdict);
      onVerdict(mutant, verdict);
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return verdicts;
}

async function huntOne(mutant: Mutant): Promise<Verdict> {
  const thread = new Worker(WORKER, { workerData: mutant, name: "arbiter-mutant" });
  try {
    return await new Promise<Verdict>((resolve, reject) => {
      thread.on("message", resolve);
      thread.on("error", reject);
    });
  } finally {
    await thread.terminate();
  }
}

/** Null: as the list says. */
export function complaint({ name, seeds, survives }: Mutant, { found, error }: Verdict): string | null {
  if (error !== null) return `${name}: ${error}`;
  if (survives === null) return found === null ? `${name}: not found within ${seeds} seeds` : null;
  return found === null ? null : `${name} is found after all: ${found.violation}`;
}

function line({ name, without, survives }: Mutant, { found, seedsTried, ms, error }: Verdict): string {
  const what =
    error !== null
      ? `error: ${error}`
      : found === null
        ? `nothing in ${seedsTried} seeds${survives === null ? "" : `: ${survives}`}`
        : `${found.violation} (seed ${found.seedsNeeded}, ${found.hunt})`;
  return `| ${name} | ${without} | ${what} | ${(ms / 1000).toFixed(1)} s |`;
}

async function main(names: readonly string[]): Promise<number> {
  const wanted =
    names.length === 0 ? MUTANTS : MUTANTS.filter(({ name }) => names.some((one) => name.includes(one)));
  console.log("| mutant | the rule that is left out | what is found | time |\n| --- | --- | --- | --- |");
  const complaints: string[] = [];
  await huntAll(wanted, 2, (mutant, verdict) => {
    console.log(line(mutant, verdict));
    complaints.push(...[complaint(mutant, verdict)].filter((text) => text !== null));
  });
  console.log(
    `\n${wanted.length} mutants, ${complaints.length} not as the list says${complaints.length === 0 ? "" : ":"}`,
  );
  for (const text of complaints) console.log(`- ${text}`);
  return complaints.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
