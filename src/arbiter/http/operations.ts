/**
 * The changing routes: an operator's commands, and reading the files again. Each becomes one event
 * of the core's queue; the core decides and answers.
 */
import type { Request, Response } from "express";
import type { CommandAnswer, OperatorCommand } from "../../core/arbiter-io.ts";
import { describeCaller } from "../../protocol/caller.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/messages.ts";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import type { Api, BodyShape, ReloadOutcome, Route } from "./api.ts";
import { parameter } from "./api.ts";
import { askedBy, BY, numberOf, readArguments, textOf } from "./arguments.ts";
import type { Arguments } from "./arguments.ts";
import { originOf } from "./audit.ts";
import { originCaller } from "./origin.ts";

export const MOVE_BODY: BodyShape = {
  to: {
    type: "string",
    maxLength: 255,
    description: "The daemon that is to hold it. (Default: who ranks first)",
  },
  force: { type: "boolean", description: "failover: the old holder is dead, I say so." },
  evenIfAlive: { type: "boolean", description: "With force: although it seems to be alive." },
  by: BY,
};
export const PAUSE_BODY: BodyShape = {
  forMs: {
    type: "integer",
    minimum: 1,
    maximum: LIMITS.durationMs,
    description: "How long. (Default: until resumed)",
  },
  reason: { type: "string", maxLength: 1_000, description: "Why, shown to everyone." },
  by: BY,
};
export const LEADER_BODY: BodyShape = {
  to: {
    type: "string",
    maxLength: 255,
    description: "The arbiter that is to lead. (Default: who is next in line)",
  },
  by: BY,
};
export const DRILL_BODY: BodyShape = {
  to: {
    type: "string",
    maxLength: 255,
    description: "The spare to try. (Default: the first that is ready)",
  },
  holdMs: {
    type: "integer",
    minimum: 1,
    maximum: LIMITS.durationMs,
    description: "How long it stays there. (Default: 10 s)",
  },
  by: BY,
};
export const RESUME_BODY: BodyShape = { by: BY };
export const MAINTENANCE_BODY: BodyShape = {
  on: { type: "boolean", required: true, description: "Begins it, or ends it." },
  reason: { type: "string", maxLength: 1_000, description: "Why, shown to everyone." },
  by: BY,
};

type MakeCommand = (request: Request, given: Arguments) => OperatorCommand;

function commanding(shape: BodyShape, make: MakeCommand): Route["serve"] {
  return async (api, request, response) => {
    const read = await readArguments(request, shape);
    if (!read.ok) {
      sendProblem(response, read.problem, read.close ? { connection: "close" } : {});
      return;
    }
    const by = askedBy(request, read.value);
    const answer = await api.engine.command(by, make(request, read.value), originOf(request));
    if (answer.status === 409) {
      api.audit.declined.note(
        request,
        problem(409, "Conflict", "", { code: "ERR_ARB_CONFLICT" }),
        `by ${by}`,
      );
    }
    sendAnswer(response, answer);
  };
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  404: "ERR_ARB_NOT_FOUND",
  409: "ERR_ARB_CONFLICT",
  503: "ERR_ARB_NOT_LEADER",
  504: "ERR_ARB_STORE_UNAVAILABLE",
};
const TITLES: Readonly<Record<number, string>> = {
  404: "Not Found",
  409: "Conflict",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

function sendAnswer(response: Response, { status, text, eventSeq }: CommandAnswer): void {
  if (status < 300) {
    sendJson(response, status, { event: eventSeq, text });
    return;
  }
  const code = CODES[status] ?? "ERR_ARB_CONFLICT";
  sendProblem(
    response,
    problem(status, TITLES[status] ?? "Refused", text, { code }),
    status === 503 ? { "retry-after": "1" } : {},
  );
}

export function move(verb: "switchover" | "failover" | "failback"): Route["serve"] {
  return commanding(MOVE_BODY, (request, given) => ({
    verb,
    service: parameter(request, "service"),
    to: textOf(given, "to"),
    force: given["force"] === true,
    evenIfAlive: given["evenIfAlive"] === true,
  }));
}

export const pause: Route["serve"] = commanding(PAUSE_BODY, (request, given) => ({
  verb: "pause",
  service: parameter(request, "service") || null,
  reason: textOf(given, "reason") ?? "",
  forMs: numberOf(given, "forMs"),
}));

export const drill: Route["serve"] = commanding(DRILL_BODY, (request, given) => ({
  verb: "drill",
  service: parameter(request, "service"),
  to: textOf(given, "to"),
  holdMs: numberOf(given, "holdMs"),
}));

export const resume: Route["serve"] = commanding(RESUME_BODY, (request) => ({
  verb: "resume",
  service: parameter(request, "service") || null,
}));

export const transfer: Route["serve"] = commanding(LEADER_BODY, (_request, given) => ({
  verb: "transfer",
  to: textOf(given, "to"),
}));

export const claim: Route["serve"] = commanding(RESUME_BODY, () => ({ verb: "claim" }));

export const maintenance: Route["serve"] = commanding(MAINTENANCE_BODY, (request, given) => ({
  verb: "maintenance",
  daemon: parameter(request, "daemon"),
  on: given["on"] === true,
  reason: textOf(given, "reason") ?? "",
}));

/** Answers once it is known what came of it. */
export async function reload(api: Api, request: Request, response: Response): Promise<void> {
  const read = await readArguments(request, RESUME_BODY);
  if (!read.ok) {
    sendProblem(response, read.problem, read.close ? { connection: "close" } : {});
    return;
  }
  const by = askedBy(request, read.value);
  const outcome = await api.reload(`${by} at ${describeCaller(originCaller(request))}`);
  const { name } = api.engine.state.options;
  api.audit.done("operator.reload", request, by, {
    text: `had the files of ${name} read again: ${reloadText(outcome)}.`,
    evidence: { arbiter: name, outcome: outcome.kind },
  });
  sendReload(response, outcome);
}

/** What came of it, in a few words. */
export function reloadText(outcome: ReloadOutcome): string {
  switch (outcome.kind) {
    case "unchanged":
      return `version ${outcome.version} stays in force`;
    case "applied":
      return `version ${outcome.version} is in force`;
    case "refused":
      return "they were refused";
    case "unconfirmed":
      return "the store has not taken them yet";
  }
}

export function sendReload(response: Response, outcome: ReloadOutcome): void {
  switch (outcome.kind) {
    case "unchanged":
      sendJson(response, 200, { changed: false, version: outcome.version, hash: outcome.hash, plan: [] });
      return;
    case "applied": {
      const { version, hash, plan } = outcome;
      sendJson(response, 200, { changed: true, version, hash, plan });
      return;
    }
    case "refused":
      sendProblem(
        response,
        problem(422, "Unprocessable Content", refusedText(outcome.errors), {
          code: "ERR_ARB_CONFIG",
          errors: outcome.errors,
        }),
      );
      return;
    case "unconfirmed":
      sendProblem(
        response,
        problem(503, "Service Unavailable", outcome.text, { code: "ERR_ARB_STORE_UNAVAILABLE" }),
        { "retry-after": "1" },
      );
      return;
  }
}

function refusedText(errors: readonly string[]): string {
  const many = errors.length === 1 ? "an error" : `${errors.length} errors`;
  return `The files have ${many}; the configuration in force stays as it is. ${errors[0] ?? ""}`.trim();
}

/** A route whose feature comes later: it says so instead of pretending. */
export function later(what: string): Route["serve"] {
  return (_api, _request, response) => {
    sendProblem(response, problem(501, "Not Implemented", what, { code: "ERR_ARB_LATER_STEP" }));
  };
}
