/**
 * One HTTP request with the bounds that a command needs: to reach a machine, and to get its answer.
 *
 * Node's own client rather than a library: a library costs more time to load than everything else
 * that a command does, and a command is to answer before the one who typed it looks up.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Readable } from "node:stream";
import { PassThrough } from "node:stream";

export interface RequestTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** false: whoever it is, an answer is an answer. */
  readonly rejectUnauthorized?: boolean;
}

export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Time for the name, the connection and, with TLS twice that, the handshake. */
  readonly connectMs: number;
  /** Time for all of it; Infinity: a stream, which has no end. */
  readonly totalMs: number;
  readonly tls: RequestTls;
}

/** Why there is no answer. `notSent`: the request has certainly not reached anyone. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  readonly notSent: boolean;

  constructor(message: string, notSent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.notSent = notSent;
  }
}

/** The whole answer as text, of any status; rejects with `NoAnswer`. */
export async function httpText(request: HttpRequest): Promise<{ status: number; text: string }> {
  const { response, end } = await begin(request);
  try {
    const parts: Buffer[] = [];
    for await (const part of response) if (part instanceof Buffer) parts.push(part);
    return { status: response.statusCode ?? 0, text: Buffer.concat(parts).toString("utf8") };
  } catch (error) {
    throw reasonOf(error, false);
  } finally {
    end();
  }
}

/** A long answer as it comes. What goes wrong, a status that isn't a success included, is its `error`. */
export function httpStream(request: HttpRequest): Readable {
  const stream = new PassThrough();
  void begin(request).then(
    ({ response, outgoing }) => {
      stream.once("close", () => outgoing.destroy());
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) {
        response.resume();
        stream.destroy(new NoAnswer(`it answered with status ${status}`, false));
        return;
      }
      response.once("error", (error) => stream.destroy(error));
      response.pipe(stream);
    },
    (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return stream;
}

interface Begun {
  readonly response: IncomingMessage;
  readonly outgoing: ClientRequest;
  readonly end: () => void;
}

async function begin(request: HttpRequest): Promise<Begun> {
  const outgoing = await open(request);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const isSecure = request.url.startsWith("https:");
  let isConnected = false;
  const give = (why: string): void => void outgoing.destroy(new NoAnswer(why, !isConnected));
  const connecting = setTimeout(() => give("no answer in time"), request.connectMs * (isSecure ? 2 : 1));
  const whole = Number.isFinite(request.totalMs)
    ? setTimeout(() => give("no answer in time"), request.totalMs)
    : undefined;
  const end = (): void => {
    clearTimeout(connecting);
    clearTimeout(whole);
  };
  outgoing.once("socket", (socket) => {
    socket.once(isSecure ? "secureConnect" : "connect", () => {
      isConnected = true;
      clearTimeout(connecting);
    });
  });
  outgoing.once("response", resolve);
  outgoing.on("error", (error) => {
    end();
    reject(reasonOf(error, !isConnected));
  });
  outgoing.end(request.body);
  return { response: await promise, outgoing, end };
}

async function open({ url, method, headers, body, tls }: HttpRequest): Promise<ClientRequest> {
  const { request } = url.startsWith("https:") ? await import("node:https") : await import("node:http");
  const options: RequestOptions & RequestTls = {
    method,
    headers: {
      ...headers,
      ...(body === undefined
        ? {}
        : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
    },
    // One question, one connection: nothing keeps the process from ending.
    agent: false,
    ...tls,
  };
  return request(new URL(url), options);
}

const PLAIN: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "no such host",
  ETIMEDOUT: "no answer in time",
};

function reasonOf(error: unknown, notSent: boolean): NoAnswer {
  if (error instanceof NoAnswer) return error;
  if (!(error instanceof Error)) throw new TypeError("what was thrown is no error", { cause: error });
  const code = "code" in error ? String(error.code) : "";
  return new NoAnswer(PLAIN[code] ?? (error.message || code), notSent, { cause: error });
}
