/**
 * The daemon's HTTP: what arbiters, fellow candidates, load balancers and people ask of it.
 *
 * A plain handler without middle-ware, because an assignment comes with every check. It reads,
 * authenticates and checks a request, hands what is valid to the runtime and writes the answer. It
 * decides nothing: whether an assignment is outdated or a promise can be given is the core's.
 * Every error is problem+json and changes nothing.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { AssignmentProblem } from "../core/daemon-io.ts";
import type { Assignment, PromiseAnswer, PromiseRequest, Report } from "../core/messages.ts";
import { CHALLENGE, pageOf, refusePage } from "../protocol/auth.ts";
import type { Access } from "../protocol/auth.ts";
import { decodeJson, readJson } from "../protocol/body.ts";
import { certificateName, refuseCaller } from "../protocol/caller.ts";
import { messageOf } from "../protocol/errors.ts";
import { MESSAGE_LIMIT_BYTES, parseAssignment, parsePromiseRequest } from "../protocol/messages.ts";
import type { Parsed } from "../protocol/messages.ts";
import type { PlainRequest } from "../protocol/plain-request.ts";
import {
  BODY_HEADERS,
  JSON_HEADERS,
  problem,
  PROBLEM_HEADERS,
  sendJson,
  sendProblem,
} from "../protocol/problem.ts";
import type { Problem } from "../protocol/problem.ts";
import { RefusalLog } from "../protocol/refusals.ts";
import type { LaneAnswer } from "./check-lane.ts";
import { MapKeeper } from "./map-keeper.ts";
import type { ServeRequests } from "./served-requests.ts";

/** A promise is asked for with some 300 bytes. */
const REQUEST_LIMIT_BYTES = 64 * 1024;
/** A map names every service of the cluster: some 200 bytes each, 10,000 of them. */
const MAP_LIMIT_BYTES = 8 * 1024 * 1024;

export interface AssignmentAnswer {
  readonly problem: { readonly code: AssignmentProblem; readonly text: string } | null;
  readonly report: Report;
}

/** What the server asks of the runtime. */
export interface ControlledDaemon {
  readonly type: string;
  /** Null: the daemon leaves, or couldn't write what the answer rests on. */
  assign(assignment: Assignment): Promise<AssignmentAnswer | null>;
  promise(request: PromiseRequest): Promise<PromiseAnswer | null>;
  /** Judged now, without a nonce. */
  report(): Report;
  /** Whether it is active with a lease that is valid now; null: on any service. */
  isActive(service: string | null): boolean;
  canTakeOne(): boolean;
  /** Names of the arbiters that it knows: from its files, and from those whom it has obeyed. */
  arbiters(): readonly string[];
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** What the daemon's author serves at every other path; null: nothing. */
  readonly serve: ServeRequests | null;
}

export interface ControlAccess {
  readonly access: Access;
  /** Callers show certificates (`client_cert = required`), and whose they are counts. */
  readonly asksNames: boolean;
  /** Told of callers that were turned away, a few at a time. */
  readonly log: (text: string) => void;
}

interface Called {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly daemon: ControlledDaemon;
  readonly rules: ControlAccess;
  /** Answers and records it. */
  readonly refuse: (refused: Problem) => void;
  /** What of the path stands behind the route's own. */
  readonly rest: string;
}
type Respond = (called: Called) => void | Promise<void>;
interface Route {
  readonly path: string;
  readonly method: "GET" | "PUT" | "POST";
  readonly respond: Respond;
}

export function controlServer(daemon: ControlledDaemon, rules: ControlAccess): RequestListener {
  const map = new MapKeeper();
  const refusals = new RefusalLog(({ text }) => rules.log(text));
  const routes: readonly Route[] = [
    { path: "/v1/assignment", method: "PUT", respond: respondAssignment },
    { path: "/v1/promise", method: "POST", respond: respondPromise },
    { path: "/health", method: "GET", respond: respondHealth },
    { path: "/active", method: "GET", respond: respondActive },
    { path: "/active/", method: "GET", respond: respondActive },
    { path: "/waiting", method: "GET", respond: respondWaiting },
    { path: "/metrics", method: "GET", respond: respondMetrics },
    {
      path: "/v1/map",
      method: "GET",
      respond: ({ request, response }) => respondMap(request, response, map),
    },
    { path: "/v1/map", method: "PUT", respond: async (called) => await keepMap(called, map) },
  ];
  return (request, response): void => {
    const refuse = (refused: Problem): void => {
      refusals.note(request, refused);
      // The body may not have been read: what follows on this connection can't be told from it.
      sendProblem(response, refused, {
        ...(refused.status === 401 ? CHALLENGE : {}),
        ...(request.method === "GET" ? {} : { connection: "close" }),
      });
    };
    void answer(routes, map, { request, response, daemon, rules, refuse });
  };
}

async function answer(routes: readonly Route[], map: MapKeeper, called: Omit<Called, "rest">): Promise<void> {
  const { request, response, daemon, rules } = called;
  try {
    const [path = "/"] = (request.url ?? "/").split("?", 1);
    const matching = routes.filter(({ path: own }) => own === path || isBelow(own, path));
    const method = request.method === "HEAD" ? "GET" : request.method;
    const route = matching.find((candidate) => candidate.method === method);
    if (matching.length === 0 && daemon.serve !== null) {
      daemon.serve(request, response, (service) => map.holderOf(service));
      return;
    }
    if (route === undefined) {
      refuseRoute(matching, request, response);
      return;
    }
    const refused =
      route.method === "GET" ? readRefusal(rules.access, request) : changeRefusal(rules.access, request);
    if (refused === null) await route.respond({ ...called, rest: path.slice(route.path.length) });
    else called.refuse(refused);
  } catch (error) {
    sendProblem(
      response,
      problem(500, "Internal Server Error", messageOf(error), { code: "ERR_ARB_INTERNAL" }),
    );
  }
}

/** `/active/` serves what is below it; every other route is itself alone. */
function isBelow(route: string, path: string): boolean {
  return route.endsWith("/") && path.startsWith(route) && path.length > route.length;
}

function readRefusal(access: Access, request: IncomingMessage): Problem | null {
  return access.refuseRead(request.headers.authorization);
}

function changeRefusal(access: Access, request: IncomingMessage): Problem | null {
  return refusePage(pageOf(request.headers)) ?? access.refuseChange(request.headers.authorization);
}

function refuseRoute(matching: readonly Route[], request: IncomingMessage, response: ServerResponse): void {
  const headers = { connection: "close" };
  if (matching.length === 0) {
    const detail =
      "A daemon answers /health, /active, /active/SERVICE, /waiting, /metrics, /v1/map, /v1/assignment and /v1/promise.";
    sendProblem(response, problem(404, "Not Found", detail, { code: "ERR_ARB_NOT_FOUND" }), headers);
    return;
  }
  const allow = matching.map(({ method }) => (method === "GET" ? "GET, HEAD" : method)).join(", ");
  const detail = `${request.method ?? "This method"} isn't answered here; use ${allow}.`;
  sendProblem(response, problem(405, "Method Not Allowed", detail, { code: "ERR_ARB_METHOD" }), {
    ...headers,
    allow,
  });
}

/** A bounded body that is a message of the protocol; null: the problem has been sent. */
async function readMessage<T>(
  request: IncomingMessage,
  response: ServerResponse,
  limitBytes: number,
  parse: (value: unknown) => Parsed<T>,
): Promise<T | null> {
  const body = await readJson(request, limitBytes);
  if (!body.ok) {
    sendProblem(response, body.problem, body.close ? { connection: "close" } : {});
    return null;
  }
  const parsed = parse(body.value);
  if (parsed.ok) return parsed.value;
  sendProblem(response, problem(400, "Bad Request", parsed.error, { code: "ERR_ARB_MESSAGE" }));
  return null;
}

/** Certificates: only an arbiter assigns, and it says its own name. */
function notAnArbiter({ request, daemon, rules }: Called): Problem | null {
  if (!rules.asksNames) return null;
  const name = certificateName(request);
  const arbiters = daemon.arbiters();
  if (name !== null && arbiters.includes(name)) return null;
  const known = [...new Set(arbiters)].join(", ");
  return refuseCaller(
    request,
    `this daemon takes that from its arbiters alone, which are ${known === "" ? "unknown to it" : known}. ` +
      "Put the arbiters' files beside its own, or issue the arbiter a certificate in its own name",
  );
}

const respondAssignment: Respond = async (called) => {
  const { request, response, daemon, rules } = called;
  const stranger = notAnArbiter(called);
  if (stranger !== null) {
    called.refuse(stranger);
    return;
  }
  const assignment = await readMessage(request, response, MESSAGE_LIMIT_BYTES, parseAssignment);
  if (assignment === null) return;
  if (rules.asksNames && certificateName(request) !== assignment.leader.name) {
    called.refuse(refuseCaller(request, `the assignment is ${assignment.leader.name}'s`));
    return;
  }
  const reply = replyTo(await daemon.assign(assignment));
  // For nobody's eyes; and Node's clock for it wakes the process once more each second.
  response.sendDate = false;
  if (reply.problem === null) sendJson(response, 200, reply.report);
  else sendProblem(response, reply.problem);
};

type AssignmentReply =
  | { readonly problem: null; readonly report: Report }
  | { readonly problem: Problem; readonly report: null };

function replyTo(answered: AssignmentAnswer | null): AssignmentReply {
  if (answered === null) return { problem: leaving(), report: null };
  const { problem: refused, report } = answered;
  if (refused === null) return { problem: null, report };
  const { code: because, text } = refused;
  const refusal = problem(409, "Conflict", text, { code: "ERR_ARB_CONFLICT", because, report });
  // An answer is always a report, this one too: `type` is then the daemon's.
  return { problem: { ...refusal, ...report }, report: null };
}

/**
 * The same for a request that came the short way (see check-lane.ts). Null: it can't be taken as it is, and
 * nothing has been done with it; whoever answers it says why.
 */
export function assignmentInLane(
  daemon: ControlledDaemon,
  { access }: ControlAccess,
  { headers, body }: PlainRequest,
): Promise<LaneAnswer> | null {
  if (access.refuseChange(headers["authorization"]) !== null) return null;
  const read = decodeJson(body);
  const parsed = read.ok ? parseAssignment(read.value) : null;
  if (parsed === null || !parsed.ok) return null;
  return daemon.assign(parsed.value).then((answered) => {
    const reply = replyTo(answered);
    const isTaken = reply.problem === null;
    return {
      status: isTaken ? 200 : reply.problem.status,
      headers: { ...(isTaken ? JSON_HEADERS : PROBLEM_HEADERS), ...BODY_HEADERS },
      body: JSON.stringify(isTaken ? reply.report : reply.problem),
    };
  });
}

const respondPromise: Respond = async ({ request, response, daemon, rules, refuse }) => {
  const asked = await readMessage(request, response, REQUEST_LIMIT_BYTES, parsePromiseRequest);
  if (asked === null) return;
  if (rules.asksNames && certificateName(request) !== asked.holder) {
    refuse(refuseCaller(request, `the promise is asked for in the name of ${asked.holder}`));
    return;
  }
  const answered = await daemon.promise(asked);
  if (answered === null) sendProblem(response, leaving());
  else sendJson(response, 200, answered);
};

const respondHealth: Respond = ({ response, daemon }) => {
  const { nonce: _secret, ...report } = daemon.report();
  const [first] = report.services;
  sendJson(
    response,
    200,
    { ...report, service: first?.service ?? null, epoch: first?.epoch ?? null },
    { "cache-control": "no-store" },
  );
};

const respondActive: Respond = ({ response, daemon, rest }) => {
  const service = rest === "" ? null : decodeService(rest);
  sendVerdict(
    response,
    daemon.isActive(service),
    service === null ? "active" : `active on ${service}`,
    daemon,
  );
};

const respondWaiting: Respond = ({ response, daemon }) => {
  sendVerdict(response, daemon.canTakeOne(), "waiting, healthy and ready", daemon);
};

const respondMetrics: Respond = async ({ response, daemon }) => {
  const { contentType, text } = await daemon.metrics();
  response.writeHead(200, { "content-type": contentType, "cache-control": "no-store" });
  response.end(text);
};

/** What load balancers ask: the status says it all, the body is for people. */
function sendVerdict(response: ServerResponse, isSo: boolean, what: string, daemon: ControlledDaemon): void {
  const { name, state, services } = daemon.report();
  const headers = { "cache-control": "no-store" };
  if (isSo) {
    sendJson(response, 200, { name, state, services: services.map(({ service }) => service) }, headers);
  } else {
    sendProblem(
      response,
      problem(503, "Service Unavailable", `${name} is not ${what}: it is ${state}.`),
      headers,
    );
  }
}

function respondMap(request: IncomingMessage, response: ServerResponse, map: MapKeeper): void {
  const { newest } = map;
  if (newest === null) {
    const detail = "No arbiter has sent a cluster map yet.";
    sendProblem(response, problem(404, "Not Found", detail, { code: "ERR_ARB_NOT_FOUND" }));
    return;
  }
  const version = String(newest.version);
  const asked = Number(request.headers["arbiter-min-version"] ?? "0");
  // Whoever has seen a newer one isn't answered with this one (I8).
  if (!(newest.version >= asked)) {
    const detail = `This daemon's cluster map has version ${version}, not yet the one asked for. Ask an arbiter, or again.`;
    sendProblem(response, problem(503, "Service Unavailable", detail, { code: "ERR_ARB_STALE_MAP" }), {
      "retry-after": "1",
      "arbiter-version": version,
    });
    return;
  }
  sendJson(response, 200, newest.map, { "arbiter-version": version });
}

async function keepMap(called: Called, map: MapKeeper): Promise<void> {
  const { request, response } = called;
  const stranger = notAnArbiter(called);
  if (stranger !== null) {
    called.refuse(stranger);
    return;
  }
  const body = await readJson(request, MAP_LIMIT_BYTES);
  if (!body.ok) {
    sendProblem(response, body.problem, body.close ? { connection: "close" } : {});
    return;
  }
  const kept = map.offer(body.value);
  if (kept === null) {
    const detail = "A cluster map is an object with a `version`, a whole number.";
    sendProblem(response, problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" }));
    return;
  }
  sendJson(response, 200, { version: kept }, { "arbiter-version": String(kept) });
}

function leaving(): Problem {
  const detail = "The daemon ends, or couldn't write what its answer rests on. Its log says which.";
  return problem(503, "Service Unavailable", detail, { code: "ERR_ARB_CONFLICT" });
}

/** A name that can't be decoded is the name of no service. */
function decodeService(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
