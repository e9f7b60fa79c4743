/**
 * `docs/cli.md` and the program say the same: every command, argument and option of the one stands
 * in the other, both ways.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { COMMANDS } from "../../../src/cli/commands.ts";

interface Shape {
  readonly command: string;
  /** `<service>`, `[dir]`, as the help writes them. */
  readonly arguments: readonly string[];
  /** The long flags. */
  readonly options: readonly string[];
}

function shapesOf(command: Command, path: string): readonly Shape[] {
  const name = `${path} ${command.name()}`;
  const below = command.commands.flatMap((sub) => shapesOf(sub, name));
  const isGroup =
    below.length > 0 && command.options.length === 0 && command.registeredArguments.length === 0;
  if (isGroup) return below;
  return [
    ...below,
    {
      command: name,
      arguments: command.registeredArguments.map((argument) => {
        const word = `${argument.name()}${argument.variadic ? "..." : ""}`;
        return argument.required ? `<${word}>` : `[${word}]`;
      }),
      options: command.options.map((option) => option.long ?? option.flags).toSorted(),
    },
  ];
}

/** A section `## arbiter NAME <argument>`, its table of options up to the next section. */
function documentedShapes(text: string): readonly Shape[] {
  return text
    .split(/^## /mu)
    .slice(1)
    .filter((section) => section.startsWith("`arbiter "))
    .map((section) => {
      const heading = /^`(arbiter(?: [a-z]+)+)((?: [<[][^`]*)?)`/u.exec(section);
      const rows = [...section.matchAll(/^\| `(--[a-z-]+)/gmu)].map((row) => row[1] ?? "");
      return {
        command: heading?.[1] ?? section.split("\n")[0] ?? "",
        arguments: (heading?.[2] ?? "").split(" ").filter((word) => word !== ""),
        options: rows.toSorted(),
      };
    });
}

function byName(a: Shape, b: Shape): number {
  return a.command < b.command ? -1 : 1;
}

const DOCUMENT = join(import.meta.dirname, "../../../docs/cli.md");

test("docs/cli.md has each command with its arguments and options, and none that isn't there", async () => {
  const loaded = await Promise.all(COMMANDS.map((entry) => entry.load()));
  const program = loaded.flatMap((command) => shapesOf(command, "arbiter"));
  const documented = documentedShapes(await readFile(DOCUMENT, "utf8"));
  expect(documented.toSorted(byName)).toEqual(program.toSorted(byName));
});

test("the options that every asking command shares are explained in docs/cli.md", async () => {
  const text = await readFile(DOCUMENT, "utf8");
  for (const name of ["ARBITER_URL", "ARBITER_CONFIG", "ARBITER_TOKEN_FILE", "NO_COLOR"]) {
    expect(text).toContain(name);
  }
});
