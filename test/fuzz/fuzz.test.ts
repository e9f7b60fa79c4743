/**
 * A bounded part of `npm run fuzz` with fixed seeds, so that the same inputs are tried each time;
 * and values of fast-check's own making against the guards, which shrink to the smallest that fails.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bearerOf } from "../../src/protocol/auth.ts";
import { decodeJson } from "../../src/protocol/body.ts";
import { nameIn } from "../../src/protocol/caller.ts";
import {
  parseAssignment,
  parsePromiseAnswer,
  parsePromiseRequest,
  parseReport,
} from "../../src/protocol/messages.ts";
import { Random } from "../../src/simulator/random.ts";
import { checkGuard } from "./message-target.ts";
import { mutateJson } from "./mutate.ts";
import { ASSIGNMENT, REPORT } from "./samples.ts";
import { Broken, runTarget, type Target } from "./target.ts";
import { TARGETS } from "./targets.ts";

/** Some three seconds each at the most. */
const INPUTS: Readonly<Record<string, number>> = {
  "config-texts": 8_000,
  "config-folders": 200,
  messages: 8_000,
  "plain-requests": 20_000,
  "daemon-core": 5_000,
  "arbiter-core": 5_000,
  "daemon-http": 240,
  "arbiter-http": 240,
  "store-rows": 150,
  "store-bytes": 5,
  "store-etcd": 25,
  "store-zookeeper": 25,
  "store-mysql": 25,
  "store-postgres": 25,
};

test.each(TARGETS.map((target) => [target.name, target] as const))(
  "%s takes bad input as it should",
  async (name, target) => {
    if (target.isMissing?.() === true) return;
    const ran = await runTarget(target, { seed: 1, from: 0, count: INPUTS[name] ?? 0, untilMs: Infinity });
    expect(ran.findings).toEqual([]);
    expect(ran.count).toBe(INPUTS[name]);
  },
  60_000,
);

test("no JSON value gets through a guard as something else", () => {
  const ran = fc.check(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      for (const parse of [parseAssignment, parseReport, parsePromiseRequest, parsePromiseAnswer]) {
        checkGuard(parse, value);
      }
    }),
    { numRuns: 2_000 },
  );
  expect(fc.defaultReportMessage(ran)).toBeUndefined();
});

test("a good message with one odd member is refused, or read the same again", () => {
  const samples = [
    [ASSIGNMENT, parseAssignment],
    [REPORT, parseReport],
  ] as const;
  const ran = fc.check(
    fc.property(fc.constantFrom(...samples), fc.string(), fc.jsonValue(), ([sample, parse], key, value) => {
      for (const name of [key, ...Object.keys(sample)]) {
        checkGuard(parse, JSON.parse(JSON.stringify({ ...sample, [name]: value })));
      }
    }),
    { numRuns: 500 },
  );
  expect(fc.defaultReportMessage(ran)).toBeUndefined();
});

test("bytes, headers and certificates of any make are read without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), fc.string(), (bytes, text, other) => {
      expect(typeof decodeJson(bytes).ok).toBe("boolean");
      const token = bearerOf(text);
      expect(token === null || text.includes(token)).toBe(true);
      const name = nameIn({ subjectaltname: `DNS:${text}, IP Address:${other}` });
      expect(name === null || text.startsWith(name)).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});

test("the fuzzer finds what is broken, says where, and plays it again", async () => {
  const broken: Target = {
    name: "broken",
    share: 1,
    block: 10,
    open: () => ({
      run(random): void {
        if (random.chance(0.01)) throw new Broken("one in a hundred");
      },
    }),
  };
  const options = { seed: 7, from: 0, count: 5_000, untilMs: Infinity };
  const [finding] = (await runTarget(broken, options)).findings;
  expect(finding?.error).toBeInstanceOf(Broken);
  const [at, from] = [finding?.at ?? 0, finding?.from ?? 0];
  expect([from % 10, at - from < 10]).toEqual([0, true]);
  const again = await runTarget(broken, { ...options, from, count: at - from + 1 });
  expect(again.findings).toEqual([finding]);
});

test("mutations change nearly every message, and leave the sample alone", () => {
  const before = JSON.stringify(REPORT);
  const made = Array.from({ length: 500 }, (_, at) => JSON.stringify(mutateJson(new Random(at), REPORT)));
  expect(made.filter((text) => text !== before).length).toBeGreaterThan(450);
  expect(new Set(made).size).toBeGreaterThan(400);
  expect(JSON.stringify(REPORT)).toBe(before);
});
