/** Every error code of the code stands in docs/errors.md with the same sentence, and the other way round. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { ArbiterError, codeOf, ERRORS, messageOf } from "../../../src/protocol/errors.ts";

const root = path.join(import.meta.dirname, "../../..");

it("documents each code, and no other", () => {
  const documented = new Map<string, string>();
  for (const line of readFileSync(path.join(root, "docs/errors.md"), "utf8").split("\n")) {
    const row = /^\| `(ERR_ARB_[A-Z_]+)` \| (.*) \|$/u.exec(line);
    if (row?.[1] !== undefined && row[2] !== undefined) documented.set(row[1], row[2]);
  }
  expect(Object.fromEntries(documented)).toEqual(ERRORS);
});

it("knows every code that the source uses", () => {
  const used = new Set<string>();
  for (const entry of readdirSync(path.join(root, "src"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const source = readFileSync(path.join(entry.parentPath, entry.name), "utf8");
    for (const [code] of source.matchAll(/ERR_ARB_[A-Z_]+[A-Z]/gu)) used.add(code);
  }
  expect([...used].filter((code) => !(code in ERRORS))).toEqual([]);
});

it("carries code, message and cause", () => {
  const cause = Object.assign(new Error("no"), { code: "EACCES" });
  const error = new ArbiterError("ERR_ARB_STATE_DIR", "x", { cause });
  expect(error).toMatchObject({ code: "ERR_ARB_STATE_DIR", name: "ArbiterError", cause });
  expect([codeOf(cause), codeOf("thrown"), messageOf("thrown"), messageOf(cause)]).toEqual([
    "EACCES",
    "",
    "thrown",
    "no",
  ]);
});
