import { assert, property, string } from "fast-check";
import { expect, it } from "vitest";
import { isFiltering, typeMatcher, wantedBy } from "../../../src/protocol/event-filter.ts";
import { RateLimit } from "../../../src/protocol/rate-limit.ts";

it("a pattern's star stands for any letters, and everything else for itself", () => {
  const match = typeMatcher(["service.*", "*.down", "leader.elected"]);
  const types = [
    "service.held",
    "daemon.down",
    "leader.elected",
    "leader.released",
    "xservice.held",
    "downs",
  ];
  expect(types.filter((type) => match(type))).toEqual(["service.held", "daemon.down", "leader.elected"]);
  assert(property(string(), (type) => typeMatcher([type.replaceAll("*", "")])(type.replaceAll("*", ""))));
});

it("each condition leaves out what doesn't meet it, and none leaves everything in", () => {
  const publication = { namespace: "jobs", key: "etl", value: 1, idempotencyKey: "k" };
  const event = { type: "published", atWallMs: 50, text: "", service: "s", publication };
  const yes = [
    {},
    { service: "s" },
    { types: ["p*"] },
    { namespace: "jobs" },
    { key: "etl" },
    { sinceWallMs: 50 },
    { untilWallMs: 51 },
  ];
  const no = [
    { service: "t" },
    { types: ["s*"] },
    { namespace: "job" },
    { key: "e" },
    { sinceWallMs: 51 },
    { untilWallMs: 50 },
  ];
  expect(yes.map((filter) => wantedBy(filter)(event))).toEqual(yes.map(() => true));
  expect(no.map((filter) => wantedBy(filter)(event))).toEqual(no.map(() => false));
  expect([isFiltering({ types: [], service: undefined }), isFiltering({ key: "etl" })]).toEqual([
    false,
    true,
  ]);
});

it("a limit that counts so many names forgets all of them rather than grow", () => {
  const limit = new RateLimit(1, 1, 2);
  expect(["a", "a", "b", "c", "a"].map((name) => limit.allows(name, 0))).toEqual([
    true,
    false,
    true,
    true,
    true,
  ]);
});

it("asking whether a limit is spent counts nothing", () => {
  const limit = new RateLimit(1, 2);
  expect([1, 2, 3, 4].map(() => limit.isSpent("a", 0))).toEqual([false, false, false, false]);
  expect([limit.allows("a", 0), limit.allows("a", 0), limit.isSpent("a", 0)]).toEqual([true, true, true]);
  expect([limit.isSpent("a", 1_000), limit.isSpent("b", 0)]).toEqual([false, false]);
});
