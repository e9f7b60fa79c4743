/** Real servers on loopback that play daemons, and a checker whose events can be waited for. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Server as NetServer, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { Checker, type CheckerEvent, type CheckerTls } from "../../../src/arbiter/checker.ts";
import type { Assignment, Report } from "../../../src/core/messages.ts";

/** Closed after each test. */
const servers: (Server | NetServer)[] = [];
const sockets = new Set<Socket>();
const threads: Worker[] = [];
const checkers: Checker[] = [];

/** Call it after each test. */
export async function closeAll(): Promise<void> {
  for (const checker of checkers.splice(0)) await checker.close();
  for (const thread of threads.splice(0)) await thread.terminate();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
}

export function report(rest: Partial<Report> = {}): Report {
  return {
    protocol: 1,
    clusterId: "cluster-1",
    name: "scheduler-1",
    stateId: "state-1",
    type: "scheduler",
    role: "master",
    bootId: "boot-1",
    seq: 1,
    nonce: "boot-1.5.tag",
    term: 1,
    state: "waiting",
    healthy: true,
    ready: true,
    reason: "",
    launched: false,
    configVersion: "",
    dataVersion: 0,
    services: [],
    seenEpochs: {},
    promises: [],
    refusesExpiryForMs: 0,
    refusals: [],
    ...rest,
  };
}

export function assignment(rest: Partial<Assignment> = {}): Assignment {
  return {
    protocol: 1,
    clusterId: "cluster-1",
    to: "scheduler-1",
    leader: { name: "arbiter-1", url: "http://127.0.0.1:7770" },
    arbiters: [],
    term: 1,
    seq: 1,
    mapVersion: 1,
    clockDrift: 0.01,
    nonce: null,
    services: null,
    ...rest,
  };
}

export type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
  count: number,
) => void;

export function answerWith(status: number, body: unknown): Answer {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

export async function listen<S extends Server | NetServer>(server: S, port = 0): Promise<S> {
  servers.push(server);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  return server;
}

export function portOf(server: Server | NetServer): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

export async function daemon(answer: Answer): Promise<{ url: string; server: Server; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      requests.push(body);
      answer(request, response, body, requests.length);
    });
    request.on("error", () => {});
  });
  await listen(server);
  return { url: `http://127.0.0.1:${portOf(server)}`, server, requests };
}

export interface Asked {
  readonly url: string;
  readonly daemon?: string;
  readonly to?: string;
  readonly timeoutMs?: number;
  readonly fresh?: boolean;
}

export interface TestChecker {
  readonly checker: Checker;
  /** What came and was not waited for. */
  readonly events: CheckerEvent[];
  readonly ask: (asked: Asked) => void;
  readonly next: () => Promise<CheckerEvent>;
  readonly check: (asked: Asked) => Promise<CheckerEvent>;
}

/** A checker whose events can be waited for, one after the other. */
export function newChecker(options: { token?: () => string | null; tls?: CheckerTls } = {}): TestChecker {
  const events: CheckerEvent[] = [];
  const waiting: ((event: CheckerEvent) => void)[] = [];
  const checker = new Checker({
    token: options.token ?? (() => null),
    tls: options.tls ?? null,
    push: (event) => {
      // The machine may be slow; what the checker thinks of itself is a test of its own.
      if (event.kind === "stalled") return;
      const next = waiting.shift();
      if (next === undefined) events.push(event);
      else next(event);
    },
  });
  checkers.push(checker);
  const ask = ({
    url,
    daemon: name = "scheduler-1",
    to = name,
    timeoutMs = 5_000,
    fresh = false,
  }: Asked): void => {
    checker.assign({ kind: "assign", daemon: name, url, assignment: assignment({ to }), timeoutMs, fresh });
  };
  const next = (): Promise<CheckerEvent> => {
    const event = events.shift();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => {
      waiting.push(resolve);
    });
  };
  const check = (asked: Asked): Promise<CheckerEvent> => {
    ask(asked);
    return next();
  };
  return { checker, events, ask, next, check };
}

export function quiet(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** A daemon on a thread of its own, which answers after `delayMs` while this one is stalled. */
export async function daemonOnThread(delayMs: number): Promise<string> {
  const code = `const { createServer } = require("node:http");
    const { parentPort, workerData } = require("node:worker_threads");
    const server = createServer((request, response) => {
      request.resume();
      setTimeout(() => response.end(workerData.body), workerData.delayMs);
    });
    server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`;
  const thread = new Worker(code, { eval: true, workerData: { delayMs, body: JSON.stringify(report()) } });
  threads.push(thread);
  const port = await new Promise<unknown>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  return `http://127.0.0.1:${String(port)}`;
}
