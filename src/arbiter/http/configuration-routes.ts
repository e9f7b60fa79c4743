/** The configuration over HTTP: the manifest, its keys, its versions, and going back to one. */
import { createHash } from "node:crypto";
import type { Request, Response } from "express";
import { describeCaller } from "../../protocol/caller.ts";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import { leaderOf } from "../cluster-map.ts";
import type { Api, BodyShape } from "./api.ts";
import { askedBy, BY, numberOf, queryNumber, readArguments } from "./arguments.ts";
import { reloadText, sendReload } from "./operations.ts";
import { originCaller } from "./origin.ts";

const MOST_VERSIONS = 200;
const SOME_VERSIONS = 20;

export const ROLLBACK_BODY: BodyShape = {
  version: {
    type: "integer",
    minimum: 1,
    description: "The version to go back to. (Default: the one before the one in force)",
  },
  by: BY,
};

/** The manifest: which files, with their hashes. Their content may hold what isn't everyone's. */
export function config(api: Api, request: Request, response: Response): void {
  const { configuration } = api.engine.state;
  const manifest = api.configuration.manifest();
  const isShort = request.query["files"] === "0";
  const files = isShort
    ? []
    : Object.entries(configuration.files).map(([path, content]) => ({
        path,
        bytes: Buffer.byteLength(content),
        sha256: createHash("sha256").update(content).digest("hex"),
      }));
  sendJson(response, 200, {
    ...manifest,
    at: new Date(configuration.atWallMs).toISOString(),
    by: configuration.by,
    files,
    own: { ...manifest.own, files: isShort ? [] : manifest.own.files },
  });
}

/** What this arbiter's files say, as they lie in its folder now: every key, without secrets. */
export async function configKeys(api: Api, _request: Request, response: Response): Promise<void> {
  sendJson(response, 200, await api.configuration.keys());
}

export async function configHistory(api: Api, request: Request, response: Response): Promise<void> {
  const limit = queryNumber(request, "limit", MOST_VERSIONS) ?? SOME_VERSIONS;
  if (typeof limit === "object") {
    sendProblem(response, limit);
    return;
  }
  sendJson(response, 200, { versions: await api.configuration.history(limit) });
}

export async function rollback(api: Api, request: Request, response: Response): Promise<void> {
  const read = await readArguments(request, ROLLBACK_BODY);
  if (!read.ok) {
    sendProblem(response, read.problem, read.close ? { connection: "close" } : {});
    return;
  }
  const { state } = api.engine;
  if (state.leadership.mode !== "leading") {
    const leader = leaderOf(state);
    const detail =
      leader === null
        ? "No arbiter leads yet; try again."
        : `This arbiter stands by; ${leader} leads, at ${state.leadership.record?.url ?? "an unknown address"}.`;
    sendProblem(response, problem(503, "Service Unavailable", detail, { code: "ERR_ARB_NOT_LEADER" }), {
      "retry-after": "1",
    });
    return;
  }
  const by = askedBy(request, read.value);
  const version = numberOf(read.value, "version");
  const who = `${by} at ${describeCaller(originCaller(request))}`;
  const outcome = await api.configuration.rollBack(version, who);
  if (outcome === null) {
    const detail =
      "There is no such version in the store. `arbiter config history` lists those that there are.";
    sendProblem(response, problem(404, "Not Found", detail, { code: "ERR_ARB_NOT_FOUND" }));
    return;
  }
  const target = version === null ? "the version before" : `version ${version}`;
  api.audit.done("operator.rollback", request, by, {
    text: `had the configuration rolled back to ${target}: ${reloadText(outcome)}.`,
    evidence: { to: version, outcome: outcome.kind },
  });
  sendReload(response, outcome);
}
