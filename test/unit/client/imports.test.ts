/** `arbiter-ha/client` and `arbiter-ha/fence` are for everybody's programs: no part of a server comes with them. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SOURCE = fileURLToPath(new URL("../../../src", import.meta.url));

/** Everything that is loaded with a file, as `client/cluster.ts`, and packages by name. */
function loadedWith(file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  const text = readFileSync(path.join(SOURCE, file), "utf8");
  for (const [, isType, from = ""] of text.matchAll(
    /^(?:import|export) (type )?[^"]*?from "([^"]+)";$/gmsu,
  )) {
    if (isType !== undefined || from.startsWith("node:")) continue;
    if (from.startsWith(".")) loadedWith(path.join(path.dirname(file), from), loaded);
    else loaded.add(from);
  }
  return loaded;
}

const packagesIn = (loaded: ReadonlySet<string>): string[] =>
  [...loaded].filter((each) => !each.endsWith(".ts"));
const foldersIn = (loaded: ReadonlySet<string>): string[] => [
  ...new Set([...loaded].filter((each) => each.includes("/")).map((each) => each.split("/")[0] ?? "")),
];

test("the client needs got and nothing else", () => {
  const loaded = loadedWith("client.ts");
  expect(packagesIn(loaded)).toEqual(["got"]);
  expect(foldersIn(loaded).toSorted()).toEqual(["client", "protocol"]);
});

test("the fence needs no package at all", () => {
  const loaded = loadedWith("fence.ts");
  expect(packagesIn(loaded)).toEqual([]);
  expect(foldersIn(loaded).toSorted()).toEqual(["fence", "protocol"]);
});
