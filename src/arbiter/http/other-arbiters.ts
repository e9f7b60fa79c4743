/**
 * What arbiters ask of each other: not to lead for a while (the core's `arbiter-promise.ts`), and whether
 * they reach daemons that have all fallen silent (`self-doubt.ts`).
 */
import type { Request, Response } from "express";
import { readJson } from "../../protocol/body.ts";
import { certificateName, refuseCaller } from "../../protocol/caller.ts";
import { parseArbiterPromiseRequest } from "../../protocol/messages.ts";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import type { Api } from "./api.ts";
import { BODY_LIMIT_BYTES } from "./arguments.ts";

export async function arbiterPromise(api: Api, request: Request, response: Response): Promise<void> {
  const body = await readJson(request, BODY_LIMIT_BYTES);
  if (!body.ok) {
    sendProblem(response, body.problem, body.close ? { connection: "close" } : {});
    return;
  }
  const asked = parseArbiterPromiseRequest(body.value);
  if (!asked.ok) {
    const detail = `This is no question for a promise: ${asked.error}.`;
    sendProblem(response, problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" }));
    return;
  }
  const { leader } = asked.value;
  if (api.asksNames && certificateName(request) !== leader) {
    const stranger = refuseCaller(request, `the promise is asked for in the name of ${leader}`);
    api.audit.turnedAway.note(request, stranger);
    sendProblem(response, stranger);
    return;
  }
  sendJson(response, 200, await api.engine.promise(asked.value));
}

const MOST_DAEMONS = 100;

/** `{daemons: [name]}`: another arbiter sees them all silent, and asks whether the fault is its own. */
export async function opinion(api: Api, request: Request, response: Response): Promise<void> {
  const body = await readJson(request, BODY_LIMIT_BYTES);
  if (!body.ok) {
    sendProblem(response, body.problem, body.close ? { connection: "close" } : {});
    return;
  }
  const names = namesIn(body.value);
  if (names === null) {
    const detail = `Expected {"daemons": [NAME, …]}, with ${MOST_DAEMONS} names at most.`;
    sendProblem(response, problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" }));
    return;
  }
  sendJson(response, 200, await api.engine.opinion(names));
}

function namesIn(value: unknown): readonly string[] | null {
  const list: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "daemons") : null;
  if (!Array.isArray(list) || list.length > MOST_DAEMONS) return null;
  return list.every((name): name is string => typeof name === "string") ? list : null;
}
