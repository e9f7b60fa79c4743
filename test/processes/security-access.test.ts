/**
 * Tokens at the real arbiter: full and read-only, replaced while it runs with two valid ones for a
 * while; and the record of who did what, from where, and of who was turned away.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROUTES } from "../../src/arbiter/http/routes.ts";
import { fingerprint } from "../../src/protocol/caller.ts";
import { eventually, Rig, type Answer } from "./arbiter-rig.ts";
import { reportOf } from "./security-rig.ts";

const FULL = "full-0123456789abcdef0123456789abcdef";
const NEXT = "next-0123456789abcdef0123456789abcdef";
const READ = "read-0123456789abcdef0123456789abcdef";
const WRONG = "wrong-0123456789abcdef0123456789abcd";
const WITHOUT = "";
let rig: Rig;

beforeAll(async () => {
  rig = await Rig.create();
  rig.writeCluster("[security]\ntoken_file = ../full.token\nread_token_file = ../read.token\n");
  tokens("full", `${FULL}\n`);
  tokens("read", `${READ}\n`);
  for (const [name, role] of [
    ["scheduler-master", "master"],
    ["scheduler-spare", "spare"],
  ] as const) {
    const daemon = await rig.addDaemon(name, role);
    daemon.token = FULL;
    await daemon.start();
  }
  await rig.start();
  await eventually(async () => (await get(READ, "/v1/services/scheduler-master")).body["phase"], "held");
});
afterAll(async () => {
  await rig.close();
});

function tokens(name: string, content: string): void {
  writeFileSync(path.join(rig.folder, "etc", `${name}.token`), content, { mode: 0o600 });
}

function bearer(token: string): Record<string, string> {
  return token === WITHOUT ? {} : { authorization: `Bearer ${token}` };
}

async function get(token: string, what: string): Promise<Answer> {
  return await rig.get(what, bearer(token));
}

async function pause(token: string, by: string): Promise<Answer> {
  return await rig.post("/v1/services/scheduler-master/pause", { by, reason: "test" }, bearer(token));
}

interface Logged {
  readonly type: string;
  readonly text: string;
  readonly evidence?: Readonly<Record<string, unknown>>;
}

async function events(type: string): Promise<readonly Logged[]> {
  const { body } = await get(READ, "/v1/events?limit=1000");
  const all: unknown = body["events"];
  return Array.isArray(all)
    ? all.filter((event): event is Logged => isLogged(event) && event.type === type)
    : [];
}

function isLogged(event: unknown): event is Logged {
  return typeof event === "object" && event !== null && "type" in event && "text" in event;
}

async function asked(token: string): Promise<readonly number[]> {
  return [
    (await get(token, "/v1/status")).status,
    (await get(token, "/metrics")).status,
    (await get(token, "/v1/overview")).status,
    (await rig.post("/v1/reload", undefined, bearer(token))).status,
    (await rig.post("/v1/reports", reportOf("scheduler-spare"), bearer(token))).status,
    (await get(token, "/healthz")).status,
    // The page's files say nothing of the cluster: what they show is asked for with the token.
    (await get(token, "/")).status,
  ];
}

test("reading needs one of the tokens, changing the full one; what is open is open", async () => {
  expect(await asked(FULL)).toEqual([200, 200, 200, 200, 204, 200, 200]);
  expect(await asked(READ)).toEqual([200, 200, 200, 401, 401, 200, 200]);
  expect(await asked(WRONG)).toEqual([401, 401, 401, 401, 401, 200, 200]);
  expect(await asked(WITHOUT)).toEqual([401, 401, 401, 401, 401, 200, 200]);
});

/** A body that no command takes, so that whoever gets past the door changes nothing. */
async function knock(method: string, route: string, token: string): Promise<boolean> {
  const target = route.replace("{service}", "scheduler-master").replace("{daemon}", "scheduler-spare");
  const response = await fetch(rig.url + target.replace("{file}", "main.js"), {
    method: method.toUpperCase(),
    headers: { ...bearer(token), ...(method === "get" ? {} : { "content-type": "application/json" }) },
    ...(method === "get" ? {} : { body: "[]" }),
    signal: AbortSignal.timeout(5_000),
  });
  await response.body?.cancel();
  return response.status !== 401 && response.status !== 403;
}

test.each(ROUTES.map(({ method, path: route, access }) => [method, route, access] as const))(
  "%s %s is for those alone whose access is `%s`",
  async (method, route, access) => {
    const opened: boolean[] = [];
    for (const token of [WITHOUT, WRONG, READ, FULL]) opened.push(await knock(method, route, token));
    const expected = {
      open: [true, true, true, true],
      read: [false, false, true, true],
      change: [false, false, false, true],
    };
    expect(opened).toEqual(expected[access]);
    // What changes something is never a GET, but for one that reads files as they lie there.
    expect(access === "change" || method === "get").toBe(true);
  },
);

test("a token is replaced while everything runs: both are valid for a while, then the new one alone", async () => {
  expect((await get(NEXT, "/v1/status")).status).toBe(401);
  tokens("full", `${FULL}\n${NEXT}\n`);
  await eventually(async () => (await get(NEXT, "/v1/status")).status, 200);
  expect((await get(FULL, "/v1/status")).status).toBe(200);
  // A mistake in the file leaves in force what was.
  tokens("full", "no token at all\n");
  await eventually(() => rig.arbiters[0]?.errors.includes("The tokens read before stay valid"), true);
  expect((await get(NEXT, "/v1/status")).status).toBe(200);
  for (const daemon of rig.daemons) daemon.token = NEXT;
  tokens("full", `${NEXT}\n`);
  await eventually(async () => (await get(FULL, "/v1/status")).status, 401);
  // The arbiter shows the new one to the daemons, too.
  await eventually(async () => (await get(NEXT, "/v1/services/scheduler-master")).body["phase"], "held");
  tokens("full", `${FULL}\n`);
  for (const daemon of rig.daemons) daemon.token = FULL;
  await eventually(async () => (await get(FULL, "/v1/services/scheduler-master")).body["phase"], "held");
});

test("a command's event says who, from where, and with which token", async () => {
  expect(await pause(FULL, "alice")).toMatchObject({ status: 202 });
  expect(await events("operator.pause")).toMatchObject([
    { evidence: { by: "alice", from: "127.0.0.1", token: fingerprint(FULL) } },
  ]);
  expect(fingerprint(FULL)).toMatch(/^[0-9a-f]{4}$/u);
  expect(fingerprint(FULL)).not.toBe(fingerprint(NEXT));
});

test("a command that is not possible, and one without a right to it, stand there as well", async () => {
  const declined = await rig.post(
    "/v1/services/scheduler-master/switchover",
    { to: "scheduler-master", by: "bob" },
    bearer(FULL),
  );
  expect(declined.status).toBe(409);
  await eventually(async () => (await events("operator.refused")).length, 1);
  expect((await events("operator.refused"))[0]).toMatchObject({
    text: expect.stringMatching(
      /switchover from 127\.0\.0\.1 .* was refused with 409 \(by bob\)/u,
    ) as unknown,
    evidence: { about: "by bob", from: "127.0.0.1", status: 409 },
  });
  const before = (await events("security.refused")).length;
  expect((await pause(READ, "mallory")).status).toBe(401);
  await eventually(async () => (await events("security.refused")).length >= Math.min(before + 1, 10), true);
  const [first] = await events("security.refused");
  expect(first).toMatchObject({ evidence: { from: "127.0.0.1", status: 401 } });
  expect(JSON.stringify(await events("security.refused"))).not.toMatch(/full-|next-|read-|wrong-/u);
});

test("what would move a terminal's cursor is no name and no reason", async () => {
  expect(await pause(FULL, "al\u001B[2Jice")).toMatchObject({ status: 400 });
  const reason = { reason: "two\nlines", by: "alice" };
  expect(await rig.post("/v1/pause", reason, bearer(FULL))).toMatchObject({ status: 400 });
});

test("a pause beyond what the clock can count is refused, and nothing is damaged by it", async () => {
  for (const forMs of [Number.MAX_SAFE_INTEGER, 8.64e15, 34_560_000_001]) {
    expect(await rig.post("/v1/pause", { forMs }, bearer(FULL))).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining("at most 34560000000") as unknown },
    });
  }
  expect((await rig.post("/v1/pause", { forMs: 34_560_000_000 }, bearer(FULL))).status).toBe(202);
  expect((await get(FULL, "/v1/status")).status).toBe(200);
  expect((await rig.post("/v1/resume", {}, bearer(FULL))).status).toBe(202);
});
