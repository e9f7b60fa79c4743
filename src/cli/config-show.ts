/**
 * `arbiter config show`: what is in force once the files are read, every default included.
 *
 * It needs no arbiter. Where one that was started with this folder runs on this machine, or `--url`
 * names one, daemons that joined the running cluster are shown beside those of the files.
 */
import { Command } from "commander";
import type { ShownConfiguration } from "../config/show.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import type { Terminal } from "./output.ts";
import { printable, printJson, standardOutput } from "./output.ts";

interface ShowOptions extends ConnectionOptions, PrintOptions {}

type Shown = Readonly<Record<string, unknown>>;

export function configShowCommand(): Command {
  const command = new Command("show")
    .description("what is in force once the files are read, every default included")
    .argument("[path]", "folder or file, as --config")
    .action(async (path: string | undefined, options: ShowOptions) => {
      const { showConfiguration } = await import("../config/show.ts");
      const { loadValid } = await import("./configuration.ts");
      const { withMembers } = await import("./config-members.ts");
      const loaded = await withMembers(await loadValid(path ?? options.config), options);
      const shown = showConfiguration(loaded);
      if (options.json === true) printJson(shown);
      else standardOutput.write(shownText(shown, standardOutput));
    });
  return withExamples(withConnection(withJson(command)), [
    "arbiter config show",
    "arbiter config show --json | jq '.daemons[] | {name, lease, check_interval}'",
  ]);
}

/** In the form of the files themselves, so that a line can be copied into one. */
function shownText(shown: ShownConfiguration, terminal: Terminal): string {
  const { cluster, arbiters, daemons, services, realms } = shown;
  return [
    section("cluster", cluster, terminal),
    ...realms.map((realm) => section(`realm ${String(realm["name"])}`, realm, terminal)),
    ...arbiters.map((arbiter) => section(`arbiter ${String(arbiter["name"])}`, arbiter, terminal)),
    ...daemons.map((daemon) =>
      section(`${String(daemon["type"])} ${String(daemon["name"])}`, daemon, terminal),
    ),
    ...services.map((service) => section(`service ${String(service["name"])}`, service, terminal)),
  ].join("\n");
}

function section(title: string, values: Shown, terminal: Terminal): string {
  const { file, line } = values;
  const origin =
    typeof file === "string" ? terminal.paint("dim", `  ; ${printable(file)}:${String(line)}`) : "";
  const nested: string[] = [];
  const lines = Object.entries(values).flatMap(([key, value]) => {
    const isEmpty = value === null || (Array.isArray(value) && value.length === 0);
    if (key === "file" || key === "line" || isEmpty) return [];
    if (typeof value === "object" && !Array.isArray(value)) {
      if (Object.keys(value).length > 0) nested.push(`\n${section(key, { ...value }, terminal)}`);
      return [];
    }
    return [`${key} = ${printable(wordOf(value))}\n`];
  });
  return `${terminal.paint("bold", `[${printable(title)}]`)}${origin}\n${lines.join("")}${nested.join("")}`;
}

function wordOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join(", ");
  if (typeof value === "boolean") return value ? "1" : "0";
  return String(value);
}
