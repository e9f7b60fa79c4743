/** The reading routes: status, map, services, peers, configuration, events, metrics. */
import { createHash } from "node:crypto";
import type { Request, Response } from "express";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import { clusterMap, leaderOf, mapTag, peers, serviceAnswer } from "../cluster-map.ts";
import { statusOf } from "../status.ts";
import type { Api } from "./api.ts";
import { parameter } from "./api.ts";

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

export function status({ engine }: Api, _request: Request, response: Response): void {
  sendJson(response, 200, statusOf(engine.state, engine.around));
}

/** An arbiter that has never led since its start has seen no map: that isn't an empty one. */
function knowsMap({ engine }: Api, response: Response): boolean {
  if (engine.state.mapVersion > 0) return true;
  const { name } = engine.state.options;
  const who = leaderOf(engine.state);
  const where = engine.state.leadership.record?.url ?? "";
  const next = who === null ? "Nobody leads yet; ask again." : `Ask ${who}, which leads, at ${where}.`;
  sendProblem(
    response,
    problem(503, "Service Unavailable", `${name} has not seen the cluster map yet. ${next}`, {
      code: "ERR_ARB_NOT_LEADER",
    }),
    { "retry-after": "1" },
  );
  return false;
}

export function map(api: Api, request: Request, response: Response): void {
  if (!knowsMap(api, response)) return;
  const { engine } = api;
  const etag = mapTag(engine.state);
  if (noneMatches(request.headers["if-none-match"], etag)) {
    sendJson(response, 200, clusterMap(engine.state), { etag, "cache-control": "no-cache" });
    return;
  }
  response.writeHead(304, { etag, "cache-control": "no-cache" });
  response.end();
}

/** `If-None-Match`: whether the answer has to be sent. */
function noneMatches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return true;
  const tags = new Set(header.split(",").map((tag) => tag.trim().replace(/^W\//u, "")));
  return !tags.has("*") && !tags.has(etag);
}

export function services(api: Api, _request: Request, response: Response): void {
  if (!knowsMap(api, response)) return;
  const { state } = api.engine;
  const list = [...state.services.values()].map((view) => serviceAnswer(state, view));
  sendJson(response, 200, { version: state.mapVersion, services: list });
}

export function service(api: Api, request: Request, response: Response): void {
  if (!knowsMap(api, response)) return;
  const { engine } = api;
  const name = parameter(request, "service");
  const view = engine.state.services.get(name);
  if (view === undefined) {
    const known = [...engine.state.services.keys()].join(", ") || "none";
    sendProblem(
      response,
      problem(404, "Not Found", `There is no service ${name}. Known: ${known}.`, {
        code: "ERR_ARB_NOT_FOUND",
      }),
    );
    return;
  }
  const answer = serviceAnswer(engine.state, view);
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
    version: engine.state.mapVersion,
    arbiters: all.filter(({ type }) => type === "arbiter"),
    daemons: all.filter(({ type }) => type !== "arbiter"),
  });
}

/** The manifest: which files, with their hashes. Their content may hold what isn't everyone's. */
export function config({ engine }: Api, _request: Request, response: Response): void {
  const { configuration, refusedEdit } = engine.state;
  const files = Object.entries(configuration.files).map(([path, content]) => ({
    path,
    bytes: Buffer.byteLength(content),
    sha256: createHash("sha256").update(content).digest("hex"),
  }));
  sendJson(response, 200, {
    version: configuration.version,
    hash: configuration.hash,
    at: new Date(configuration.atWallMs).toISOString(),
    by: configuration.by,
    files,
    refusedEdit:
      refusedEdit === null
        ? null
        : { at: new Date(refusedEdit.atWallMs).toISOString(), errors: refusedEdit.errors },
  });
}

export async function metrics({ engine }: Api, _request: Request, response: Response): Promise<void> {
  const text = await engine.metrics.text();
  response.writeHead(200, { "content-type": engine.metrics.contentType, "cache-control": "no-store" });
  response.end(text);
}
