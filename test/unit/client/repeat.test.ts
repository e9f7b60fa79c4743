/** What may be sent again after a failed attempt: what was not done, and what may be done twice. */
import { expect, test } from "vitest";
import { mayRepeat, pauseMs } from "../../../src/client/repeat.ts";
import type { FailedAttempt } from "../../../src/client/repeat.ts";

const failed = (what: Partial<FailedAttempt>): FailedAttempt => ({
  method: "GET",
  hasKey: false,
  code: "",
  phase: "",
  status: null,
  problem: "",
  ...what,
});

test.each(["GET", "POST"])("what was certainly not done is sent again: %s", (method) => {
  expect(mayRepeat(failed({ method, code: "ECONNREFUSED" }))).toBe(true);
  expect(mayRepeat(failed({ method, code: "ETIMEDOUT", phase: "connect" }))).toBe(true);
  expect(mayRepeat(failed({ method, status: 503, problem: "ERR_ARB_NOT_HOLDER" }))).toBe(true);
  expect(mayRepeat(failed({ method, status: 409, problem: "ERR_ARB_OLD_EPOCH" }))).toBe(true);
});

test.each([
  ["a broken connection", { code: "ECONNRESET" }],
  ["a holder that moved", { code: "ERR_ARB_MOVED" }],
  ["an answer that broke off", { code: "ECONNRESET", status: 200 }],
  ["no answer in time", { code: "ETIMEDOUT", phase: "response" }],
  ["a server that can't now", { status: 503 }],
  ["a gateway's error", { status: 502 }],
])("what may have been done is sent again only where twice is as good as once: %s", (_what, failure) => {
  expect(mayRepeat(failed(failure))).toBe(true);
  expect(mayRepeat(failed({ ...failure, method: "put" }))).toBe(true);
  expect(mayRepeat(failed({ ...failure, method: "POST" }))).toBe(false);
  expect(mayRepeat(failed({ ...failure, method: "PATCH" }))).toBe(false);
  expect(mayRepeat(failed({ ...failure, method: "POST", hasKey: true }))).toBe(true);
});

test.each([
  ["a refusal that has nothing to do with a move", { status: 404 }],
  ["a conflict of the service's own", { status: 409 }],
  ["an error of the service", { status: 500 }],
  ["a body that can't be read", { code: "ERR_BODY_PARSE_FAILURE", status: 200 }],
  ["the caller's own abort", { code: "ERR_ABORTED" }],
  ["no such service", { code: "ERR_ARB_NOT_FOUND" }],
])("everything else is the caller's to know: %s", (_what, failure) => {
  expect(mayRepeat(failed(failure))).toBe(false);
});

test("pauses begin short, double, and end at a fifth of a second, spread by a quarter", () => {
  expect([1, 2, 3, 4, 5, 6, 60].map((attempt) => pauseMs(attempt, 0.5))).toEqual([
    10, 20, 40, 80, 160, 200, 200,
  ]);
  expect([pauseMs(9, 0), pauseMs(9, 1)]).toEqual([150, 250]);
});
