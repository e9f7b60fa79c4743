/** Completion for fish. */
import type { CommandWords, Value } from "./completion-words.ts";

export function fishCompletion(commands: readonly CommandWords[]): string {
  const paths = commands.filter(({ path }) => path !== "").map(({ path }) => quoted(path));
  return `# fish completion for arbiter. To load it:  arbiter completion fish | source
function __arbiter_at
    set -l at
    for word in (commandline -opc)[2..-1]
        test "$word" = --; and break
        set -l next (string join -- ' ' $at $word)
        if contains -- "$next" ${paths.join(" ")}
            set at $at $word
        end
    end
    string join -- ' ' $at
end
function __arbiter_is
    test "$(__arbiter_at)" = "$argv[1]"
end
function __arbiter_names
    arbiter completion --names $argv[1] 2>/dev/null
end
complete -c arbiter -f
${commands.flatMap(linesOf).join("\n")}
`;
}

function linesOf({ path, options, below, argument }: CommandWords): readonly string[] {
  const begin = `complete -c arbiter -n ${quoted(`__arbiter_is ${path === "" ? "''" : `'${path}'`}`)}`;
  return [
    ...below.map(({ name, meaning }) => `${begin} -a ${quoted(name)} -d ${quoted(meaning)}`),
    ...options.map(
      ({ name, meaning, value }) =>
        `${begin} -l ${name.replace(/^--/u, "")}${value === null ? "" : valueWords(value)} -d ${quoted(meaning)}`,
    ),
    ...(argument === null || below.length > 0 || argument.kind === "anything"
      ? []
      : [`${begin}${argumentWords(argument)}`]),
  ];
}

function valueWords(value: Value): string {
  if (value.kind === "files" || value.kind === "folders") return " -rF";
  return value.kind === "anything" ? " -x" : ` -x${argumentWords(value)}`;
}

function argumentWords(value: Value): string {
  switch (value.kind) {
    case "words":
      return ` -a ${quoted(value.words.join(" "))}`;
    case "files":
    case "folders":
      return " -F";
    case "anything":
      return "";
    case "services":
    case "daemons":
    case "arbiters":
      return ` -a ${quoted(`(__arbiter_names ${value.kind})`)}`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}
