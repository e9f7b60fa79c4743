/** Completion for bash: no package beside bash itself is needed. */
import type { CommandWords, Value } from "./completion-words.ts";

export function bashCompletion(commands: readonly CommandWords[]): string {
  const paths = commands.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  return `# bash completion for arbiter. To load it:  source <(arbiter completion bash)
_arbiter_names() { arbiter completion --names "$1" 2>/dev/null; }
_arbiter() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    # Behind -- is the command line of another program.
    [[ $word == -- ]] && { COMPREPLY=($(compgen -f -- "$cur")); return; }
    case "\${at:+$at }$word" in
      ${paths.join("|")}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at $prev" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "$at" in
${commands.map(wordsCase).join("\n")}
  esac
}
complete -F _arbiter arbiter
`;
}

function valueCases({ path, options }: CommandWords): readonly string[] {
  return options.flatMap(({ name, value }) =>
    value === null ? [] : [`    "${path} ${name}") ${reply(value)}; return ;;`],
  );
}

function wordsCase({ path, options, below, argument }: CommandWords): string {
  const flags = reply({ kind: "words", words: options.map(({ name }) => name) });
  const words: Value | null =
    below.length > 0 ? { kind: "words", words: below.map(({ name }) => name) } : argument;
  const rest = words === null ? ":" : reply(words);
  return `    "${path}") if [[ $cur == -* ]]; then ${flags}; else ${rest}; fi ;;`;
}

function reply(value: Value): string {
  switch (value.kind) {
    case "words":
      return `COMPREPLY=($(compgen -W "${value.words.join(" ")}" -- "$cur"))`;
    case "files":
      return 'COMPREPLY=($(compgen -f -- "$cur"))';
    case "folders":
      return 'COMPREPLY=($(compgen -d -- "$cur"))';
    case "anything":
      return "COMPREPLY=()";
    case "services":
    case "daemons":
    case "arbiters":
      return `COMPREPLY=($(compgen -W "$(_arbiter_names ${value.kind})" -- "$cur"))`;
  }
}
