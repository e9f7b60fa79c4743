/**
 * Reads never go back (I8): every answer to a read says in `Arbiter-Version` which version of the
 * cluster map it comes from. Whoever has seen a version says so in `Arbiter-Min-Version`; an
 * arbiter that isn't there yet waits up to a second, and then says 503 rather than something old.
 */
import type { Request, Response } from "express";
import { problem, sendProblem } from "../../protocol/problem.ts";
import type { Engine } from "../engine.ts";

const LONGEST_WAIT_MS = 1_000;

/** Whether the answer may be given; else it has been refused. */
export async function isFreshEnough(engine: Engine, request: Request, response: Response): Promise<boolean> {
  const asked = request.headers["arbiter-min-version"];
  if (asked === undefined) return true;
  if (typeof asked !== "string" || !/^\d{1,15}$/u.test(asked)) {
    sendProblem(
      response,
      problem(400, "Bad Request", "`Arbiter-Min-Version` must be a version of the cluster map.", {
        code: "ERR_ARB_MESSAGE",
      }),
    );
    return false;
  }
  const version = Number(asked);
  if (await engine.board.until(version, LONGEST_WAIT_MS)) return true;
  const detail = `This arbiter's cluster map has version ${engine.board.version}, not yet ${version}. Ask another one, or again.`;
  sendProblem(response, problem(503, "Service Unavailable", detail, { code: "ERR_ARB_STALE_MAP" }), {
    "retry-after": "1",
    "arbiter-version": String(engine.board.version),
  });
  return false;
}
