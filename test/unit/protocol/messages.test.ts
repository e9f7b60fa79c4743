/**
 * The guards let every well-formed message through unchanged, refuse the rest with the member's
 * name, and never throw: whatever a stranger sends is a value to them.
 */
import { assert, constantFrom, jsonValue, property } from "fast-check";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import type { Assignment, PromiseAnswer, PromiseRequest, Report } from "../../../src/core/messages.ts";
import {
  LIMITS,
  MESSAGE_LIMIT_BYTES,
  parseAssignment,
  parsePromiseAnswer,
  parsePromiseRequest,
  parseReport,
} from "../../../src/protocol/messages.ts";
import type { Parsed } from "../../../src/protocol/messages.ts";

const assignment: Assignment = {
  protocol: 1,
  clusterId: "c-1",
  to: "scheduler-master",
  leader: { name: "arbiter-master", url: "http://127.0.0.1:7770" },
  arbiters: [{ name: "arbiter-master", url: "http://127.0.0.1:7770" }],
  term: 3,
  seq: 12,
  mapVersion: 9,
  clockDrift: 0.01,
  nonce: "b-1.1234.tag",
  services: [
    {
      service: "scheduler-master",
      epoch: 4,
      cleared: 3,
      bootId: "b-1",
      leaseMs: 2_000,
      drain: false,
      candidates: {
        version: 2,
        list: [{ name: "scheduler-slave", stateId: "s-2", url: "http://127.0.0.2:7768" }],
      },
      config: { _shard: "7" },
    },
  ],
};

const report: Report = {
  protocol: 1,
  clusterId: null,
  name: "scheduler-master",
  stateId: "s-1",
  type: "scheduler",
  role: "master",
  bootId: "b-1",
  seq: 1,
  nonce: "",
  term: 0,
  state: "waiting",
  healthy: true,
  ready: true,
  reason: "",
  launched: false,
  configVersion: "",
  dataVersion: 0,
  services: [{ service: "a", epoch: 1, state: "active", leaseRemainingMs: 1_500.5, candidatesVersion: 1 }],
  seenEpochs: { a: 1 },
  promises: [
    { service: "b", epoch: 2, holder: "x", forMs: null },
    { service: "c", epoch: 2, holder: "x", forMs: 10 },
  ],
  refusesExpiryForMs: 0,
  refusals: [{ service: "a", epoch: 1, because: "young" }],
};

const request: PromiseRequest = {
  protocol: 1,
  clusterId: "c-1",
  to: "scheduler-slave",
  toStateId: "s-2",
  round: 1,
  service: "a",
  holder: "scheduler-master",
  epoch: 4,
  forMs: 2_000,
};

const answer: PromiseAnswer = {
  protocol: 1,
  name: "scheduler-slave",
  stateId: "s-2",
  round: 1,
  service: "a",
  epoch: 4,
  promised: true,
  because: "",
};

const messages = [
  { name: "assignment", parse: parseAssignment, good: assignment },
  { name: "report", parse: parseReport, good: report },
  { name: "promise request", parse: parsePromiseRequest, good: request },
  { name: "promise answer", parse: parsePromiseAnswer, good: answer },
] as const;

/** What the protocol's text doesn't list: it makes refusals and logs clearer, and may be missing. */
const DISPENSABLE: ReadonlySet<string> = new Set(["refusals", "toStateId"]);

const errorOf = (result: Parsed<unknown>): string => (result.ok ? "accepted" : result.error);
const isSuperset = (value: object, part: object): boolean =>
  isDeepStrictEqual(JSON.parse(JSON.stringify({ ...value, ...part })), JSON.parse(JSON.stringify(value)));
const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe.each(messages)("$name", ({ parse, good }) => {
  it("passes as it was sent, without members that the protocol doesn't know", () => {
    expect(parse(overTheWire(good))).toEqual({ ok: true, value: good });
    expect(parse(overTheWire({ ...good, fromTheFuture: [1] }))).toEqual({ ok: true, value: good });
  });

  it("is refused without any one of its members that decide something, and the error names it", () => {
    for (const key of Object.keys(good).filter((name) => !DISPENSABLE.has(name))) {
      const rest = Object.fromEntries(Object.entries(good).filter(([name]) => name !== key));
      expect(errorOf(parse(rest))).toContain(`\`${key}\``);
    }
  });

  it("is refused with another protocol number", () => {
    for (const protocol of [0, 2, "1", null]) expect(parse({ ...good, protocol }).ok).toBe(false);
  });

  it("never throws, whatever comes", () => {
    assert(
      property(jsonValue(), (value) => {
        expect(typeof parse(value).ok).toBe("boolean");
      }),
    );
  });

  it("never throws with one member replaced by anything, and then gives either the rest or an error", () => {
    assert(
      property(constantFrom(...Object.keys(good)), jsonValue(), (key, value) => {
        const result = parse({ ...good, [key]: value });
        const { [key]: _replaced, ...rest } = Object.fromEntries(Object.entries(good));
        const isFine = result.ok ? isSuperset(result.value, rest) : result.error.startsWith(`\`${key}`);
        expect(isFine).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

const refuse = (changes: object): string => errorOf(parseReport({ ...report, ...changes }));

describe("a report", () => {
  it("carries finite numbers and epochs that are integers of at least 0", () => {
    expect(refuse({ seenEpochs: { a: 1.5 } })).toBe("`seenEpochs.a` must be an integer of at least 0");
    expect(refuse({ seenEpochs: { a: -1 } })).toContain("seenEpochs.a");
    expect(refuse({ dataVersion: Number.POSITIVE_INFINITY })).toContain("`dataVersion`");
    expect(refuse({ refusesExpiryForMs: Number.NaN })).toContain("`refusesExpiryForMs`");
    expect(refuse({ seq: 2 ** 53 })).toContain("`seq`");
  });

  it("names a member deep inside by its path", () => {
    const [first] = report.services;
    expect(refuse({ services: [first, { ...first, state: "asleep" }] })).toBe(
      "`services[1].state` must be one of activating, active, draining",
    );
    expect(refuse({ services: [7] })).toBe("`services[0]` must be a JSON object");
  });

  it("is bounded in its strings and lists", () => {
    expect(refuse({ reason: "x".repeat(1_001) })).toContain("`reason`");
    expect(refuse({ name: "" })).toContain("`name`");
    expect(refuse({ services: Array.from({ length: 1_001 }, () => report.services[0]) })).toContain(
      "`services` must be a list of at most 1000",
    );
  });

  it("finds nothing inherited in a record, and takes no prototype from one", () => {
    const evil = JSON.stringify(report).replace('"seenEpochs":{', '"seenEpochs":{"__proto__":3,');
    expect(parseReport(JSON.parse(evil))).toMatchObject({
      ok: false,
      error: expect.stringContaining("`seenEpochs`") as unknown,
    });
    const result = parseReport(report);
    if (!result.ok) throw new Error(result.error);
    expect(result.value.seenEpochs["constructor"]).toBeUndefined();
  });

  it("says nothing that a terminal would obey", () => {
    expect(refuse({ name: "a\u001B[2J" })).toContain("none of them a control character");
    const result = parseReport({ ...report, reason: "one\n\u001B[31mtwo" });
    expect(result.ok && result.value.reason).toBe("one [31mtwo");
  });
});

describe("an assignment", () => {
  it("is a probe with `services: null`, and no probe without the member", () => {
    expect(parseAssignment({ ...assignment, services: null })).toMatchObject({ ok: true });
    const { services: _services, ...rest } = assignment;
    expect(parseAssignment(rest).ok).toBe(false);
  });

  it("may say that not even epoch 0 is over", () => {
    const [service] = assignment.services ?? [];
    expect(parseAssignment({ ...assignment, services: [{ ...service, cleared: -1 }] }).ok).toBe(true);
    expect(parseAssignment({ ...assignment, services: [{ ...service, cleared: -2 }] }).ok).toBe(false);
  });
});

describe("the limits", () => {
  const name = (kind: string, at: number): string => `${kind}-${at}-`.padEnd(64, "x");
  const many = <T>(count: number, make: (at: number) => T): readonly T[] =>
    Array.from({ length: count }, (_, at) => make(at));

  it("fit into the largest message, all of them at once, with names of 64 characters", () => {
    const { services, knownServices, reasonLength } = LIMITS;
    const largest: Report = {
      ...report,
      reason: "x".repeat(reasonLength),
      services: many(services, (at) => ({
        service: name("service", at),
        epoch: 1_000_000,
        state: "activating",
        leaseRemainingMs: 1_234.567891234,
        candidatesVersion: 1_000,
      })),
      seenEpochs: Object.fromEntries(many(knownServices, (at) => [name("service", at), 1_000_000])),
      promises: many(knownServices, (at) => ({
        service: name("service", at),
        epoch: 1_000_000,
        holder: name("daemon", at),
        forMs: 1_234.567891234,
      })),
      refusals: many(services, (at) => ({
        service: name("service", at),
        epoch: 1_000_000,
        because: "other-boot",
      })),
    };
    const text = JSON.stringify(largest);
    expect(Buffer.byteLength(text)).toBeLessThan(MESSAGE_LIMIT_BYTES);
    expect(parseReport(JSON.parse(text))).toMatchObject({ ok: true });
  });
});

describe("a peer that sends what the protocol lists, and no more", () => {
  const without = (value: object, ...names: readonly string[]): unknown =>
    overTheWire(Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name))));

  it("is understood: its report", () => {
    const promises = report.promises.map((promise) => without(promise, "holder"));
    expect(parseReport({ ...overTheWireObject(without(report, "refusals")), promises })).toEqual({
      ok: true,
      value: {
        ...report,
        refusals: [],
        promises: report.promises.map(({ service, epoch, forMs }) => ({ service, epoch, holder: "", forMs })),
      },
    });
  });

  it("reads the same again what it has read", () => {
    const asked = parsePromiseRequest(without(request, "toStateId"));
    expect(asked.ok && parsePromiseRequest(overTheWire(asked.value))).toEqual(asked);
    const promises = report.promises.map((promise) => without(promise, "holder"));
    const reported = parseReport({ ...overTheWireObject(without(report, "refusals")), promises });
    expect(reported.ok && parseReport(overTheWire(reported.value))).toEqual(reported);
  });

  it("is understood: its request for a promise", () => {
    expect(parsePromiseRequest(without(request, "toStateId"))).toEqual({
      ok: true,
      value: { ...request, toStateId: null },
    });
  });
});

function overTheWireObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}
