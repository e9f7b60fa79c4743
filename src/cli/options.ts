/** Options that many commands share, worded once. */
import type { Command } from "commander";

export interface ConnectionOptions {
  readonly url?: string;
  readonly config?: string;
  readonly tokenFile?: string;
}

export interface PrintOptions {
  readonly json?: boolean;
}

export function withFolder(command: Command): Command {
  return command.option(
    "--config <dir>",
    "configuration folder (default: $ARBITER_CONFIG, ./etc/arbiter, /etc/arbiter)",
  );
}

/** How an arbiter is found, and how it is told who asks. */
export function withConnection(command: Command): Command {
  return withFolder(
    command.option("--url <url,...>", "arbiters to ask (default: $ARBITER_URL, else the configuration's)"),
  ).option("--token-file <file>", "the cluster's token (default: $ARBITER_TOKEN_FILE, else `token_file`)");
}

export function withJson(command: Command): Command {
  return command.option("--json", "print one JSON value and nothing else");
}

/** The examples at the end of a command's help. */
export function withExamples(command: Command, lines: readonly string[]): Command {
  const plural = lines.length > 1 ? "s" : "";
  return command.addHelpText("after", `\nExample${plural}:\n${lines.map((line) => `  ${line}\n`).join("")}`);
}
