/**
 * What a shell may complete, taken from the commands themselves: so that a new command or option is
 * completed without anybody thinking of it.
 */
import type { Command, Option } from "commander";
import { COMMANDS } from "./commands.ts";

/** What stands at a place: names that only a running cluster knows, files, fixed words, or anything. */
export type Value =
  | { readonly kind: "services" | "daemons" | "arbiters" | "files" | "folders" | "anything" }
  | { readonly kind: "words"; readonly words: readonly string[] };

export interface OptionWords {
  /** With its dashes. */
  readonly name: string;
  readonly meaning: string;
  /** null: it takes no value. */
  readonly value: Value | null;
}

export interface CommandWords {
  /** `config diff`; empty for the program itself. */
  readonly path: string;
  readonly meaning: string;
  readonly options: readonly OptionWords[];
  readonly below: readonly { readonly name: string; readonly meaning: string }[];
  readonly argument: Value | null;
}

const HELP: OptionWords = { name: "--help", meaning: "print this help", value: null };

/** The program first, then each command and what is below it. */
export async function completionWords(): Promise<readonly CommandWords[]> {
  const loaded = await Promise.all(
    COMMANDS.map(async ({ name, summary, load }) => ({ name, summary, command: await load() })),
  );
  const names = loaded.map(({ name, summary }) => ({ name, meaning: summary }));
  const program: CommandWords = {
    path: "",
    meaning: "",
    options: [HELP, { name: "--version", meaning: "print the version", value: null }],
    below: [...names, { name: "help", meaning: "print a command's help" }],
    argument: null,
  };
  const help: CommandWords = {
    path: "help",
    meaning: "print a command's help",
    options: [],
    below: [],
    argument: { kind: "words", words: names.map(({ name }) => name) },
  };
  return [
    program,
    ...loaded.flatMap(({ command, summary }) => wordsOf(command, command.name(), summary)),
    help,
  ];
}

function wordsOf(command: Command, path: string, meaning: string): readonly CommandWords[] {
  const below = command.commands;
  return [
    {
      path,
      meaning,
      options: [...command.options.map(optionWords), HELP],
      below: below.map((sub) => ({ name: sub.name(), meaning: sub.description() })),
      argument: argumentOf(command),
    },
    ...below.flatMap((sub) => wordsOf(sub, `${path} ${sub.name()}`, sub.description())),
  ];
}

function optionWords(option: Option): OptionWords {
  const takesValue = option.required || option.optional;
  return {
    name: option.long ?? option.flags,
    meaning: option.description,
    value: takesValue ? valueOf(option.argChoices, option.name(), option.flags) : null,
  };
}

function argumentOf(command: Command): Value | null {
  const [first] = command.registeredArguments;
  if (first === undefined) return null;
  // `leader transfer NAME` is an arbiter; `daemon stop NAME` a daemon.
  if (first.name() === "name") return { kind: command.name() === "transfer" ? "arbiters" : "daemons" };
  return valueOf(first.argChoices, first.name(), first.name());
}

const BY_NAME: Readonly<Record<string, Value>> = {
  service: { kind: "services" },
  daemon: { kind: "daemons" },
  to: { kind: "daemons" },
  with: { kind: "arbiters" },
  name: { kind: "anything" },
};

function valueOf(choices: readonly string[] | undefined, name: string, shown: string): Value {
  if (choices !== undefined) return { kind: "words", words: choices };
  const known = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (known !== undefined) return known;
  if (/dir\b/u.test(shown)) return { kind: "folders" };
  return /file|path/u.test(shown) ? { kind: "files" } : { kind: "anything" };
}
