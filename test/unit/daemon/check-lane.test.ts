/**
 * The short way of a check, over real sockets: a check that comes as arbiters send it never reaches Node's server;
 * anything else is answered exactly as it is without the short way, also on a connection that was used for checks.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { Report } from "../../../src/core/messages.ts";
import { openCheckLane } from "../../../src/daemon/check-lane.ts";
import {
  assignmentInLane,
  controlServer,
  type ControlledDaemon,
} from "../../../src/daemon/control-server.ts";
import { Access, TokenSource } from "../../../src/protocol/auth.ts";
import { ASSIGNMENT, REPORT } from "../../fuzz/samples.ts";

const TOKEN = "0123456789abcdef";
const BODY = JSON.stringify(ASSIGNMENT);
const KEEP_ALIVE_MS = 65_000;
const FIRST_REQUEST_MS = 200;

interface Opened {
  readonly port: number;
  /** Numbers of the assignments that were taken, in order. */
  readonly taken: number[];
  /** Requests that Node's server saw. */
  readonly seen: () => number;
  readonly close: () => Promise<void>;
}

const opened: Opened[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

interface Shape {
  readonly hasLane: boolean;
  readonly hasToken?: boolean;
  readonly assign?: ControlledDaemon["assign"];
}

async function open({ hasLane, hasToken = false, assign }: Shape): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), "arbiter-lane-"));
  writeFileSync(join(folder, "token"), `${TOKEN}\n`, { mode: 0o600 });
  const access = new Access(hasToken ? new TokenSource(join(folder, "token")) : null, null);
  const taken: number[] = [];
  const report: Report = REPORT;
  const daemon: ControlledDaemon = {
    type: "scheduler",
    assign: async (assignment) => {
      taken.push(assignment.seq);
      return (await assign?.(assignment)) ?? { problem: null, report };
    },
    promise: async () => null,
    report: () => report,
    isActive: () => false,
    canTakeOne: () => true,
    arbiters: () => [],
    metrics: async () => ({ contentType: "text/plain", text: "" }),
    serve: null,
  };
  const rules = { access, asksNames: false, log: () => {} };
  let seen = 0;
  const server: Server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, controlServer(daemon, rules));
  server.on("request", () => (seen += 1));
  const lane = {
    answer: (request: Parameters<typeof assignmentInLane>[2]) => assignmentInLane(daemon, rules, request),
    onUsed: () => {},
    firstRequestMs: FIRST_REQUEST_MS,
    keepAliveMs: KEEP_ALIVE_MS,
  };
  const closeLane = hasLane ? openCheckLane(server, lane) : (): void => {};
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  const one: Opened = {
    port: typeof address === "object" && address !== null ? address.port : 0,
    taken,
    seen: () => seen,
    async close(): Promise<void> {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      closeLane();
      await closed;
      access.close();
      rmSync(folder, { recursive: true });
    },
  };
  opened.push(one);
  return one;
}

function head(lines: readonly string[] = [], length: number | string = BODY.length): string {
  const all = ["host: 127.0.0.1", "connection: keep-alive", "content-type: application/json", ...lines];
  return `PUT /v1/assignment HTTP/1.1\r\n${all.join("\r\n")}\r\ncontent-length: ${length}\r\n\r\n`;
}

const CHECK = `${head()}${BODY}`;
const HEALTH = "GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";

function numbered(seq: number): string {
  const body = JSON.stringify({ ...ASSIGNMENT, seq });
  return `${head([], body.length)}${body}`;
}

class Caller {
  readonly socket: Socket;
  said = "";
  readonly closed: Promise<unknown>;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.setEncoding("latin1");
    this.socket.on("data", (chunk: string) => (this.said += chunk));
    this.socket.on("error", () => {});
    this.closed = once(this.socket, "close");
  }

  /** Statuses of what was answered so far. */
  get statuses(): number[] {
    return [...this.said.matchAll(/HTTP\/1\.1 (\d{3}) /gu)].map(([, status]) => Number(status));
  }

  async answers(count: number): Promise<void> {
    for (let left = 2000; this.statuses.length < count && left > 0; left -= 1) await sleep(1);
    if (this.statuses.length !== count) throw new Error(`${count} answers were awaited: ${this.said}`);
  }
}

test("checks over one connection: none is seen by Node's server, each is answered as it would", async () => {
  const [short, long] = [await open({ hasLane: true }), await open({ hasLane: false })];
  const answers: string[] = [];
  for (const { port } of [short, long]) {
    const caller = new Caller(port);
    for (let count = 1; count <= 3; count += 1) {
      caller.socket.write(numbered(count));
      await caller.answers(count);
    }
    answers.push(caller.said);
    caller.socket.destroy();
  }
  expect(short.seen()).toBe(0);
  expect(long.seen()).toBe(3);
  expect(short.taken).toEqual([1, 2, 3]);
  const [first = "", second = ""] = answers.map((text) => text.toLowerCase());
  expect(sorted(first)).toEqual(sorted(second));
});

/** The same headers, in whatever order. */
function sorted(answers: string): string[] {
  return answers
    .split("\r\n")
    .filter((line) => !line.startsWith("date: "))
    .toSorted();
}

test("another request on a connection that was used for checks is Node's, and so is all that follows", async () => {
  const { port, seen, taken } = await open({ hasLane: true });
  const caller = new Caller(port);
  for (const [at, text] of [numbered(1), HEALTH, numbered(2), HEALTH].entries()) {
    caller.socket.write(text);
    await caller.answers(at + 1);
  }
  expect(caller.statuses).toEqual([200, 200, 200, 200]);
  expect(seen()).toBe(3);
  expect(taken).toEqual([1, 2]);
  caller.socket.destroy();
});

const spelled = (from: string, to: string): string => CHECK.replace(from, to);
const chunkedHead = head(["transfer-encoding: chunked"]).replace(/content-length: \d+\r\n/u, "");
const chunked = `${chunkedHead}${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;

test.each([
  ["as it should be", CHECK],
  ["with a token", `${head([`authorization: Bearer ${TOKEN}`])}${BODY}`],
  ["with another token", `${head(["authorization: Bearer fedcba9876543210"])}${BODY}`],
  ["from a page", `${head(["origin: http://evil.example"])}${BODY}`],
  ["from a page that says so", `${head(["sec-fetch-site: cross-site"])}${BODY}`],
  ["with an unknown header", `${head(["x-request-id: 1"])}${BODY}`],
  ["with other letters", spelled("content-length", "Content-Length")],
  ["without a host", spelled("host: 127.0.0.1\r\n", "")],
  ["with two hosts", `${head(["host: elsewhere"])}${BODY}`],
  ["with two lengths", `${head(["content-length: 5"])}${BODY}`],
  ["with a length that is none", `${head([], "+5")}${BODY}`],
  ["with a body that is shorter", `${head([], BODY.length + 5)}${BODY}`],
  ["with a body that is longer", `${CHECK}xxxxx`],
  ["with bare line ends", CHECK.replaceAll("\r\n", "\n")],
  ["in chunks", chunked],
  ["chunked, and with a length", `${head(["transfer-encoding: chunked"])}${BODY}`],
  ["that waits for a word", `${head(["expect: 100-continue"])}${BODY}`],
  ["that upgrades", `${head(["upgrade: h2c"])}${BODY}`],
  ["that closes", spelled("connection: keep-alive", "connection: close")],
  ["in an older HTTP", spelled("HTTP/1.1", "HTTP/1.0")],
  ["by another method", spelled("PUT ", "POST ")],
  ["to another path", spelled("/v1/assignment", "/v1/assignment?x")],
  ["of another type", spelled("application/json", "text/plain")],
  ["in another charset", spelled("application/json", "application/json; charset=latin1")],
  ["that is no JSON", `${head()}${BODY.replace("{", "[")}`],
  ["that is no assignment", `${head([], 2)}{}`],
  ["that is empty", head([], 0)],
  ["that is no UTF-8", `${head([], 3)}"\u00FF"`],
  ["twice at once", `${CHECK}${numbered(ASSIGNMENT.seq + 1)}`],
  ["with a head without end", `${head().slice(0, -2)}x: ${"y".repeat(3000)}\r\n\r\n${BODY}`],
  ["of two letters", "PU"],
  ["that is no HTTP", "\u0016\u0003\u0001\u0000hello\r\n\r\n"],
])("a check %s is answered as without the short way", async (_, text) => {
  for (const hasToken of [false, true]) {
    const outcomes: unknown[] = [];
    for (const hasLane of [true, false]) {
      const { port, taken } = await open({ hasLane, hasToken });
      const caller = new Caller(port);
      caller.socket.write(text, "latin1");
      // Whoever waits for more bytes is told that no more come.
      await sleep(30);
      caller.socket.end();
      await caller.closed;
      const bodies = caller.said.match(/"(?:code|detail)":"[^"]*"/gu);
      outcomes.push({ statuses: caller.statuses, taken: [...taken], bodies });
    }
    expect(outcomes[0]).toEqual(outcomes[1]);
  }
});

test.each([1, 20, 60, 150, 170, 400])(
  "a check in two pieces, the first of %i bytes, is taken",
  async (at) => {
    const { port, taken } = await open({ hasLane: true });
    const caller = new Caller(port);
    caller.socket.write(CHECK.slice(0, at));
    await sleep(10);
    caller.socket.write(CHECK.slice(at));
    await caller.answers(1);
    expect(caller.statuses).toEqual([200]);
    expect(taken).toEqual([ASSIGNMENT.seq]);
    caller.socket.destroy();
  },
);

test("refusals of the core and of a daemon that leaves come the short way too", async () => {
  const problem = { code: "outdated", text: "old" } as const;
  const given = [{ problem, report: REPORT }, null];
  const { port, seen } = await open({ hasLane: true, assign: async () => given.shift() ?? null });
  const caller = new Caller(port);
  caller.socket.write(numbered(1));
  await caller.answers(1);
  expect(caller.said).toContain('"because":"outdated"');
  expect(caller.said).toContain("application/problem+json");
  expect(caller.statuses).toEqual([409]);
  expect(seen()).toBe(0);
  caller.socket.destroy();
});

test("what comes while an answer is awaited waits for it, and is answered in order", async () => {
  const { promise: first, resolve } = Promise.withResolvers<null>();
  let asked = 0;
  const { port, taken } = await open({
    hasLane: true,
    assign: async () => {
      asked += 1;
      if (asked === 1) await first;
      return { problem: null, report: { ...REPORT, seq: asked } };
    },
  });
  const caller = new Caller(port);
  caller.socket.write(numbered(1));
  await expect.poll(() => asked).toBe(1);
  caller.socket.write(numbered(2));
  await sleep(20);
  caller.socket.write(HEALTH);
  await sleep(20);
  expect(caller.said).toBe("");
  resolve(null);
  await caller.answers(3);
  expect(caller.statuses).toEqual([200, 200, 200]);
  expect(caller.said.indexOf('"seq":1,')).toBeLessThan(caller.said.indexOf('"seq":2,'));
  expect(taken).toEqual([1, 2]);
  caller.socket.destroy();
});

test("one that ends its half gets its answer, also where that takes a while, and then the end", async () => {
  const { port } = await open({
    hasLane: true,
    assign: async () => {
      await sleep(50);
      return { problem: null, report: REPORT };
    },
  });
  const caller = new Caller(port);
  caller.socket.end(CHECK);
  await caller.closed;
  expect(caller.statuses).toEqual([200]);
});

test("who connects and says nothing is cut off; who has been checked is not", async () => {
  const { port } = await open({ hasLane: true });
  const [silent, known] = [new Caller(port), new Caller(port)];
  known.socket.write(CHECK);
  await silent.closed;
  expect(silent.said).toBe("");
  await sleep(FIRST_REQUEST_MS);
  known.socket.write(numbered(2));
  await known.answers(2);
  known.socket.destroy();
});

test("who doesn't read its answers is answered no more until it does", async () => {
  const report = { ...REPORT, reason: "x".repeat(200_000) };
  const { port, taken } = await open({ hasLane: true, assign: async () => ({ problem: null, report }) });
  const caller = new Caller(port);
  caller.socket.pause();
  const most = 200;
  for (let seq = 1; seq <= most; seq += 1) {
    caller.socket.write(numbered(seq));
    await sleep(1);
  }
  const before = taken.length;
  // 40 MB of answers: no pair of sockets takes so much.
  expect(before).toBeLessThan(most);
  caller.socket.resume();
  await expect.poll(() => taken.length).toBeGreaterThan(before);
  caller.socket.destroy();
});

test("a caller that is gone before its answer harms nobody", async () => {
  const { port, taken } = await open({
    hasLane: true,
    assign: async () => {
      await sleep(30);
      return { problem: null, report: REPORT };
    },
  });
  const gone = new Caller(port);
  gone.socket.write(CHECK);
  await expect.poll(() => taken.length).toBe(1);
  gone.socket.resetAndDestroy();
  await sleep(60);
  const next = new Caller(port);
  next.socket.write(numbered(2));
  await next.answers(1);
  next.socket.destroy();
});
