/** The reading routes: status, map, services, peers, events, metrics. */
import type { Request, Response } from "express";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import { isLeading, leaderOf, mapTag, peers, serviceAnswer, serviceInMap } from "../cluster-map.ts";
import type { ClusterMap } from "../cluster-map.ts";
import { overviewOf } from "../overview.ts";
import { statusOf } from "../status.ts";
import type { Api } from "./api.ts";
import { parameter } from "./api.ts";
import { queryNumber } from "./arguments.ts";

export function healthz({ engine }: Api, _request: Request, response: Response): void {
  sendJson(response, 200, { name: engine.state.options.name, state: engine.state.leadership.mode });
}

export function leader({ engine }: Api, _request: Request, response: Response): void {
  const { state } = engine;
  const who = { name: state.options.name, leader: leaderOf(state), term: state.term };
  if (state.leadership.mode === "leading") {
    sendJson(response, 200, who);
    return;
  }
  const detail = `${who.name} stands by; ${who.leader === null ? "nobody leads" : `${who.leader} leads`}.`;
  sendProblem(response, problem(503, "Service Unavailable", detail, { code: "ERR_ARB_NOT_LEADER", ...who }));
}

export async function status({ engine }: Api, _request: Request, response: Response): Promise<void> {
  sendJson(response, 200, statusOf(await engine.shown(), engine.around));
}

const MOST_ROWS = 500;
const SOME_ROWS = 50;

/** A screen of the cluster, however large it is. */
export async function overview({ engine }: Api, request: Request, response: Response): Promise<void> {
  const numbers = {
    services: queryNumber(request, "services", Number.MAX_SAFE_INTEGER) ?? 0,
    daemons: queryNumber(request, "daemons", Number.MAX_SAFE_INTEGER) ?? 0,
    limit: queryNumber(request, "limit", MOST_ROWS) ?? SOME_ROWS,
  };
  const wrong = Object.values(numbers).find((value) => typeof value === "object");
  if (wrong !== undefined) {
    sendProblem(response, wrong);
    return;
  }
  const given: unknown = request.query["filter"];
  const filter = typeof given === "string" ? given.slice(0, 255) : "";
  const shown = await engine.shown();
  sendJson(
    response,
    200,
    overviewOf(shown, engine.around, engine.latencies, {
      services: Number(numbers.services),
      daemons: Number(numbers.daemons),
      limit: Number(numbers.limit),
      filter,
    }),
  );
}

/** The newest map; null: none is known, which isn't an empty one, and that has been said. */
async function knownMap({ engine }: Api, response: Response): Promise<ClusterMap | null> {
  if (engine.board.newest === null) await engine.board.refresh();
  const { newest } = engine.board;
  if (newest !== null) return newest;
  const { name } = engine.state.options;
  const detail = `${name} has not seen the cluster map yet, and the store has none to show. Ask again.`;
  sendProblem(response, problem(503, "Service Unavailable", detail, { code: "ERR_ARB_NOT_LEADER" }), {
    "retry-after": "1",
  });
  return null;
}

export async function map(api: Api, request: Request, response: Response): Promise<void> {
  const known = await knownMap(api, response);
  if (known === null) return;
  const headers = { etag: mapTag(known), "cache-control": "no-cache" };
  response.setHeader("arbiter-version", String(known.version));
  if (noneMatches(request.headers["if-none-match"], headers.etag)) {
    sendJson(response, 200, known, headers);
    return;
  }
  response.writeHead(304, headers);
  response.end();
}

/** `If-None-Match`: whether the answer has to be sent. */
function noneMatches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return true;
  const tags = new Set(header.split(",").map((tag) => tag.trim().replace(/^W\//u, "")));
  return !tags.has("*") && !tags.has(etag);
}

export async function services(api: Api, _request: Request, response: Response): Promise<void> {
  const known = await knownMap(api, response);
  if (known === null) return;
  const { state } = api.engine;
  const list = isLeading(state)
    ? [...state.services.values()].map((view) => serviceAnswer(state, view))
    : Object.keys(known.services).map((name) => serviceInMap(known, name));
  sendJson(response, 200, { version: api.engine.board.version, services: list });
}

export async function service(api: Api, request: Request, response: Response): Promise<void> {
  const known = await knownMap(api, response);
  if (known === null) return;
  const { state } = api.engine;
  const name = parameter(request, "service");
  const view = isLeading(state) ? state.services.get(name) : undefined;
  const answer = isLeading(state)
    ? view === undefined
      ? null
      : serviceAnswer(state, view)
    : serviceInMap(known, name);
  if (answer === null) {
    const names = isLeading(state) ? [...state.services.keys()] : Object.keys(known.services);
    sendProblem(
      response,
      problem(404, "Not Found", `There is no service ${name}. Known: ${names.join(", ") || "none"}.`, {
        code: "ERR_ARB_NOT_FOUND",
      }),
    );
    return;
  }
  if (answer.holder !== null) {
    sendJson(response, 200, answer);
    return;
  }
  sendProblem(
    response,
    problem(503, "Service Unavailable", `${name} has no holder at the moment. Ask again.`, {
      ...answer,
      code: "ERR_ARB_VACANT",
    }),
    { "retry-after": "1" },
  );
}

export function peerList({ engine }: Api, _request: Request, response: Response): void {
  const all = peers(engine.state);
  sendJson(response, 200, {
    version: engine.board.version,
    arbiters: all.filter(({ type }) => type === "arbiter"),
    daemons: all.filter(({ type }) => type !== "arbiter"),
  });
}

export async function metrics({ engine }: Api, _request: Request, response: Response): Promise<void> {
  const text = await engine.metrics.text();
  response.writeHead(200, { "content-type": engine.metrics.contentType, "cache-control": "no-store" });
  response.end(text);
}
