/** What arbiters ask of each other: not to lead for a while; see the core's `arbiter-promise.ts`. */
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
