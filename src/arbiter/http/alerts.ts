/** `POST /v1/alerts/test`: sends a test to every target, and says what came of each. */
import type { Request, Response } from "express";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import type { Api, BodyShape } from "./api.ts";
import { askedBy, BY, readArguments } from "./arguments.ts";

export const TEST_BODY: BodyShape = { by: BY };

export async function testAlerts(api: Api, request: Request, response: Response): Promise<void> {
  const read = await readArguments(request, TEST_BODY);
  if (!read.ok) {
    sendProblem(response, read.problem, read.close ? { connection: "close" } : {});
    return;
  }
  const by = askedBy(request, read.value);
  const results = await api.alerts.test(by);
  if (results.length > 0) {
    const failed = results.filter(({ ok }) => !ok).length;
    api.audit.done("operator.alert-test", request, by, {
      text: `sent a test to every target of the alerts: ${results.length - failed} of ${results.length} took it.`,
      evidence: { targets: results.length, failed },
    });
    sendJson(response, 200, { ok: results.every(({ ok }) => ok), results });
    return;
  }
  const detail =
    "No alerts are configured. Write `webhook`, `command`, or `smtp` and `mail_to` under [alerts] in arbiter.cfg.";
  sendProblem(response, problem(409, "Conflict", detail, { code: "ERR_ARB_CONFLICT" }));
}
