/**
 * What an error of a check means: one of the causes that the core knows, and a sentence.
 *
 * A cause is a hint and never proof. Two distinctions matter: *refused* says that nobody listens
 * (the process is probably gone), and *stale-connection* that a reused connection was closed before
 * any answer, which happens to healthy daemons and is repeated instead of counted.
 */
import type { CheckFailure } from "../core/arbiter-io.ts";
import { codeOf } from "../protocol/errors.ts";

export interface CheckStage {
  /** The request was written; false: the connection wasn't there yet. */
  readonly wasSent: boolean;
  /** On a connection that had brought an answer before. */
  readonly wasReused: boolean;
  /** Something of the answer had come. */
  readonly wasAnswered: boolean;
}

export interface FailedCheck {
  readonly cause: CheckFailure;
  readonly detail: string;
}

/** The peer, or something in between, ended the connection. */
const BROKEN: ReadonlySet<string> = new Set([
  "UND_ERR_SOCKET",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
]);

/** This machine ran out of something: nothing was learned of the daemon. */
const EXHAUSTED: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"]);

/** This side ended it. */
const GIVEN_UP: ReadonlySet<string> = new Set(["UND_ERR_INFO", "UND_ERR_DESTROYED", "UND_ERR_CLOSED"]);

export function classify(error: unknown, stage: CheckStage): FailedCheck {
  const code = codeOf(error);
  const said = error instanceof Error && error.message !== "" ? error.message : code;
  if (GIVEN_UP.has(code)) {
    return { cause: "reset", detail: "the connection was given up together with another check's" };
  }
  if (EXHAUSTED.has(code)) {
    return { cause: "exhausted", detail: `this machine is out of files, ports or buffers: ${said}` };
  }
  if (!stage.wasSent) {
    if (code === "ECONNREFUSED") return { cause: "refused", detail: "nobody listens at its port" };
    if (code === "UND_ERR_INVALID_ARG") return { cause: "unreachable", detail: `it can't be asked: ${said}` };
    return { cause: "unreachable", detail: `no connection: ${said}` };
  }
  if (BROKEN.has(code)) {
    if (stage.wasReused && !stage.wasAnswered) {
      return { cause: "stale-connection", detail: "a kept-alive connection was closed before the answer" };
    }
    return { cause: "reset", detail: `the connection broke: ${said}` };
  }
  return { cause: "invalid", detail: `no valid answer: ${said}` };
}

export function timedOut(timeoutMs: number, stage: CheckStage): FailedCheck {
  const what = stage.wasSent ? "no answer" : "no connection";
  return { cause: "timeout", detail: `${what} within ${timeoutMs} ms` };
}

/** An HTTP status that brings no report. `body` may be a problem of its own. */
export function refusedByStatus(statusCode: number, body: unknown): FailedCheck {
  const said = detailOf(body);
  if (statusCode === 401 || statusCode === 403) {
    return { cause: "unauthorized", detail: `it refuses this arbiter's token (HTTP ${statusCode})${said}` };
  }
  return { cause: "invalid", detail: `it answered with HTTP ${statusCode} instead of a report${said}` };
}

const LONGEST_DETAIL = 200;

function detailOf(body: unknown): string {
  if (typeof body !== "object" || body === null || !("detail" in body)) return "";
  return typeof body.detail === "string" ? `: ${body.detail.slice(0, LONGEST_DETAIL)}` : "";
}
