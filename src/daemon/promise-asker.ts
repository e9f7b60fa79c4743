/**
 * Asks a fellow candidate for its promise (failsafe). Whatever isn't a well-formed answer within
 * the time allowed is no promise: no answer, a redirect, an error, something that isn't ours.
 * Whether the answer is about the right round, service and epoch is for the core to judge.
 */
import { Agent } from "undici";
import type { PromiseAnswer, PromiseRequest } from "../core/messages.ts";
import { ExpectedPeers } from "../protocol/expected-peer.ts";
import { parsePromiseAnswer } from "../protocol/messages.ts";
import type { CallOptions } from "./calls.ts";
import { bearerHeaders, connectorOf } from "./calls.ts";

/** An answer has some 300 bytes. */
const ANSWER_LIMIT_BYTES = 16 * 1024;
/** Rounds come a few times a lease; the connection should still be there at the next one. */
const KEEP_ALIVE_MS = 60_000;

export class PromiseAsker {
  readonly #options: CallOptions;
  readonly #peers: ExpectedPeers;
  #agent: Agent;

  constructor(options: CallOptions) {
    this.#options = options;
    this.#peers = new ExpectedPeers(options.tls.files.clientCert === "required");
    this.#agent = this.#newAgent();
  }

  #newAgent(): Agent {
    return new Agent({
      // A fellow that is frozen must not hold up the next round's question.
      connections: 4,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      connect: this.#peers.connector(connectorOf(this.#options, null)),
    });
  }

  /** Null: unreachable within `timeoutMs`, or no answer of this protocol. */
  async ask(url: string, request: PromiseRequest, timeoutMs: number): Promise<PromiseAnswer | null> {
    // Connections to somebody else who was there before are no use.
    if (this.#peers.expect(new URL(url).origin, request.to)) {
      void this.#agent.destroy();
      this.#agent = this.#newAgent();
    }
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    try {
      const { statusCode, body } = await this.#agent.request({
        origin: new URL(url).origin,
        path: "/v1/promise",
        method: "POST",
        headers: { ...bearerHeaders(this.#options), "content-type": "application/json" },
        body: JSON.stringify(request),
        signal: abort.signal,
      });
      let text = "";
      for await (const chunk of body as AsyncIterable<Buffer>) {
        text += chunk.toString("utf8");
        if (text.length > ANSWER_LIMIT_BYTES) return null;
      }
      if (statusCode !== 200) return null;
      const parsed = parsePromiseAnswer(JSON.parse(text));
      return parsed.ok ? parsed.value : null;
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
