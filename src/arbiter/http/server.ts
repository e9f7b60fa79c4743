/**
 * The listening socket: HTTP or HTTPS, its limits, and the one path that goes around express.
 *
 * It listens before anything else of the process is begun, so that a port in use is found out
 * before a store is touched; until the API is there, it answers 503. TLS that was asked for and
 * can't be had is an error, never plain HTTP.
 */
import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Server as SecureServer } from "node:https";
import { answerBrokenRequest } from "../../protocol/broken-request.ts";
import { boundConnections } from "../../protocol/connection-places.ts";
import { ArbiterError, codeOf, messageOf } from "../../protocol/errors.ts";
import { problem, sendProblem } from "../../protocol/problem.ts";
import type { TlsSource } from "../../protocol/tls.ts";
import type { ProcessLog } from "../log.ts";
import type { Api } from "./api.ts";
import { createApp } from "./app.ts";
import { ReportReceiver } from "./reports.ts";

export interface Listening {
  readonly server: ApiServer;
  readonly port: number;
}

export interface ListenOptions {
  readonly address: string;
  readonly port: number;
  /** null: plain HTTP, as configured. */
  readonly tls: TlsSource | null;
  /** The arbiter's name, for errors. */
  readonly name: string;
  readonly log: ProcessLog;
}

/** A header that is sent slower than this isn't sent by a client of ours. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
/** Longer than a minute, as proxies keep theirs, so that the client is the one to close. */
const KEEP_ALIVE_MS = 75_000;
const MOST_CONNECTIONS = 20_000;

export class ApiServer {
  readonly #server: Server;
  readonly #log: ProcessLog;
  #serve: RequestListener = starting;

  constructor({ tls, name, log }: ListenOptions) {
    this.#log = log;
    const limits = {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: 16 * 1024,
      noDelay: true,
    };
    const listener: RequestListener = (request, response) => this.#serve(request, response);
    if (tls === null) {
      this.#server = createHttpServer(limits, listener);
    } else {
      // Node would wait two minutes for who has begun to speak TLS and says no more.
      const options = { ...limits, handshakeTimeout: HEADERS_TIMEOUT_MS, ...tls.serverOptions(name) };
      const secure: SecureServer = createHttpsServer(options, listener);
      tls.follow(secure);
      this.#server = secure;
    }
    boundConnections(this.#server, MOST_CONNECTIONS, true);
    this.#server.on("clientError", answerBrokenRequest);
  }

  async listen(address: string, port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    this.#server.once("error", reject);
    this.#server.listen({ host: bare(address), port }, () => resolve(undefined));
    try {
      await promise;
    } catch (error) {
      throw bindError(address, port, error);
    }
    this.#server.removeAllListeners("error");
    this.#server.on("error", (error: Error) => this.#log.error(`The HTTP server: ${error.message}`));
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? bound.port : port;
  }

  /** From now on the API answers. */
  open(api: Api): void {
    const app = createApp(api, this.#log);
    const reports = new ReportReceiver(api);
    this.#serve = (request: IncomingMessage, response: ServerResponse) => {
      if (request.method !== "POST" || request.url?.split("?", 1)[0] !== "/v1/reports") {
        app(request, response);
        return;
      }
      reports.serve(request, response).catch((error: unknown) => {
        this.#log.error(`A report could not be taken: ${messageOf(error)}`);
        sendProblem(
          response,
          problem(500, "Internal Server Error", "The arbiter failed to take it; its log says why.", {
            code: "ERR_ARB_INTERNAL",
          }),
        );
      });
    };
  }

  /** Answers what has been asked, for a moment, and then cuts off: streams never end by themselves. */
  async close(graceMs: number): Promise<void> {
    this.#serve = stopping;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#server.close(() => resolve(undefined));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await promise;
    clearTimeout(timer);
  }
}

function unavailable(response: ServerResponse, detail: string): void {
  sendProblem(response, problem(503, "Service Unavailable", detail, { code: "ERR_ARB_NOT_LEADER" }), {
    "retry-after": "1",
    connection: "close",
  });
}

function starting(_request: IncomingMessage, response: ServerResponse): void {
  unavailable(response, "This arbiter is starting. Ask again in a moment.");
}

function stopping(_request: IncomingMessage, response: ServerResponse): void {
  unavailable(response, "This arbiter is stopping. Ask another one.");
}

/** IPv6 as URLs write it has brackets; sockets don't. */
function bare(address: string): string {
  return address.replace(/^\[(.*)\]$/u, "$1");
}

function bindError(address: string, port: number, error: unknown): ArbiterError {
  const where = `${address}:${port}`;
  const code = codeOf(error);
  if (code === "EADDRINUSE") {
    return new ArbiterError(
      "ERR_ARB_PORT_IN_USE",
      `Another process listens at ${where} already. If it is this arbiter, \`arbiter stop\` ends it; ` +
        "else give this one another `port` in its .cfg.",
      { cause: error },
    );
  }
  const what =
    code === "EADDRNOTAVAIL"
      ? "it is no address of this machine. Correct `address`, or name the one to listen at as `bind` in [security]"
      : code === "EACCES"
        ? "this user may not. Ports below 1024 are privileged: choose another `port`"
        : messageOf(error);
  return new ArbiterError("ERR_ARB_BIND", `Can't listen at ${where}: ${what}.`, { cause: error });
}

/** Makes the server and listens. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const server = new ApiServer(options);
  return { server, port: await server.listen(options.address, options.port) };
}
