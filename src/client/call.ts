/**
 * One call to a service: as many attempts as it takes within its deadline, each at whoever holds the
 * service then, under the epoch that this client knows.
 */
import { request as requestPlain } from "node:http";
import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders, RequestOptions } from "node:http";
import { request as requestSecure } from "node:https";
import type { Agent as SecureAgent } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { RequestError } from "got";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { EPOCH_HEADER, epochIn, SERVICE_HEADER } from "../protocol/fencing.ts";
import { vacant } from "./answers.ts";
import type { Holder } from "./answers.ts";
import type { Holders } from "./holders.ts";
import { HolderMoved } from "./in-flight.ts";
import type { InFlight } from "./in-flight.ts";
import { isIdempotent, mayRepeat, pauseMs } from "./repeat.ts";
import { isPassing } from "./watch.ts";

export interface CallParts {
  readonly service: string;
  /** The URL under which `got` knows the service. */
  readonly name: string;
  readonly deadlineMs: number;
  readonly urlOf: (holder: Holder) => string;
  readonly holders: Holders;
  readonly inFlight: InFlight;
  readonly agent: Agent;
  readonly secureAgent: SecureAgent;
}

export class Call {
  readonly #parts: CallParts;
  /** Aborted at the deadline, by the caller's own signal, or once the call is over. */
  readonly #signal: AbortSignal;
  readonly #deadline = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #isStream: boolean;
  #holder: Holder | null = null;
  #hasKey = false;
  #trouble = "";

  constructor(parts: CallParts, signal: AbortSignal | null, isStream: boolean) {
    this.#parts = parts;
    this.#isStream = isStream;
    this.#signal = signal === null ? this.#deadline.signal : AbortSignal.any([this.#deadline.signal, signal]);
    const { deadlineMs } = parts;
    // Timers end at 24 days; a longer deadline is none.
    this.#timer = setTimeout(() => this.#deadline.abort(), Math.min(deadlineMs, 2 ** 31 - 1));
  }

  /** Clears up after a call that isn't a stream. */
  async endWith(result: Promise<unknown>): Promise<void> {
    try {
      await result;
    } catch {
      // The caller's to know.
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /** The attempt; undefined: this is no request to the service, `got` sends it as any other. */
  async send(url: URL, native: RequestOptions): Promise<ClientRequest | undefined> {
    const { service, name, urlOf, agent, secureAgent, holders, inFlight } = this.#parts;
    if (url.origin !== new URL(name).origin) return undefined;
    const holder = await this.#findHolder();
    // Nobody can say how long a stream goes on.
    if (this.#isStream) clearTimeout(this.#timer);
    this.#holder = holder;
    const base = new URL(urlOf(holder));
    const target = new URL(`${base.pathname.replace(/\/$/u, "")}${url.pathname}${url.search}`, base);
    const isSecure = target.protocol === "https:";
    const headers = {
      ...headersOf(native),
      [EPOCH_HEADER]: String(holder.epoch),
      [SERVICE_HEADER]: encodeURIComponent(service),
    };
    this.#hasKey = "idempotency-key" in headers;
    const mayBeRepeated = this.#hasKey || isIdempotent(native.method ?? "GET");
    const request = (isSecure ? requestSecure : requestPlain)(target, {
      ...native,
      headers,
      agent: isSecure ? secureAgent : agent,
    });
    const onDeadline = (): void => {
      request.destroy(this.#tooLate());
    };
    this.#deadline.signal.addEventListener("abort", onDeadline, { once: true });
    request.once("close", () => this.#deadline.signal.removeEventListener("abort", onDeadline));
    if (mayBeRepeated) inFlight.add(request, holder);
    request.once("response", (response) => {
      const epoch = answeredAt(response, service);
      if (epoch === null) return;
      const highest = holders.highestEpoch(service);
      if (epoch >= highest) inFlight.settle(request);
      else if (mayBeRepeated) request.destroy(new HolderMoved(service, epoch, highest));
      holders.hear(service, epoch);
    });
    return request;
  }

  /** Milliseconds to wait before the next attempt; 0: there is none. */
  pauseAfter(error: RequestError, attempt: number, limit: number): number {
    const { holders, service } = this.#parts;
    const { response } = error;
    const problem = problemIn(response?.body, service);
    if (problem.epoch !== null) holders.hear(service, problem.epoch);
    const again =
      limit > 0 &&
      !this.#signal.aborted &&
      mayRepeat({
        method: error.options.method,
        hasKey: this.#hasKey,
        code: error.code,
        phase: "event" in error ? String(error.event) : "",
        status: response?.statusCode ?? null,
        problem: problem.code,
      });
    if (this.#holder !== null && (again || response === undefined)) holders.doubt(service, this.#holder);
    this.#trouble = error.message;
    return again ? Math.max(1, pauseMs(attempt, Math.random())) : 0;
  }

  async #findHolder(): Promise<Holder> {
    const { holders, service } = this.#parts;
    for (let attempt = 1; ; attempt += 1) {
      if (this.#signal.aborted) throw this.#tooLate();
      const known = holders.holder(service);
      if (known !== null) return known;
      try {
        const state = await this.#orDeadline(holders.refresh(service));
        if (state.holder !== null) continue;
        this.#trouble = vacant(service).message;
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.#trouble = messageOf(error);
      }
      await this.#orDeadline(sleep(pauseMs(attempt, Math.random())));
    }
  }

  async #orDeadline<T>(work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const onAbort = (): void => late.reject(this.#tooLate());
    this.#signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      this.#signal.removeEventListener("abort", onAbort);
    }
  }

  #tooLate(): ArbiterError {
    const { service, deadlineMs } = this.#parts;
    const why = this.#trouble === "" ? "The holder has not answered." : `Last: ${this.#trouble}`;
    return new ArbiterError("ERR_ARB_DEADLINE", `${service}: no answer within ${deadlineMs} ms. ${why}`);
  }
}

function headersOf({ headers = {} }: RequestOptions): OutgoingHttpHeaders {
  return isList(headers) ? {} : headers;
}

/** `got` gives them as an object. */
function isList(headers: OutgoingHttpHeaders | readonly string[]): headers is readonly string[] {
  return Array.isArray(headers);
}

/** The epoch that an answer says it was given at; null: it says none, or of another service. */
function answeredAt({ headers }: IncomingMessage, service: string): number | null {
  const of = headers[SERVICE_HEADER];
  if (of !== undefined && of !== encodeURIComponent(service)) return null;
  return epochIn(headers[EPOCH_HEADER]) ?? null;
}

/** What a problem in an answer's body says to us: of this service, or of none by name. */
function problemIn(body: unknown, asked: string): { readonly code: string; readonly epoch: number | null } {
  const none = { code: "", epoch: null };
  const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : body;
  let value: unknown = text;
  if (typeof text === "string") {
    if (!text.startsWith("{")) return none;
    try {
      value = JSON.parse(text);
    } catch {
      return none;
    }
  }
  if (typeof value !== "object" || value === null) return none;
  const { code, epoch, service }: { code?: unknown; epoch?: unknown; service?: unknown } = value;
  if (code !== "ERR_ARB_NOT_HOLDER" && code !== "ERR_ARB_OLD_EPOCH") return none;
  const isOurs = service === asked || service === "";
  return { code, epoch: isOurs && typeof epoch === "number" ? epoch : null };
}
