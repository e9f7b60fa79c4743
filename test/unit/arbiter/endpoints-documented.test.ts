/** `docs/http.md` and the table of routes have the same endpoints of an arbiter, both ways. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROUTES } from "../../../src/arbiter/http/routes.ts";

const DOCUMENT = join(import.meta.dirname, "../../../docs/http.md");

/** `/v1/services/NAME/switchover` as the routes have it, whatever the name in the middle is called. */
function shape(path: string): string {
  return path.replaceAll(/\{\w+\}|\b[A-Z]{2,}\b/gu, "*");
}

/** Rows of tables that begin with a request; ` · ` and ` and ` stand between several of one row. */
function documented(text: string): readonly string[] {
  const arbiters = text.slice(0, text.indexOf("\n## A daemon"));
  const rows = arbiters.matchAll(/^\| ((?:`(?:GET|POST|PUT|DELETE) [^|]*)) \|/gmu);
  return Array.from(rows, ([, cell]) => cell ?? "").flatMap((cell) => {
    const method = /`(GET|POST|PUT|DELETE)/u.exec(cell)?.[1] ?? "GET";
    return Array.from(
      cell.matchAll(/`(?:(GET|POST|PUT|DELETE) )?(\/[^`?\s]*)[^`]*`/gu),
      (match) => `${match[1] ?? method} ${shape(match[2] ?? "")}`,
    );
  });
}

test("every endpoint is documented, and every documented endpoint is there", async () => {
  const text = await readFile(DOCUMENT, "utf8");
  const routes = ROUTES.map(({ method, path }) => `${method.toUpperCase()} ${shape(path)}`);
  const known = documented(text);
  expect(routes.filter((route) => !known.includes(route))).toEqual([]);
  expect(known.filter((route) => !routes.includes(route))).toEqual([]);
});
