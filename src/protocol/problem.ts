/**
 * Errors on the wire: RFC 9457 `application/problem+json`, the same from arbiter and daemon.
 *
 * A problem says in `detail` what happened and what to do; `code` is one of the project's error
 * codes, for programs. Express's response is a node:http response, so one writer serves both.
 */
import type { ServerResponse } from "node:http";
import type { ErrorCode } from "./errors.ts";

export interface Problem {
  /**
   * `about:blank`: the status alone says what kind of problem it is; `code` says more. A refused
   * assignment's answer is a report as well, whose `type` is the daemon's.
   */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code?: ErrorCode;
  readonly [extra: string]: unknown;
}

export function problem(
  status: number,
  title: string,
  detail: string,
  extra: Readonly<Record<string, unknown>> & { readonly code?: ErrorCode } = {},
): Problem {
  return { ...extra, type: "about:blank", title, status, detail };
}

/** What a problem's body goes with, and an answer's. */
export const PROBLEM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "application/problem+json",
  "cache-control": "no-store",
};
export const JSON_HEADERS: Readonly<Record<string, string>> = { "content-type": "application/json" };
/** Goes with every body. */
export const BODY_HEADERS: Readonly<Record<string, string>> = { "x-content-type-options": "nosniff" };

/** Writes a problem as the whole answer. An answer that has begun can only be cut off. */
export function sendProblem(
  response: ServerResponse,
  what: Problem,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  sendBody(response, what.status, JSON.stringify(what), { ...headers, ...PROBLEM_HEADERS });
}

/** Writes a JSON value as the whole answer. */
export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendBody(response, status, JSON.stringify(value), { ...JSON_HEADERS, ...headers });
}

function sendBody(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    ...headers,
    "content-length": String(Buffer.byteLength(body)),
    ...BODY_HEADERS,
  });
  response.end(body);
}
