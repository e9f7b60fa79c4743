/**
 * The documentation and the sample against the key table, both ways: a key without documentation,
 * or documentation of a key that doesn't exist, fails here. `UPDATE_DOCS=1` writes the tables anew.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfiguration } from "../../../src/config/index.ts";
import { KEYS, type Where } from "../../../src/config/keys.ts";
import { PARSERS } from "../../../src/config/values.ts";
import { tableOf } from "./key-tables.ts";

const DOCS = new URL("../../../docs/configuration.md", import.meta.url);
const SAMPLE = new URL("../../../etc/arbiter/", import.meta.url);
const BLOCK = /<!-- keys: (\w+) -->\n(.*?)<!-- end -->/gsu;

test("docs/configuration.md has the key table's own words", async () => {
  const text = await readFile(DOCS, "utf8");
  const wanted = text.replaceAll(
    BLOCK,
    (_, where: Where) => `<!-- keys: ${where} -->\n${tableOf(where)}\n<!-- end -->`,
  );
  if (process.env["UPDATE_DOCS"] !== undefined) await writeFile(DOCS, wanted);
  expect(await readFile(DOCS, "utf8")).toBe(wanted);
  const documented = new Set([...wanted.matchAll(/^\| `(\w+)` \|/gmu)].map((match) => match[1]));
  expect(KEYS.map((key) => key.name).filter((name) => !documented.has(name))).toEqual([]);
});

test("every default can be read as a value", () => {
  const unread = KEYS.filter((key) => key.fallback !== null && !PARSERS[key.kind](key.fallback).ok);
  expect(unread.map((key) => key.name)).toEqual([]);
});

async function sampleText(): Promise<string> {
  const files = [
    "arbiter.cfg",
    "daemons/arbiter-master.cfg",
    "daemons/scheduler-master.cfg",
    "daemons/scheduler-slave.cfg",
  ];
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, SAMPLE), "utf8")));
  return texts.join("\n");
}

test("the sample shows every key, and no other", async () => {
  const text = await sampleText();
  const shown = new Set([...text.matchAll(/^;?([a-z]\w*) =/gmu)].map((match) => match[1] ?? ""));
  const missing = KEYS.filter(
    (key) => !shown.has(key.name) && key.name !== "env_NAME" && key.name !== "name",
  );
  expect(missing.map((key) => key.name)).toEqual([]);
  const names = new Set(KEYS.map((key) => key.name));
  const strange = [...shown].filter(
    (name) => !names.has(name) && !name.startsWith("env_") && !name.endsWith("_name"),
  );
  expect(strange).toEqual([]);
});

test("the sample shows the defaults that hold", async () => {
  const text = await readFile(new URL("arbiter.cfg", SAMPLE), "utf8");
  const sections = new Set<Where>(["cluster", "store", "security", "alerts"]);
  const shown = KEYS.filter((key) => key.fallback !== null && key.where.some((where) => sections.has(where)));
  const lines = shown.map((key) => `;${key.name} = ${key.fallback ?? ""}`);
  const missing = lines.filter((line) => !text.includes(`\n${line}\n`));
  expect(lines.length).toBeGreaterThan(20);
  expect(missing).toEqual([]);
});

test("the sample loads without a warning", async () => {
  const loaded = await loadConfiguration(SAMPLE.pathname, { env: {} });
  expect(loaded.problems).toEqual([]);
  expect(loaded.model?.services).toMatchObject([
    { name: "scheduler-master", candidates: ["scheduler-master", "scheduler-slave"] },
  ]);
  expect(loaded.model?.arbiters).toMatchObject([
    { name: "arbiter-master", address: "127.0.0.1", port: 7770 },
  ]);
});

test("each key of the sample, its mark taken away, is one that the reader takes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "arbiter-sample-"));
  try {
    await cp(SAMPLE.pathname, folder, { recursive: true });
    const text = await readFile(join(folder, "arbiter.cfg"), "utf8");
    // Two ways to say one thing exclude each other, and files of secrets exist nowhere here.
    const open = text.replaceAll(/^;(?!(?:url|webhook|webhook_secret|smtp)_file)(?=[a-z[])/gmu, "");
    await writeFile(join(folder, "arbiter.cfg"), open);
    const loaded = await loadConfiguration(folder, { env: {} });
    expect(loaded.problems.filter((problem) => problem.severity === "error")).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
