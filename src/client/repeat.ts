/**
 * Whether a request to a service may be sent once more, after an attempt that failed. Pure.
 *
 * What certainly was not done may be repeated whatever it is: nobody was reached, or the fence
 * refused it. What may have been done is repeated only where twice is as good as once: by its
 * method, or because it carries a key by which the receiver knows it again.
 */

const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"]);

/** Nobody was reached. */
const NOT_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
]);

/** Phases of a time-out in which nobody had been reached yet. */
const REACHING = new Set(["lookup", "connect", "secureConnect"]);

/** The connection or the holder was lost on the way. */
const LOST = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ERR_ARB_MOVED",
  "ERR_READING_RESPONSE_STREAM",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** What proxies and servers say who could not do it now. */
const NOT_NOW = new Set([502, 503, 504]);

/** Twice is as good as once. */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method.toUpperCase());
}

export interface FailedAttempt {
  readonly method: string;
  /** It carries an `Idempotency-Key`. */
  readonly hasKey: boolean;
  /** Of the error; "" where there is none. */
  readonly code: string;
  /** In which phase a time-out came: `connect`, `response`, …; "" for every other error. */
  readonly phase: string;
  /** Of the answer; null: there was none. */
  readonly status: number | null;
  /** `code` of a problem in the answer; "" where there is none. */
  readonly problem: string;
}

export function mayRepeat({ method, hasKey, code, phase, status, problem }: FailedAttempt): boolean {
  if (problem === "ERR_ARB_NOT_HOLDER" || (status === 409 && problem === "ERR_ARB_OLD_EPOCH")) return true;
  const isRepeatable = hasKey || isIdempotent(method);
  if (status !== null && !LOST.has(code)) return isRepeatable && NOT_NOW.has(status);
  if (NOT_SENT.has(code)) return true;
  if (code === "ETIMEDOUT" && REACHING.has(phase)) return true;
  return isRepeatable && LOST.has(code);
}

const FIRST_MS = 10;
const LONGEST_MS = 200;

/**
 * Milliseconds to wait before the next attempt: short, since a planned move takes a few, and spread,
 * since many clients wait for the same holder. `random` is from 0 to 1.
 */
export function pauseMs(attempt: number, random: number): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return whole * (0.75 + random / 2);
}
