import { expect, it } from "vitest";
import { isAlertType, noticeOf } from "../../../src/core/alerts.ts";
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

it("later types are understood by their ends, an operator's own refused order is no trouble", () => {
  expect(["drill.failed", "pool.exhausted", "security.refused", "config.refused"].map(isAlertType)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(["operator.refused", "service.held", "published", "operator.pause"].map(isAlertType)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});
