/**
 * Real configuration folders of other tools must load as they are. They are not part of the project:
 * $ARBITER_CORPUS says where they lie.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfiguration, showConfiguration } from "../../../src/config/index.ts";

interface Expected {
  readonly daemons: readonly {
    name: string;
    type: string;
    role: string;
    address: string;
    port: number;
    realm: string | null;
  }[];
  readonly realms: readonly string[];
}

const corpus = process.env["ARBITER_CORPUS"] ?? "";
const folders =
  corpus === "" ? [] : readdirSync(corpus, { withFileTypes: true }).filter((entry) => entry.isDirectory());

if (corpus === "") console.info("skipped: $ARBITER_CORPUS names no folder with real configurations");

describe.skipIf(corpus === "")("real configurations ($ARBITER_CORPUS)", () => {
  test("there are some", () => {
    expect(folders.length).toBeGreaterThan(0);
  });
  test.each(folders.map((folder) => folder.name))("%s loads as it is", async (name) => {
    const folder = join(corpus, name);
    const expected: unknown = JSON.parse(readFileSync(join(folder, "EXPECT.json"), "utf8"));
    if (!isExpected(expected)) throw new Error(`${folder}/EXPECT.json has another shape`);
    const loaded = await loadConfiguration(folder, { env: {} });
    expect(loaded.problems.filter((problem) => problem.severity === "error")).toEqual([]);
    const shown = showConfiguration(loaded);
    // Where the folder has no arbiter, the implied one is not among those expected.
    const found = [...shown.arbiters.filter((arbiter) => arbiter["implied"] !== true), ...shown.daemons];
    const facts = found.map((one) => ({
      name: one["name"],
      type: one["type"],
      role: one["role"],
      address: one["address"],
      port: one["port"],
    }));
    const wanted = expected.daemons.map(({ name: called, type, role, address, port }) => ({
      name: called,
      type,
      role,
      address,
      port,
    }));
    expect(facts.toSorted(byName)).toEqual(wanted.toSorted(byName));
    const realms = new Map(found.map((one) => [one["name"], one["realm"]]));
    const named = expected.daemons.filter((daemon) => daemon.realm !== null);
    expect(named.map((daemon) => realms.get(daemon.name))).toEqual(named.map((daemon) => daemon.realm));
    expect(shown.realms.map((realm) => realm["name"])).toEqual(expected.realms);
  });
});

function byName(a: { readonly name: unknown }, b: { readonly name: unknown }): number {
  return String(a.name) < String(b.name) ? -1 : 1;
}

function isExpected(value: unknown): value is Expected {
  return typeof value === "object" && value !== null && "daemons" in value && "realms" in value;
}
