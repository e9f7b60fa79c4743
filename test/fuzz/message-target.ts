/**
 * The guards of the protocol: whatever JSON can say is either refused with a sentence, or read into
 * a value that reads the same again. Bytes that aren't JSON are refused before that.
 */
import { isDeepStrictEqual } from "node:util";
import { decodeJson } from "../../src/protocol/body.ts";
import {
  parseArbiterPromiseAnswer,
  parseArbiterPromiseRequest,
  parseAssignment,
  parsePromiseAnswer,
  parsePromiseRequest,
  parseReport,
  type Parsed,
} from "../../src/protocol/messages.ts";
import type { Random } from "../../src/simulator/random.ts";
import { mutateJson, mutateText } from "./mutate.ts";
import {
  ARBITER_PROMISE_ANSWER,
  ARBITER_PROMISE_REQUEST,
  ASSIGNMENT,
  PROMISE_ANSWER,
  PROMISE_REQUEST,
  REPORT,
} from "./samples.ts";
import { check, shown, type Target } from "./target.ts";

const KINDS: readonly (readonly [unknown, (value: unknown) => Parsed<unknown>])[] = [
  [ASSIGNMENT, parseAssignment],
  [REPORT, parseReport],
  [PROMISE_REQUEST, parsePromiseRequest],
  [PROMISE_ANSWER, parsePromiseAnswer],
  [ARBITER_PROMISE_REQUEST, parseArbiterPromiseRequest],
  [ARBITER_PROMISE_ANSWER, parseArbiterPromiseAnswer],
];

export const messages: Target = {
  name: "messages",
  share: 34,
  block: 1_000,
  open: () => ({ run: readMessage }),
};

function readMessage(random: Random): void {
  const [sample, parse] = random.pick(KINDS);
  const sent = JSON.stringify(mutateJson(random, sample));
  if (random.chance(0.2)) {
    const bytes = Buffer.from(mutateText(random, sent), random.chance(0.5) ? "utf8" : "latin1");
    const decoded = decodeJson(bytes);
    if (decoded.ok) checkGuard(parse, decoded.value);
    return;
  }
  checkGuard(parse, JSON.parse(sent));
}

/** Exported for the tests with values of other makes. */
export function checkGuard(parse: (value: unknown) => Parsed<unknown>, value: unknown): void {
  const read = parse(value);
  if (!read.ok) {
    check(/ must be /u.test(read.error), () => `a refusal that says nothing: ${read.error}`);
    check(read.error.length < 2_000, () => `a refusal of ${read.error.length} characters`);
    return;
  }
  const again = parse(JSON.parse(JSON.stringify(read.value)));
  check(
    again.ok && isDeepStrictEqual(again.value, read.value),
    () => `it reads otherwise again: ${shown(value)}`,
  );
}
