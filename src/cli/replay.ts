/** `arbiter replay FILE`: how it is asked for. What it does is in `replay-run.ts`, loaded with the core once it is wanted. */
import { Command } from "commander";
import type { PrintOptions } from "./options.ts";
import { withExamples, withJson } from "./options.ts";

export function replayCommand(): Command {
  const command = new Command("replay")
    .argument("<file>", "a recording (`recording.jsonl`), or a journal with its recordings beside it")
    .action(async (file: string, options: PrintOptions) =>
      (await import("./replay-run.ts")).replay(file, options),
    )
    .addHelpText(
      "after",
      "\nExit code 1: something is decided differently now; the first such line is shown. A recording is\nexact for the version that made it: another one may rightly decide otherwise.\n",
    );
  return withExamples(withJson(command), [
    "arbiter replay /var/lib/arbiter/arbiter-master/recording.jsonl",
    "arbiter replay /var/lib/arbiter/arbiter-master/journal.jsonl",
  ]);
}
