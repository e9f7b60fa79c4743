/**
 * The kept-alive connection to one daemon, and the checks on their way over it.
 *
 * One undici `Client` a daemon: a pool costs twice the memory. It connects by itself when there is
 * something to send; the name is looked up anew each time. Its own time-outs are off, since one
 * wheel holds the deadlines of all checks.
 */
import { Client, type Dispatcher, type buildConnector } from "undici";
import { MESSAGE_LIMIT_BYTES } from "../protocol/messages.ts";
import { classify, timedOut, type CheckStage, type FailedCheck } from "./check-failure.ts";

/** The daemons keep a connection for 65 s and four intervals; an interval is far below this. */
const IDLE_MS = 600_000;

export type CheckEnd =
  | { readonly ok: true; readonly statusCode: number; readonly text: string }
  | ({ readonly ok: false } & FailedCheck);

/** One check on its way. Ends exactly once. */
export class Check implements Dispatcher.DispatchHandler {
  readonly daemon: string;
  readonly to: string;
  readonly sentAtMs: number;
  readonly timeoutMs: number;
  readonly link: CheckLink;
  readonly #onEnd: (check: Check, end: CheckEnd) => void;
  readonly #stage = { wasSent: false, wasReused: false, wasAnswered: false };
  #statusCode = 0;
  #bytes = 0;
  #chunks: Buffer[] = [];
  #ended = false;
  #dropped = false;

  constructor(
    what: {
      readonly daemon: string;
      readonly to: string;
      readonly sentAtMs: number;
      readonly timeoutMs: number;
    },
    link: CheckLink,
    onEnd: (check: Check, end: CheckEnd) => void,
  ) {
    this.daemon = what.daemon;
    this.to = what.to;
    this.sentAtMs = what.sentAtMs;
    this.timeoutMs = what.timeoutMs;
    this.link = link;
    this.#onEnd = onEnd;
  }

  get stage(): CheckStage {
    return this.#stage;
  }

  onRequestStart(): void {
    this.#stage.wasSent = true;
    this.#stage.wasReused = this.link.answers > 0;
  }

  onResponseStarted(): void {
    this.#stage.wasAnswered = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number): void {
    this.#stage.wasAnswered = true;
    this.#statusCode = statusCode;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= MESSAGE_LIMIT_BYTES) this.#chunks.push(chunk);
    else controller.abort(new Error(`the answer is larger than ${MESSAGE_LIMIT_BYTES} bytes`));
  }

  onResponseEnd(): void {
    const [only] = this.#chunks;
    const body = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
    this.end({ ok: true, statusCode: this.#statusCode, text: body.toString("utf8") });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.end({ ok: false, ...classify(error, this.#stage) });
  }

  timeOut(): void {
    this.end({ ok: false, ...timedOut(this.timeoutMs, this.#stage) });
  }

  /** Ends it without a word: nobody waits for it any more. */
  drop(): void {
    this.#ended = true;
    this.#dropped = true;
  }

  end(end: CheckEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#chunks = [];
    this.link.ended(this, end.ok);
    if (end.ok) {
      this.#onEnd(this, end);
      return;
    }
    // Whoever hears of it may send the next check at once: not while the client still clears away
    // what failed with this one (it asserts that nothing new has come), nor on a link that is just
    // being broken off.
    queueMicrotask(() => {
      if (!this.#dropped) this.#onEnd(this, end);
    });
  }
}

export interface LinkOptions {
  readonly url: string;
  readonly connect: buildConnector.connector;
  /** It closed while idle, and not by us. */
  onClosed(): void;
}

export class CheckLink {
  readonly url: string;
  readonly #client: Client;
  readonly #path: string;
  readonly #inFlight = new Set<Check>();
  /** Answers on the present connection. */
  answers = 0;
  #shortLived = 0;
  #isConnected = false;
  #isOver = false;

  constructor(options: LinkOptions) {
    const url = new URL(options.url);
    this.url = options.url;
    this.#path = `${url.pathname.replace(/\/$/u, "")}/v1/assignment`;
    this.#client = new Client(url.origin, {
      connect: options.connect,
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
    });
    this.#client.on("connect", () => {
      this.#isConnected = true;
      this.answers = 0;
    });
    this.#client.on("disconnect", (_origin, _targets, error) => {
      this.#isConnected = false;
      const wasAlive = this.answers > 0 && this.#inFlight.size === 0 && !this.#isOver;
      const isOfUs = error.code === "UND_ERR_INFO";
      const isHint = wasAlive && !isOfUs && this.#isWorthAHint();
      this.answers = 0;
      if (isHint) options.onClosed();
    });
  }

  get isBusy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** The next check opens a connection, looking the name up anew. */
  get isFresh(): boolean {
    return !this.#isConnected && !this.isBusy;
  }

  send(check: Check, headers: readonly string[], body: string): void {
    this.#inFlight.add(check);
    try {
      this.#client.dispatch({ method: "PUT", path: this.#path, headers: [...headers], body }, check);
    } catch (error) {
      check.end({ ok: false, ...classify(error, check.stage) });
    }
  }

  ended(check: Check, wasAnswered: boolean): void {
    this.#inFlight.delete(check);
    // A connection that fails a check closes with it: that closing says nothing new.
    this.answers = wasAnswered ? this.answers + 1 : 0;
  }

  /** No new check goes over it; what is on its way may end. */
  async retire(): Promise<void> {
    this.#isOver = true;
    if (this.isBusy) await this.#client.close();
    else await this.#client.destroy();
  }

  /** Closes it at once; what is on its way ends without a word. */
  async cut(): Promise<void> {
    this.#isOver = true;
    for (const check of this.#inFlight) check.drop();
    this.#inFlight.clear();
    await this.#client.destroy();
  }

  /** Closes it at once; what else is on its way over it fails. */
  async breakOff(): Promise<void> {
    this.#isOver = true;
    await this.#client.destroy();
  }

  /**
   * A daemon that dies closes a connection that has lived for a while. A server that ends each
   * connection after one answer would be checked without pause if each of these were a hint.
   */
  #isWorthAHint(): boolean {
    this.#shortLived = this.answers > 1 ? 0 : this.#shortLived + 1;
    return this.#shortLived <= 1;
  }
}
