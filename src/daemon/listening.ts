/**
 * Opens the daemon's one port: HTTP, or HTTPS where `use_ssl` says so, and never the one in place
 * of the other. Whatever keeps it from listening becomes one error that says what to do.
 */
import { createServer } from "node:http";
import type { RequestListener, Server, ServerOptions } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Server as SecureServer } from "node:https";
import { isIPv6 } from "node:net";
import type { Socket } from "node:net";
import { answerBrokenRequest } from "../protocol/broken-request.ts";
import { boundConnections } from "../protocol/connection-places.ts";
import { ArbiterError, codeOf } from "../protocol/errors.ts";
import type { PlainRequest } from "../protocol/plain-request.ts";
import type { TlsSource } from "../protocol/tls.ts";
import { openCheckLane } from "./check-lane.ts";
import type { LaneAnswer } from "./check-lane.ts";

/** Below that a client's connection and the server's time-out meet, and checks fail with a reset. */
const SHORTEST_KEEP_ALIVE_MS = 65_000;
/** A client that dawdles over its headers or its body is cut off. */
const HEADERS_TIMEOUT_MS = 4_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Each look wakes the process, so not more often than it matters. */
const LOOK_FOR_DAWDLERS_EVERY_MS = 3_000;
/** Arbiters, fellow candidates, load balancers and a scraper or two need a few dozen. */
const MOST_CONNECTIONS = 512;
/** A daemon that serves its own users at this port has more of them; arbiters must still get through. */
const MOST_WITH_USERS = 8192;

export interface Listening {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  /** Also those with a request under way. */
  readonly closeAllConnections: () => void;
}

export interface Handlers {
  readonly onRequest: RequestListener;
  /** Of a check that came the short way (see check-lane.ts); null: it has to come the other. */
  readonly onCheck: (request: PlainRequest) => Promise<LaneAnswer> | null;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly useSsl: boolean;
  readonly tls: TlsSource;
  readonly keepAliveMs: number;
  readonly servesUsers: boolean;
}

export async function listen(asked: ListenOptions, handlers: Handlers): Promise<Listening> {
  const { onRequest, onCheck } = handlers;
  // An IPv6 address may be written in brackets, as in a URL.
  const options = { ...asked, host: asked.host.replace(/^\[(.*)\]$/u, "$1") };
  const keepAliveMs = Math.max(SHORTEST_KEEP_ALIVE_MS, options.keepAliveMs);
  const timing = {
    noDelay: true,
    keepAlive: true,
    keepAliveTimeout: keepAliveMs,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: LOOK_FOR_DAWDLERS_EVERY_MS,
  };
  const server = options.useSsl ? secureServer(options, timing, onRequest) : createServer(timing, onRequest);
  const { servesUsers } = options;
  const most = servesUsers ? MOST_WITH_USERS : MOST_CONNECTIONS;
  const lane = {
    answer: onCheck,
    onUsed: (socket: Socket): void => onUsed(socket),
    firstRequestMs: HEADERS_TIMEOUT_MS,
    keepAliveMs,
  };
  const closeLane = options.useSsl ? (): void => {} : openCheckLane(server, lane);
  const onUsed = boundConnections(server, most, !servesUsers);
  server.on("clientError", answerBrokenRequest);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(options, error)));
    server.listen({ host: options.host, port: options.port, exclusive: true }, resolve);
  });
  server.removeAllListeners("error");
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : options.port;
  const closeAllConnections = (): void => {
    server.closeAllConnections();
    closeLane();
  };
  return { server, port, url: urlOf(options.useSsl, options.host, port), closeAllConnections };
}

/** `http://127.0.0.1:7768`; IPv6 in brackets. */
export function urlOf(useSsl: boolean, host: string, port: number): string {
  return `${useSsl ? "https" : "http"}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** With certificates that are followed; without any, the error that says so. */
function secureServer(
  { name, tls }: ListenOptions,
  timing: ServerOptions,
  onRequest: RequestListener,
): SecureServer {
  // Node would wait two minutes for who has begun to speak TLS and says no more.
  const handshakeTimeout = HEADERS_TIMEOUT_MS;
  const server = createSecureServer({ ...timing, handshakeTimeout, ...tls.serverOptions(name) }, onRequest);
  tls.follow(server);
  return server;
}

function listenError(options: ListenOptions, cause: Error): ArbiterError {
  const where = `${options.host}:${options.port}`;
  const code = codeOf(cause);
  if (code === "EADDRINUSE") {
    return new ArbiterError(
      "ERR_ARB_PORT_IN_USE",
      `${options.name} can't listen at ${where}: another process does already. ` +
        `See which with \`ss -ltnp 'sport = :${options.port}'\`, stop it, or give ${options.name} another \`port\`.`,
      { cause },
    );
  }
  const why =
    code === "EADDRNOTAVAIL"
      ? "the address isn't one of this machine's"
      : code === "EACCES"
        ? "the port is for privileged processes"
        : code === "ENOTFOUND" || code === "EAI_AGAIN"
          ? "the host name can't be resolved"
          : cause.message;
  return new ArbiterError(
    "ERR_ARB_BIND",
    `${options.name} can't listen at ${where}: ${why}. Correct \`address\` and \`port\`, or --host and --port.`,
    { cause },
  );
}
