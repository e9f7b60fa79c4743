/**
 * `POST /v1/reports`: a daemon's unasked report. It is what makes the fast cases fast (a crash seen
 * by the launcher, a finished drain), so it is served by a plain function in front of express.
 *
 * It is a report like any other: the core judges it by boot, order and epoch. Here it is only
 * decided whether it may be heard: the token, the size, the form, a daemon of the configuration,
 * and not too many of one daemon.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { CHALLENGE, pageOf, refusePage } from "../../protocol/auth.ts";
import { readJson } from "../../protocol/body.ts";
import { certificateName, refuseCaller } from "../../protocol/caller.ts";
import { parseReport } from "../../protocol/messages.ts";
import { problem, sendProblem } from "../../protocol/problem.ts";
import type { Api } from "./api.ts";
import { BODY_LIMIT_BYTES } from "./arguments.ts";
import { RateLimit } from "../../protocol/rate-limit.ts";

/** A change of state is rare: a program that crashes and restarts without pause makes some four a second. */
const REPORTS_PER_SECOND = 20;
const REPORTS_AT_ONCE = 40;

export class ReportReceiver {
  readonly #api: Api;
  readonly #limit = new RateLimit(REPORTS_PER_SECOND, REPORTS_AT_ONCE);

  constructor(api: Api) {
    this.#api = api;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { engine, access, audit, asksNames } = this.#api;
    const { headers } = request;
    // A report is proof: a page that could send one under a name of its own would end a lease.
    const denied = refusePage(pageOf(headers)) ?? access.refuseChange(headers.authorization);
    if (denied !== null) {
      audit.turnedAway.note(request, denied);
      // The body is not read: the connection can't be used again.
      sendProblem(response, denied, {
        ...(denied.status === 401 ? CHALLENGE : {}),
        connection: "close",
      });
      return;
    }
    const body = await readJson(request, BODY_LIMIT_BYTES);
    if (!body.ok) {
      sendProblem(response, body.problem, body.close ? { connection: "close" } : {});
      return;
    }
    const report = parseReport(body.value);
    if (!report.ok) {
      sendProblem(
        response,
        problem(400, "Bad Request", `This is no report: ${report.error}.`, { code: "ERR_ARB_MESSAGE" }),
      );
      return;
    }
    const { name } = report.value;
    if (asksNames && certificateName(request) !== name) {
      const stranger = refuseCaller(request, `the report is ${name}'s`);
      audit.turnedAway.note(request, stranger);
      sendProblem(response, stranger);
      return;
    }
    // Only names of the configuration get a counter, so that strangers can't fill the memory.
    if (!engine.state.daemons.has(name)) {
      const detail = `${name} is not in this arbiter's configuration. Add its file, or correct its name.`;
      sendProblem(response, problem(404, "Not Found", detail, { code: "ERR_ARB_NOT_FOUND" }));
      return;
    }
    if (!this.#limit.allows(name, performance.now())) {
      const detail = `${name} reports more than ${REPORTS_PER_SECOND} times a second.`;
      const tooMany = problem(429, "Too Many Requests", detail, { code: "ERR_ARB_TOO_MANY_REQUESTS" });
      audit.turnedAway.note(request, tooMany, name);
      sendProblem(response, tooMany, { "retry-after": "1" });
      return;
    }
    engine.push({ kind: "reported", report: report.value, via: "unasked", sentAtMs: null });
    response.writeHead(204);
    response.end();
  }
}
