/**
 * Joins a running cluster, and stays joined: it says who it is to the first arbiter that takes it,
 * and says it again now and then, since a leader that dropped it (it was cut off for long) would not
 * come back by itself. Any arbiter will do; while nobody leads it asks on.
 */
import { Agent } from "undici";
import type { CallOptions } from "./calls.ts";
import { bearerHeaders, connectorOf } from "./calls.ts";
import type { Logger } from "./options.ts";

/** A new leader is there after an arbiter's lease. */
const RETRY_FROM_MS = 250;
const RETRY_UP_TO_MS = 5_000;
const AGAIN_MS = 30_000;
/** A standby passes it on to the leader, who commits it. */
const ANSWER_TIMEOUT_MS = 12_000;

export interface JoinerOptions {
  readonly urls: readonly string[];
  /** Body of `POST /v1/daemons`. */
  readonly member: Readonly<Record<string, string | number | boolean>>;
  readonly calls: CallOptions;
  readonly logger: Logger;
}

export class Joiner {
  readonly #options: JoinerOptions;
  readonly #agent: Agent;
  #timer: NodeJS.Timeout | null = null;
  #retryMs = RETRY_FROM_MS;
  #said = "";
  #isClosed = false;

  constructor(options: JoinerOptions) {
    this.#options = options;
    this.#agent = new Agent({
      connections: 1,
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      connect: connectorOf(options.calls, RETRY_UP_TO_MS),
    });
  }

  start(): void {
    void this.#join();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#agent.destroy();
  }

  async #join(): Promise<void> {
    const problems: string[] = [];
    let isDone = false;
    for (const url of this.#options.urls) {
      const problem = await this.#ask(url);
      if (this.#isClosed) return;
      isDone = problem === null;
      if (isDone) break;
      problems.push(`${url}: ${problem}`);
    }
    this.#say(isDone ? null : problems.join("; "));
    this.#retryMs = isDone ? RETRY_FROM_MS : Math.min(this.#retryMs * 2, RETRY_UP_TO_MS);
    this.#timer = setTimeout(() => void this.#join(), isDone ? AGAIN_MS : this.#retryMs);
  }

  /** Each change once: it asks often. */
  #say(problem: string | null): void {
    const { logger, member } = this.#options;
    const text = problem ?? "joined";
    if (text === this.#said) return;
    this.#said = text;
    if (problem === null) logger.info(`${String(member["name"])} has joined the cluster.`);
    else logger.warn(`${String(member["name"])} has not joined yet, and asks on: ${problem}`);
  }

  /** Null: it is a member. */
  async #ask(url: string): Promise<string | null> {
    const { member, calls } = this.#options;
    try {
      const { statusCode, body } = await this.#agent.request({
        origin: new URL(url).origin,
        path: "/v1/daemons",
        method: "POST",
        headers: { ...bearerHeaders(calls), "content-type": "application/json" },
        body: JSON.stringify(member),
      });
      const text = await body.text();
      return statusCode < 300 ? null : detailOf(text, statusCode);
    } catch (error) {
      return error instanceof Error && error.message !== "" ? error.message : "no answer";
    }
  }
}

function detailOf(text: string, status: number): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "detail" in value) return String(value.detail);
  } catch {
    // Something else listens there.
  }
  return `status ${status}`;
}
