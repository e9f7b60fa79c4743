/**
 * A standby passes on what only the leader can answer well: changes, and reads of what it alone
 * sees. So any arbiter will do for whoever asks.
 *
 * A request is passed on once, never by two arbiters in a row. A change is tried again only where
 * the leader certainly didn't get it, or said itself that it doesn't lead: asking twice is not the
 * same as asking once. A read that brings no answer in time is answered from here instead.
 */
import type { Request, Response } from "express";
import type { ArbiterState } from "../../core/arbiter-state.ts";
import { readBytes } from "../../protocol/body.ts";
import { problem, sendProblem } from "../../protocol/problem.ts";
import { isLeading, leaderOf } from "../cluster-map.ts";
import type { Engine } from "../engine.ts";
import type { PeerAnswer, PeerFailure, PeerRequest } from "../other-arbiters.ts";
import { BODY_LIMIT_BYTES } from "./arguments.ts";
import { forwardingHeaders, isForwarded } from "./origin.ts";

export interface LeaderLink {
  send(what: PeerRequest): Promise<PeerAnswer | PeerFailure>;
}

/** The leader waits a second for a version; a client gives up after three. */
const READ_MS = 1_500;
/** One that did not answer isn't asked for a read again before then. */
const SKIP_MS = 1_000;
/** As long as a command waits for the store; meanwhile another arbiter may have taken the lead. */
const CHANGE_MS = 8_000;
const AGAIN_MS = 100;
/** The status of 10,000 daemons has some four megabytes. */
const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;

const PASSED_ON = ["content-type", "if-none-match", "arbiter-min-version", "accept", "idempotency-key"];
const PASSED_BACK = [
  "content-type",
  "content-security-policy",
  "x-content-type-options",
  "referrer-policy",
  "cache-control",
  "etag",
  "retry-after",
  "arbiter-version",
];

export class Forwarder {
  readonly #engine: Engine;
  readonly #link: LeaderLink;
  #skipUntilMs = -Infinity;

  constructor(engine: Engine, link: LeaderLink) {
    this.#engine = engine;
    this.#link = link;
  }

  /** Whether the leader has answered it; else it is to be answered from here. */
  async read(request: Request, response: Response): Promise<boolean> {
    const { state } = this.#engine;
    if (isLeading(state) || isForwarded(request) || performance.now() < this.#skipUntilMs) return false;
    const url = leaderUrl(state);
    if (url === null) return false;
    const answer = await this.#send(request, url, null, READ_MS);
    if (!("status" in answer)) {
      this.#skipUntilMs = performance.now() + SKIP_MS;
      return false;
    }
    if (isNoLeader(answer)) return false;
    passBack(response, answer);
    return true;
  }

  /** Whether it has been answered; false: this arbiter leads, or mustn't pass it on again. */
  async change(request: Request, response: Response): Promise<boolean> {
    const { state } = this.#engine;
    if (isLeading(state) || isForwarded(request)) return false;
    const body = await readBytes(request, BODY_LIMIT_BYTES);
    if (!body.ok) {
      sendProblem(response, body.problem, { connection: "close" });
      return true;
    }
    const endMs = performance.now() + CHANGE_MS;
    let why = `${state.options.name} stands by, and nobody leads yet`;
    for (let leftMs = CHANGE_MS; leftMs > 0; leftMs = endMs - performance.now()) {
      // By now it may be this arbiter's own.
      const url = isLeading(state) ? state.options.url : leaderUrl(state);
      const answer = url === null ? null : await this.#send(request, url, body.bytes, leftMs);
      if (answer !== null && "status" in answer && !isNoLeader(answer)) {
        passBack(response, answer);
        return true;
      }
      if (answer !== null && "failure" in answer) {
        why = `${state.options.name} stands by and doesn't reach the leader at ${url}: ${answer.failure}`;
        if (answer.mayHaveArrived) return giveUp(response, why, true);
      }
      await this.#engine.until(
        () => isLeading(state) || (leaderUrl(state) ?? url) !== url,
        Math.min(AGAIN_MS, leftMs),
      );
    }
    return giveUp(response, why, false);
  }

  #send(
    request: Request,
    url: string,
    body: Buffer | null,
    timeoutMs: number,
  ): Promise<PeerAnswer | PeerFailure> {
    const headers = forwardingHeaders(this.#engine.state.options.name, request);
    for (const name of PASSED_ON) {
      const value = request.headers[name];
      if (typeof value === "string") headers[name] = value;
    }
    const { method, originalUrl: path } = request;
    return this.#link.send({
      url,
      method,
      path,
      headers,
      body: body === null || body.length === 0 ? null : body,
      timeoutMs: Math.ceil(timeoutMs),
      limitBytes: ANSWER_LIMIT_BYTES,
    });
  }
}

/** Of another arbiter that leads, as far as this one knows. */
export function leaderUrl(state: ArbiterState): string | null {
  const leader = leaderOf(state);
  return leader === null || leader === state.options.name ? null : (state.leadership.record?.url ?? null);
}

function isNoLeader({ status, body }: PeerAnswer): boolean {
  return status === 503 && body.includes("ERR_ARB_NOT_LEADER");
}

function passBack(response: Response, { status, headers, body }: PeerAnswer): void {
  const passed: Record<string, string> = {};
  for (const name of PASSED_BACK) {
    const value = headers[name];
    if (typeof value === "string") passed[name] = value;
  }
  response.writeHead(status, { ...passed, "content-length": String(body.length) });
  response.end(body);
}

function giveUp(response: Response, why: string, mayHaveArrived: boolean): true {
  if (mayHaveArrived) {
    const detail = `${why}. Whether it was done is not known: see \`arbiter status\` and \`arbiter events\`.`;
    sendProblem(response, problem(504, "Gateway Timeout", detail, { code: "ERR_ARB_NOT_LEADER" }));
  } else {
    const detail = `${why}. Nothing was changed; ask again, or ask another arbiter.`;
    sendProblem(response, problem(503, "Service Unavailable", detail, { code: "ERR_ARB_NOT_LEADER" }), {
      "retry-after": "1",
    });
  }
  return true;
}
