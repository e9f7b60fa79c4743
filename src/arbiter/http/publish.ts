/**
 * `POST /v1/events`: a program's own event, into the log that every reader follows. Answered once it
 * is durable (I5). With an idempotency key it may be sent again, to any arbiter, until an answer
 * comes: it stands in the log once.
 */
import { randomUUID } from "node:crypto";
import type { Request, Response } from "express";
import type { ErrorCode } from "../../protocol/errors.ts";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import type { Problem } from "../../protocol/problem.ts";
import { RateLimit } from "../../protocol/rate-limit.ts";
import { nowMs, wallMs } from "../../shell/clock.ts";
import { leaderOf } from "../cluster-map.ts";
import type { PublishAnswer } from "../publisher.ts";
import type { Api, BodyShape } from "./api.ts";
import { askedBy, BY, readArguments, textOf } from "./arguments.ts";
import { originOf } from "./audit.ts";
import { originCaller } from "./origin.ts";

/** Of the value, as JSON. */
const MOST_VALUE_BYTES = 16 * 1024;
const MOST_NAME = 255;
/** Of the value in the event's sentence. */
const SHOWN = 200;
/** A second, from one address, after as many at once as `AT_ONCE`. */
const PER_SECOND = 500;
const AT_ONCE = 1_000;
/** Addresses that are counted, so that strangers can't fill the memory. */
const MOST_CALLERS = 1_000;

export const PUBLISH_BODY: BodyShape = {
  key: { type: "string", required: true, maxLength: MOST_NAME, description: "What it is about." },
  value: { type: "json", description: `Any JSON, at most ${MOST_VALUE_BYTES} bytes. (Default: null)` },
  namespace: {
    type: "string",
    maxLength: MOST_NAME,
    description: "Whose keys they are. (Default: `default`)",
  },
  idempotencyKey: {
    type: "string",
    maxLength: MOST_NAME,
    description:
      "The log holds it once, however often it is sent; the header `Idempotency-Key` says the same. (Default: a new one)",
  },
  by: BY,
};

/** One arbiter runs in a process, and so does one limit. */
const limit = new RateLimit(PER_SECOND, AT_ONCE, MOST_CALLERS);

export async function publish(api: Api, request: Request, response: Response): Promise<void> {
  const { from } = originCaller(request);
  if (!limit.allows(from.replace(/:\d+$/u, ""), nowMs())) {
    const detail = `More than ${PER_SECOND} events a second come from ${from}. Send fewer, or several values in one event.`;
    refuse(response, 429, "Too Many Requests", detail, "ERR_ARB_TOO_MANY_REQUESTS");
    return;
  }
  const read = await readArguments(request, PUBLISH_BODY);
  if (!read.ok) {
    sendProblem(response, read.problem, read.close ? { connection: "close" } : {});
    return;
  }
  const idempotencyKey = identityOf(request, textOf(read.value, "idempotencyKey"));
  if (typeof idempotencyKey === "object") {
    sendProblem(response, idempotencyKey);
    return;
  }
  const value = read.value["value"] ?? null;
  const json = JSON.stringify(value);
  if (Buffer.byteLength(json) > MOST_VALUE_BYTES) {
    const detail = `\`value\` may have ${MOST_VALUE_BYTES} bytes at most. Publish where the data is, not the data.`;
    refuse(response, 413, "Content Too Large", detail, "ERR_ARB_BODY");
    return;
  }
  const namespace = textOf(read.value, "namespace") ?? "default";
  const key = textOf(read.value, "key") ?? "";
  const shown = json.length > SHOWN ? `${json.slice(0, SHOWN)}…` : json;
  const answer = await api.engine.publisher.publish({
    type: "published",
    atWallMs: wallMs(),
    text: `${namespace}/${key}: ${shown}`,
    evidence: { by: askedBy(request, read.value), ...originOf(request) },
    publication: { namespace, key, value, idempotencyKey },
  });
  sendAnswer(api, response, answer, idempotencyKey);
}

/** What the header says, or the body, or both alike; else one of our own, for repeats of our own. */
function identityOf(request: Request, inBody: string | null): string | Problem {
  const header = request.headers["idempotency-key"];
  if (header === undefined) return inBody ?? randomUUID();
  const isFit =
    typeof header === "string" && header.length > 0 && header.length <= MOST_NAME && !/\p{Cc}/u.test(header);
  // As the standard's draft writes it: a string in quotes.
  const plain = isFit ? header.replace(/^"(.*)"$/u, "$1") : "";
  if (plain !== "" && (inBody === null || inBody === plain)) return plain;
  const detail =
    plain === ""
      ? `\`Idempotency-Key\` must be a text of 1 to ${MOST_NAME} characters.`
      : "`Idempotency-Key` and `idempotencyKey` say two things. Send one of them.";
  return problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" });
}

function sendAnswer(api: Api, response: Response, answer: PublishAnswer, idempotencyKey: string): void {
  switch (answer.kind) {
    case "published": {
      const { seq, repeated } = answer;
      const text = repeated
        ? `It is in the log already, as event ${seq}.`
        : `It is in the log, as event ${seq}.`;
      sendJson(response, repeated ? 200 : 201, { event: seq, repeated, idempotencyKey, text });
      return;
    }
    case "contradicted": {
      const detail = `The idempotency key stands for another event already, number ${answer.seq}. Use a key of its own for each event.`;
      refuse(response, 422, "Unprocessable Content", detail, "ERR_ARB_IDEMPOTENCY_KEY");
      return;
    }
    case "overloaded": {
      const detail = "More events wait than the store can take at once. Send it again in a moment.";
      refuse(response, 429, "Too Many Requests", detail, "ERR_ARB_TOO_MANY_REQUESTS");
      return;
    }
    case "standby": {
      const leader = leaderOf(api.engine.state);
      const url = api.engine.state.leadership.record?.url ?? "";
      const detail =
        leader === null
          ? "No arbiter leads at the moment. Send it again, with the same idempotency key."
          : `Events are taken by the leader, ${leader}, at ${url}. Send it there, or again.`;
      refuse(response, 503, "Service Unavailable", detail, "ERR_ARB_NOT_LEADER");
      return;
    }
    case "unknown":
      refuse(
        response,
        503,
        "Service Unavailable",
        `${answer.text} It may be in the log all the same: send it again with the same idempotency key.`,
        "ERR_ARB_STORE_UNAVAILABLE",
      );
      return;
  }
}

function refuse(response: Response, status: number, title: string, detail: string, code: ErrorCode): void {
  const headers = status === 429 || status === 503 ? { "retry-after": "1" } : {};
  sendProblem(response, problem(status, title, detail, { code }), headers);
}
