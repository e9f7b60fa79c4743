/**
 * Asks the other arbiters: who is there, while the store is away for the promise not to lead, and,
 * when most daemons have fallen silent, whether they reach them.
 * Whatever isn't a well-formed answer within the time allowed is no promise; whether it is about the
 * right round and term is for the core to judge. A standby passes requests on to the leader this
 * way, too.
 */
import { Agent, buildConnector } from "undici";
import { codeOf, messageOf } from "../protocol/errors.ts";
import type { ArbiterEffect } from "../core/arbiter-io.ts";
import type { ArbiterPromiseAnswer } from "../core/messages.ts";
import { ExpectedPeers } from "../protocol/expected-peer.ts";
import { parseArbiterPromiseAnswer } from "../protocol/messages.ts";
import type { CheckerTls } from "./checker.ts";

/** An answer has some 200 bytes. */
const ANSWER_LIMIT_BYTES = 16 * 1024;
/** Time to reach a machine. */
const CONNECT_MS = 1_000;
/** They are asked a few times in each time-to-live: the connection should still be there. */
const KEEP_ALIVE_MS = 60_000;

type Ask = Extract<ArbiterEffect, { kind: "askArbiterPromise" }>;
type AskOpinion = Extract<ArbiterEffect, { kind: "askOpinion" }>;

export interface Opinion {
  readonly reached: number;
  readonly of: number;
}

export interface OtherArbitersOptions {
  /** Null: the cluster has none. */
  readonly token: () => string | null;
  readonly tls: CheckerTls;
}

export interface PeerRequest {
  readonly url: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly timeoutMs: number;
  readonly limitBytes: number;
}

export interface PeerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Why there is no answer, and whether the request may have arrived all the same. */
export interface PeerFailure {
  readonly failure: string;
  readonly mayHaveArrived: boolean;
}

/** Nothing was sent: there was no connection to send it on. */
const NOT_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|EPROTO|UND_ERR_CONNECT_TIMEOUT|ERR_TLS|ERR_SSL|CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE)/u;

export class OtherArbiters {
  readonly #options: OtherArbitersOptions;
  readonly #peers: ExpectedPeers;
  #agent: Agent;

  constructor(options: OtherArbitersOptions) {
    this.#options = options;
    this.#peers = new ExpectedPeers(options.tls.expectsOwner ?? false);
    this.#agent = this.#newAgent();
  }

  #newAgent(): Agent {
    return new Agent({
      // One that is frozen must not hold up the next question.
      connections: 4,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Made anew for each connection: certificates may change while it runs.
      connect: this.#peers.connector((target, done) =>
        buildConnector({ ...trustOf(this.#options.tls), timeout: CONNECT_MS })(target, done),
      ),
    });
  }

  /** Null: unreachable within the time, or no answer of this protocol. */
  async ask({ url, request, timeoutMs }: Ask): Promise<ArbiterPromiseAnswer | null> {
    // Connections to somebody else who was there before are no use.
    if (this.#peers.expect(new URL(url).origin, request.to)) {
      void this.#agent.destroy();
      this.#agent = this.#newAgent();
    }
    const value = await this.#post(url, "/v1/arbiters/promise", request, timeoutMs);
    if (value === null) return null;
    const answer = parseArbiterPromiseAnswer(value);
    return answer.ok ? answer.value : null;
  }

  /** How many of these daemons that arbiter reaches; null: no answer. */
  async askOpinion({ url, daemons, timeoutMs }: AskOpinion): Promise<Opinion | null> {
    const value = await this.#post(url, "/v1/arbiters/opinion", { daemons }, timeoutMs);
    if (typeof value !== "object" || value === null) return null;
    const reached: unknown = Reflect.get(value, "reached");
    const of: unknown = Reflect.get(value, "of");
    return typeof reached === "number" && typeof of === "number" ? { reached, of } : null;
  }

  /** Whether anything answers there within the time, whatever it says. */
  async reaches(url: string, timeoutMs: number): Promise<boolean> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    try {
      const { body } = await this.#agent.request({
        origin: new URL(url).origin,
        path: "/health",
        method: "GET",
        headers: this.#authorization(),
        signal: abort.signal,
      });
      await body.dump();
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  #authorization(): Record<string, string> {
    const token = this.#options.token();
    return token === null ? {} : { authorization: `Bearer ${token}` };
  }

  /** Null: unreachable within the time, refused, or no JSON. */
  async #post(url: string, path: string, question: unknown, timeoutMs: number): Promise<unknown> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    try {
      const { statusCode, body } = await this.#agent.request({
        origin: new URL(url).origin,
        path,
        method: "POST",
        headers: { ...this.#authorization(), "content-type": "application/json" },
        body: JSON.stringify(question),
        signal: abort.signal,
      });
      let text = "";
      for await (const chunk of body as AsyncIterable<Buffer>) {
        text += chunk.toString("utf8");
        if (text.length > ANSWER_LIMIT_BYTES) return null;
      }
      return statusCode === 200 ? JSON.parse(text) : null;
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One request, with this arbiter's own token. Never rejects. */
  async send(what: PeerRequest): Promise<PeerAnswer | PeerFailure> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), what.timeoutMs);
    const token = this.#options.token();
    try {
      const { statusCode, headers, body } = await this.#agent.request({
        origin: new URL(what.url).origin,
        path: what.path,
        method: what.method,
        headers: { ...what.headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
        body: what.body,
        signal: abort.signal,
      });
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > what.limitBytes)
          return { failure: `its answer has more than ${what.limitBytes} bytes`, mayHaveArrived: true };
        chunks.push(chunk);
      }
      return { status: statusCode, headers, body: Buffer.concat(chunks) };
    } catch (error) {
      const mayHaveArrived = !NOT_SENT.test(codeOf(error));
      const failure = abort.signal.aborted
        ? `it does not answer within ${what.timeoutMs} ms`
        : messageOf(error);
      return { failure, mayHaveArrived };
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function trustOf({ ca, cert, key }: CheckerTls): buildConnector.BuildOptions {
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  };
}
