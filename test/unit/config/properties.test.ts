/**
 * No text crashes or hangs a parser, and whatever is said of it has a place in it. fast-check prints
 * the seed and the smallest failing text.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readSource } from "../../../src/config/dialect.ts";
import { Problems, renderProblem } from "../../../src/config/problem.ts";
import type { Source } from "../../../src/config/raw.ts";
import { formatDuration, PARSERS, parseCommand, parseDuration } from "../../../src/config/values.ts";
import { loadFiles, said } from "./folder.ts";

const PIECES = [
  "define",
  "DEFINE ",
  "scheduler",
  " {",
  "{",
  "}",
  "} # end",
  "\n",
  "\n",
  "\r\n",
  "\t",
  " ",
  "  ",
  "=",
  " = ",
  ";",
  "#",
  " # x",
  "\\;",
  "\\",
  '"',
  "'",
  "[",
  "]",
  "[DEFAULT]\n",
  "[daemon.x]\n",
  "[scheduler a]\n",
  "[cluster]\n",
  "[realm A]\nmembers = A\n",
  "scheduler_name  a\n",
  "name = b\n",
  "address 127.0.0.1\n",
  "spare 1\n",
  "use  t\n",
  "register 0\n",
  "type=scheduler\n",
  "%(name)s",
  "%(_a)s",
  "_a=%(_b)s\n",
  "_b=%(_a)s\n",
  "${X}",
  "${",
  "cfg_dir=x\n",
  "lease 1\n",
  "check_interval 0.1s\n",
  "__proto__",
  "constructor",
  "\u{feff}",
  "\u{0}",
  "\u{1b}[2J",
  "é",
  "😀",
  "spare_for a,b\n",
  "realm  A\n",
];
const text = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "binary", maxLength: 300 }),
);

function sourceOf(content: string): Source {
  return { path: "x.cfg", lines: content.split(/\r\n|\n|\r/u), content };
}

test("no text crashes a dialect, and each problem has its place", () => {
  fc.assert(
    fc.property(text, (content) => {
      const source = sourceOf(content);
      const problems = new Problems();
      const reading = readSource(source, problems);
      for (const problem of problems.list) {
        const line = source.lines[problem.line - 1];
        expect(line).toBe(problem.sourceLine);
        expect(problem.column).toBeGreaterThanOrEqual(1);
        expect(problem.column).toBeLessThanOrEqual((line ?? "").length + 1);
        expect(renderProblem(problem).split("\n")[0]).toMatch(
          /^x\.cfg:\d+:\d+: (?:error|warning|information): /u,
        );
      }
      for (const { entries } of reading.objects) {
        for (const entry of entries) {
          const line = source.lines[entry.line - 1] ?? "";
          expect(line.slice(entry.column - 1)).toSatisfy((rest: string) => rest.startsWith(entry.key));
        }
      }
    }),
    { numRuns: 3000 },
  );
});

test("no folder crashes the loader; either there is a model or an error says why not", async () => {
  await fc.assert(
    fc.asyncProperty(text, text, async (first, second) => {
      const loaded = await loadFiles({ "a.cfg": first, "b.ini": second });
      expect(loaded.model === null).toBe(said(loaded, "error").length > 0);
      for (const problem of loaded.problems) {
        expect(problem.line).toBeGreaterThanOrEqual(1);
        expect(problem.column).toBeGreaterThanOrEqual(1);
        // What a file holds never reaches the terminal as a control sequence.
        expect(renderProblem(problem)).not.toContain("\u{1b}");
      }
    }),
    { numRuns: 300 },
  );
});

test("no value's text crashes a parser", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 100 }),
      fc.constantFrom(...Object.values(PARSERS)),
      (value, parse) => {
        const parsed = parse(value);
        expect(parsed.ok ? parsed.value : parsed.expected).not.toBeUndefined();
      },
    ),
    { numRuns: 3000 },
  );
});

test("a duration is written as it is read", () => {
  fc.assert(
    fc.property(fc.nat({ max: 10 * 365 * 86_400_000 }), (milliseconds) => {
      expect(parseDuration(formatDuration(milliseconds))).toEqual({ ok: true, value: milliseconds });
    }),
  );
  expect(parseDuration("3")).toEqual({ ok: true, value: 3000 });
  expect(
    ["", "-1s", "1 week", "1s2m", "99999999999d", "NaN"].map((value) => parseDuration(value).ok),
  ).not.toContain(true);
});

test("a program's words survive quoting", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), (words) => {
      const quoted = words.map((word) => `"${word.replaceAll(/["\\]/gu, "\\$&")}"`).join(" ");
      expect(parseCommand(quoted)).toEqual({ ok: true, value: words });
    }),
  );
});
