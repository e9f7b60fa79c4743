import { readdir, readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { isAlertType, noticeOf, TROUBLES, WARNINGS } from "../../../src/core/alerts.ts";
import type { TargetCursor } from "../../../src/core/alerts.ts";
import type { LoggedEvent } from "../../../src/core/model.ts";

function told(
  types: readonly (readonly [type: string, about: string])[],
  isWanted: (type: string) => boolean = isAlertType,
  tellsRecoveries = true,
): { readonly said: readonly string[]; readonly cursor: TargetCursor } {
  let cursor: TargetCursor = { seq: 0, open: {} };
  const said: string[] = [];
  for (const [index, [type, about]] of types.entries()) {
    const member = type.startsWith("daemon") ? { daemon: about } : { service: about };
    const event: LoggedEvent = { seq: index + 1, type, atWallMs: 0, text: "", ...member };
    const result = noticeOf(cursor, event, isWanted, tellsRecoveries);
    ({ cursor } = result);
    const { notice } = result;
    if (notice !== null) said.push(`${notice.kind} ${notice.subject} ${type} ${notice.since ?? "-"}`);
  }
  return { said, cursor };
}

it("a planned move is nobody's alert: its end is told only where a trouble was", () => {
  const planned = ["service.handing-over", "service.activating", "service.held"] as const;
  expect(told(planned.map((type) => [type, "s"])).said).toEqual([]);
});

it("a trouble is told, and its end once, with the number of its beginning", () => {
  const { said, cursor } = told([
    ["service.fencing", "s"],
    ["service.vacant", "s"],
    ["service.held", "t"],
    ["service.held", "s"],
    ["service.held", "s"],
  ]);
  expect(said).toEqual([
    "problem service:s service.fencing -",
    "problem service:s service.vacant -",
    "recovery service:s service.held 1",
  ]);
  expect(cursor).toEqual({ seq: 5, open: {} });
});

it("a filter decides what is told; an end that it doesn't name is told if a beginning was", () => {
  const log = [
    ["daemon.down", "d"],
    ["service.vacant", "s"],
    ["daemon.up", "d"],
    ["service.held", "s"],
  ] as const;
  const isWanted = (type: string): boolean => type === "service.vacant";
  expect(told(log, isWanted).said).toEqual([
    "problem service:s service.vacant -",
    "recovery service:s service.held 2",
  ]);
  expect(told(log, isWanted, false).said).toEqual(["problem service:s service.vacant -"]);
  expect(told(log, (type) => type === "daemon.up").said).toEqual(["information daemon:d daemon.up -"]);
});

it("a service called like a member of every object is one like any other", () => {
  const { said } = told([
    ["service.held", "constructor"],
    ["service.vacant", "__proto__"],
    ["service.held", "__proto__"],
  ]);
  expect(said).toEqual([
    "problem service:__proto__ service.vacant -",
    "recovery service:__proto__ service.held 2",
  ]);
});

it("one event may end two troubles, and is told once", () => {
  const { said, cursor } = told([
    ["daemon.unhealthy", "d"],
    ["daemon.down", "d"],
    ["daemon.left", "d"],
  ]);
  expect(said).toEqual([
    "problem health:d daemon.unhealthy -",
    "problem daemon:d daemon.down -",
    "recovery daemon:d daemon.left 2",
  ]);
  expect(cursor.open).toEqual({});
});

it("a warning has no end, and an operator's own orders are no alert", () => {
  expect(told([["operator.pause-ending", "s"]]).said).toEqual(["problem service:s operator.pause-ending -"]);
  expect(["operator.refused", "service.held", "published", "operator.pause"].filter(isAlertType)).toEqual([]);
});

it("every type that is told is one that an arbiter writes, and stands in docs/alerts.md", async () => {
  const types = [...TROUBLES.flatMap(({ begins, ends }) => begins.concat(ends)), ...WARNINGS];
  const page = await readFile(new URL("../../../docs/alerts.md", import.meta.url), "utf8");
  expect(types.filter((type) => !page.includes(`\`${type}\``))).toEqual([]);
  const source = await sourceText();
  expect(types.filter((type) => !source.includes(`"${type}"`))).toEqual([]);
});

/** All that could write an event, but for the list itself. */
async function sourceText(): Promise<string> {
  const root = new URL("../../../src/", import.meta.url);
  const files = ["core", "arbiter"].map(async (folder) => {
    const names = await readdir(new URL(`${folder}/`, root), { recursive: true });
    const wanted = names.filter((name) => name.endsWith(".ts") && !name.endsWith("alerts.ts"));
    return await Promise.all(wanted.map((name) => readFile(new URL(`${folder}/${name}`, root), "utf8")));
  });
  return (await Promise.all(files)).flat().join("\n");
}
