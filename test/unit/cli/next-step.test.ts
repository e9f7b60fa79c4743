/** Every error names the next thing to try. */
import { expect, test } from "vitest";
import { nextStepOf } from "../../../src/cli/next-step.ts";
import { ERRORS } from "../../../src/protocol/errors.ts";

test.each(Object.keys(ERRORS))("%s has a next step", (code) => {
  expect(nextStepOf(code)).toMatch(/.{10}/u);
});

test("what is no code of ours has none", () => {
  expect(nextStepOf("ENOENT")).toBeNull();
  expect(nextStepOf(42)).toBeNull();
});
