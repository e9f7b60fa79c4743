/**
 * What the arbiter recorded during a chaos run goes through the core once more, as a user would have
 * it done: `arbiter replay` of its journal. Whatever is decided otherwise is a defect.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const COMMAND_LINE = join(import.meta.dirname, "..", "processes", "launcher-cli.ts");

export interface Replayed {
  readonly inputs: number;
  readonly transitions: number;
  /** What differs, or why nothing could be compared; null: nothing does. */
  readonly problem: string | null;
}

export function replayJournal(stateFolder: string): Replayed {
  const words = [COMMAND_LINE, "replay", join(stateFolder, "journal.jsonl"), "--json"];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const count = (name: string): number => Number(new RegExp(`"${name}": (\\d+)`, "u").exec(stdout)?.[1] ?? 0);
  const problem = status === 0 ? null : `the journal is decided otherwise: ${stderr}${stdout}`;
  return { inputs: count("inputs"), transitions: count("transitions"), problem };
}
