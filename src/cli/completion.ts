/**
 * `arbiter completion SHELL`: prints the shell's completion. Commands and options stand in it; the
 * names of services and daemons are asked for at the key press (`--names`), of whichever cluster is
 * meant then. An arbiter that doesn't answer completes nothing, and says nothing.
 */
import { Argument, Command, Option } from "commander";
import { ClearNo, WrongUsage } from "./failure.ts";
import { withConnection, withExamples } from "./options.ts";
import type { ConnectionOptions } from "./options.ts";
import { standardOutput } from "./output.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
const NAMED = ["services", "daemons", "arbiters"] as const;
type Shell = (typeof SHELLS)[number];
type Named = (typeof NAMED)[number];

interface CompletionOptions extends ConnectionOptions {
  readonly names?: Named;
}

export function completionCommand(): Command {
  const command = new Command("completion")
    .addArgument(new Argument("[shell]", "whose completion to print").choices(SHELLS))
    .addOption(new Option("--names <what>", "print the cluster's names instead, one a line").choices(NAMED))
    .action(async (shell: Shell | undefined, options: CompletionOptions) => {
      if (options.names !== undefined) await printNames(options.names, options);
      else standardOutput.write(await scriptOf(shell));
    });
  return withExamples(withConnection(command), [
    "source <(arbiter completion bash)      # in this shell; or in ~/.bashrc for every one",
    "arbiter completion bash > /etc/bash_completion.d/arbiter",
    'arbiter completion zsh > "${fpath[1]}/_arbiter"',
    "arbiter completion fish > ~/.config/fish/completions/arbiter.fish",
  ]);
}

async function scriptOf(shell: Shell | undefined): Promise<string> {
  const { completionWords } = await import("./completion-words.ts");
  switch (shell) {
    case "bash":
      return (await import("./completion-bash.ts")).bashCompletion(await completionWords());
    case "zsh":
      return (await import("./completion-zsh.ts")).zshCompletion(await completionWords());
    case "fish":
      return (await import("./completion-fish.ts")).fishCompletion(await completionWords());
    case undefined:
      throw new WrongUsage("which shell?", `arbiter completion ${SHELLS.join("|")}`);
  }
}

async function printNames(what: Named, options: CompletionOptions): Promise<void> {
  const { connect } = await import("./connection.ts");
  const { findPlaces } = await import("./places.ts");
  const { readStatus } = await import("./wire.ts");
  try {
    const status = await readStatus(await connect(await findPlaces(options)));
    standardOutput.write(status[what].map(({ name }) => `${name}\n`).join(""));
  } catch (error) {
    // In the middle of a line that somebody types, an error would only be in the way.
    if (!(error instanceof ClearNo)) throw error;
  }
}
