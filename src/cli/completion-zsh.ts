/** Completion for zsh, with what each word means beside it. */
import type { CommandWords, Value } from "./completion-words.ts";

export function zshCompletion(commands: readonly CommandWords[]): string {
  const paths = commands.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  return `#compdef arbiter
# zsh completion for arbiter. To load it:  source <(arbiter completion zsh)
_arbiter_names() { local -a names; names=(\${(f)"$(arbiter completion --names $1 2>/dev/null)"}); compadd -a names; }
_arbiter() {
  local at="" word i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    [[ $word == -- ]] && { _files; return; }
    case "\${at:+$at }$word" in
      (${paths.join("|")}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at $words[CURRENT-1]" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "$at" in
${commands.map(wordsCase).join("\n")}
  esac
}
if [[ $funcstack[1] == _arbiter ]]; then _arbiter "$@"; else (( $+functions[compdef] )) && compdef _arbiter arbiter; fi
`;
}

function valueCases({ path, options }: CommandWords): readonly string[] {
  return options.flatMap(({ name, value }) =>
    value === null ? [] : [`    (${quoted(`${path} ${name}`)}) ${reply(value)}; return ;;`],
  );
}

function wordsCase({ path, options, below, argument }: CommandWords): string {
  const flags = described(options);
  const rest = below.length > 0 ? described(below) : argument === null ? ":" : reply(argument);
  return `    (${quoted(path)}) if [[ $words[CURRENT] == -* ]]; then ${flags}; else ${rest}; fi ;;`;
}

function described(list: readonly { readonly name: string; readonly meaning: string }[]): string {
  const words = list.map(({ name, meaning }) => quoted(`${name.replaceAll(":", "\\:")}:${meaning}`));
  return `found=(${words.join(" ")}); _describe arbiter found`;
}

function reply(value: Value): string {
  switch (value.kind) {
    case "words":
      return `compadd -- ${value.words.map(quoted).join(" ")}`;
    case "files":
      return "_files";
    case "folders":
      return "_files -/";
    case "anything":
      return ":";
    case "services":
    case "daemons":
    case "arbiters":
      return `_arbiter_names ${value.kind}`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
