/** `PUT /v1/map`: the leader sends a standby the cluster map, which it answers from when it must. */
import type { Request, Response } from "express";
import { readJson } from "../../protocol/body.ts";
import { certificateName, refuseCaller } from "../../protocol/caller.ts";
import { LIMITS } from "../../protocol/messages.ts";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import {
  integer,
  number,
  object,
  parsed,
  record,
  textOrNull,
  word,
  wordOrNull,
} from "../../protocol/reading.ts";
import type { Members, Parsed } from "../../protocol/reading.ts";
import type { ClusterMap, MapEntry } from "../cluster-map.ts";
import type { Api } from "./api.ts";

/** Some 200 bytes a service, 10,000 of them. */
const MAP_LIMIT_BYTES = 8 * 1024 * 1024;
const MOST_SERVICES = { entries: 100_000, keyLength: 1_024 };

export async function sentMap(api: Api, request: Request, response: Response): Promise<void> {
  const sender = certificateName(request);
  const { board, state } = api.engine;
  if (api.asksNames && !state.model.arbiters.some(({ name }) => name === sender)) {
    const stranger = refuseCaller(request, "a cluster map comes from an arbiter");
    api.audit.turnedAway.note(request, stranger);
    sendProblem(response, stranger, { connection: "close" });
    return;
  }
  const body = await readJson(request, MAP_LIMIT_BYTES);
  if (!body.ok) {
    sendProblem(response, body.problem, body.close ? { connection: "close" } : {});
    return;
  }
  const map = readMap(body.value);
  if (!map.ok) {
    const detail = `This is no cluster map: ${map.error}.`;
    sendProblem(response, problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" }));
    return;
  }
  board.offer(map.value);
  sendJson(response, 200, { version: board.version }, { "arbiter-version": String(board.version) });
}

function readMap(value: unknown): Parsed<ClusterMap> {
  return parsed(value, (from) => ({
    version: integer(from, "version", 0),
    clusterId: word(from, "clusterId", LIMITS.idLength),
    term: integer(from, "term", 0),
    services: record(from, "services", MOST_SERVICES, readEntry),
  }));
}

function readEntry(services: Members, name: string): MapEntry {
  return object(services, name, (from) => ({
    holder: wordOrNull(from, "holder", LIMITS.nameLength),
    epoch: integer(from, "epoch", 0),
    url: textOrNull(from, "url", LIMITS.urlLength),
    address: textOrNull(from, "address", LIMITS.urlLength),
    port: from["port"] === null ? null : number(from, "port", 0, 65_535),
    sinceWallMs: number(from, "sinceWallMs", -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  }));
}
