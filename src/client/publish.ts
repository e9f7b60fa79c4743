/**
 * Publishes into the cluster's event log, through whichever arbiter answers. It is sent again, with
 * the same idempotency key, until one says that the log holds it: a lost answer, an arbiter that
 * died, a store that was away neither lose it nor double it.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Arbiters } from "./arbiters.ts";

export interface PublishedEvent {
  /** What it is about. At most 255 characters, as the other names here. */
  readonly key: string;
  /** Any JSON, at most 16 KiB. (Default: null) */
  readonly value?: unknown;
  /** Whose keys they are. (Default: `default`) */
  readonly namespace?: string;
  /**
   * The log holds it once within its namespace, also if the whole program starts anew and sends it
   * again. (Default: one of its own, which covers repeats of this call alone)
   */
  readonly idempotencyKey?: string;
}

export interface PublishOptions {
  /** How long to go on trying. (Default: 30,000) */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface PublishReceipt {
  /** Number of the event: it is durable, and every reader gets it in this order. */
  readonly seq: number;
  /** The log held it before this call's last try. */
  readonly repeated: boolean;
}

const TIMEOUT_MS = 30_000;
/** An arbiter itself goes on trying for some seconds while its store is slow. */
const ANSWER_MS = 10_000;
const PAUSE_MS = 200;

/**
 * Rejects with what the arbiters say against it (`ERR_ARB_MESSAGE`, `ERR_ARB_UNAUTHORIZED`,
 * `ERR_ARB_IDEMPOTENCY_KEY`, …), or with `ERR_ARB_UNREACHABLE` once the time is over: then it may or
 * may not be in the log, and the same call with the same idempotency key finds out.
 */
export async function publish(
  arbiters: Arbiters,
  event: PublishedEvent,
  { timeoutMs = TIMEOUT_MS, signal }: PublishOptions = {},
): Promise<PublishReceipt> {
  const body = { ...event, idempotencyKey: event.idempotencyKey ?? randomUUID() };
  const deadlineMs = performance.now() + timeoutMs;
  const failures = new Map<string, string>();
  for (;;) {
    for (const url of arbiters.urls) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) break;
      const result = await post(arbiters, url, body, Math.min(ANSWER_MS, leftMs), signal);
      if (typeof result !== "string") {
        arbiters.prefer(url);
        return result;
      }
      failures.set(url, result);
    }
    if (performance.now() + PAUSE_MS >= deadlineMs) {
      const why = [...failures].map(([url, text]) => `${url}: ${text}`).join("; ");
      throw new ArbiterError("ERR_ARB_UNREACHABLE", `No arbiter has confirmed the event (${why}).`);
    }
    await sleep(PAUSE_MS, undefined, signal === undefined ? {} : { signal });
  }
}

/** A text says why another try may help. */
async function post(
  arbiters: Arbiters,
  url: string,
  body: PublishedEvent,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<PublishReceipt | string> {
  let status: number;
  let answer: Readonly<Record<string, unknown>>;
  try {
    const response = await arbiters.http.post(`${url}/v1/events`, {
      headers: { ...arbiters.headers(), accept: "application/json" },
      json: body,
      responseType: "text",
      timeout: { request: Math.ceil(timeoutMs) },
      ...(signal === undefined ? {} : { signal }),
    });
    status = response.statusCode;
    answer = membersOf(JSON.parse(response.body));
  } catch (error) {
    signal?.throwIfAborted();
    return messageOf(error);
  }
  const { event: seq, repeated, detail, code } = answer;
  if (status < 300 && typeof seq === "number") return { seq, repeated: repeated === true };
  const said = typeof detail === "string" ? detail : `it answered with status ${status}`;
  if (status === 429 || status >= 500 || status < 300) return said;
  throw new ArbiterError(codeOf(status, code), `${url} refuses the event: ${said}`);
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function codeOf(status: number, code: unknown): ErrorCode {
  if (status === 401) return "ERR_ARB_UNAUTHORIZED";
  if (status === 403) return "ERR_ARB_FORBIDDEN";
  if (status === 404) return "ERR_ARB_NOT_FOUND";
  if (status === 413) return "ERR_ARB_BODY";
  return code === "ERR_ARB_IDEMPOTENCY_KEY" ? code : "ERR_ARB_MESSAGE";
}
