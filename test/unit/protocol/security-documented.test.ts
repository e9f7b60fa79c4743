/** docs/security.md names a test for each threat; each of them is there. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const ROOT = path.join(import.meta.dirname, "../../..");

test("each threat has an answer, and each test that it names exists", () => {
  const page = readFileSync(path.join(ROOT, "docs/security.md"), "utf8");
  const table = page.slice(page.indexOf("\n## Threats"), page.indexOf("\n## Not protected"));
  const rows = table
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
    .slice(1)
    .map((line) => line.split("|").map((cell) => cell.trim()));
  expect(rows.length).toBeGreaterThan(15);
  const tests = readdirSync(path.join(ROOT, "test"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".test.ts"),
  );
  const scripts = readFileSync(path.join(ROOT, "package.json"), "utf8");
  for (const [, threat, answer, shown] of rows) {
    expect([threat, answer === "", shown === ""]).toEqual([threat, false, false]);
    for (const [, name = ""] of (shown ?? "").matchAll(/`([^`]+)`/gu)) {
      const script = /^npm run (.+)$/u.exec(name)?.[1];
      const isThere =
        script === undefined ? tests.some((file) => file.includes(name)) : scripts.includes(`"${script}": `);
      expect([threat, name, isThere]).toEqual([threat, name, true]);
    }
  }
});
