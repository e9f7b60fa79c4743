/**
 * A local HTTP server that answers as an arbiter does, with a cluster that the test makes. The
 * bodies have the arbiter's own types, so that a change of one is a compiler's error here.
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { DaemonStatus, ServiceStatus, Status } from "../../../src/arbiter/status.ts";
import type { LoggedEvent } from "../../../src/core/model.ts";
import { problem, sendJson, sendProblem } from "../../../src/protocol/problem.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly lastEventId: string;
  readonly body: unknown;
}

/** Gives the answer; anything but true: the path isn't meant. */
export type Route = (asked: Asked, response: ServerResponse) => boolean | undefined;

export interface StandIn extends AsyncDisposable {
  readonly url: string;
  readonly asked: Asked[];
}

export async function standIn(route: Route): Promise<StandIn> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const one: Asked = {
        method: request.method ?? "",
        path: request.url ?? "",
        authorization: request.headers.authorization,
        lastEventId: String(request.headers["last-event-id"] ?? ""),
        body,
      };
      asked.push(one);
      if (route(one, response) !== true) {
        sendProblem(
          response,
          problem(404, "Not Found", `There is no ${one.path}.`, { code: "ERR_ARB_NOT_FOUND" }),
        );
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is an AddressInfo
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text === "" ? undefined : JSON.parse(text);
}

/** The plainest arbiter: a status, and nothing else. */
export function serveStatus(body: Status): Route {
  return ({ method, path }, response) => {
    if (method !== "GET" || path !== "/v1/status") return false;
    sendJson(response, 200, body);
    return true;
  };
}

export function serviceStatus(changes: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    name: "scheduler-master",
    type: "scheduler",
    realm: "All",
    holder: "scheduler-master",
    role: "master",
    epoch: 3,
    phase: "held",
    since: "2026-01-02T03:04:05.000Z",
    phaseSince: "2026-01-02T03:04:05.000Z",
    address: "127.0.0.1",
    port: 7768,
    url: "http://127.0.0.1:7768",
    leaseRemainingMs: 1800,
    candidates: [
      { name: "scheduler-master", role: "master", state: "active" },
      { name: "scheduler-slave", role: "spare", state: "waiting" },
    ],
    seenThrough: [],
    pause: null,
    lastGapMs: 12,
    lastGapIs: "measured",
    lastOverlapMs: 0,
    lastOverlapIs: "proof",
    reason: "",
    removed: false,
    ...changes,
  };
}

export function daemonStatus(changes: Partial<DaemonStatus> = {}): DaemonStatus {
  return {
    name: "scheduler-master",
    type: "scheduler",
    role: "master",
    realm: "All",
    state: "active",
    healthy: true,
    ready: true,
    reason: "",
    address: "127.0.0.1",
    port: 7768,
    url: "http://127.0.0.1:7768",
    lastSeen: "2026-01-02T03:04:06.000Z",
    lastFailure: null,
    failedChecks: 0,
    latencyMs: 0.8,
    hasDrifted: null,
    missing: [],
    lastDrill: null,
    services: ["scheduler-master"],
    maintenance: null,
    origin: "file",
    removed: false,
    ...changes,
  };
}

export function status(changes: Partial<Status> = {}): Status {
  return {
    version: 17,
    clusterId: "c-1",
    cluster: "demo",
    term: 2,
    name: "arbiter-master",
    leader: "arbiter-master",
    arbiters: [
      {
        name: "arbiter-master",
        role: "master",
        address: "127.0.0.3",
        port: 7770,
        url: "http://127.0.0.3:7770",
        electable: true,
        state: "leading",
      },
    ],
    services: [serviceStatus()],
    daemons: [
      daemonStatus(),
      daemonStatus({ name: "scheduler-slave", role: "spare", state: "waiting", services: [] }),
    ],
    problems: [],
    config: { version: 1, hash: "abc", refusedEdit: null },
    ...changes,
  };
}

export function event(seq: number, changes: Partial<LoggedEvent> = {}): LoggedEvent {
  return {
    seq,
    type: "service.held",
    atWallMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    service: "scheduler-master",
    text: `event number ${seq}`,
    ...changes,
  };
}
