/**
 * A server's connections are bounded, and whoever keeps one without using it must not keep others
 * out: a few hundred strangers who ask once and then stay would otherwise shut out the arbiter that
 * takes the lead, or the holder that needs a promise.
 *
 * So when few places are left, each newcomer's is that of the connection that has been idle for
 * longest. Who is checked, or checks, is hardly ever that one; and if he is, he comes back: a kept-alive
 * connection that closes between two requests is repeated, not counted.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Of all places, those that are kept for newcomers: enough for a burst between two turns of the loop. */
const KEPT_FREE = 1 / 8;

/** Nothing for so long in the middle of an answer: who reads it has gone, or never meant to. */
const STALLED_ANSWER_MS = 60_000;

/**
 * `answersInTime`: every answer is our own, and none stands still. Returns what has to be told of requests that
 * the server itself doesn't see.
 */
export function boundConnections(
  server: Server,
  most: number,
  answersInTime: boolean,
): (socket: Socket) => void {
  server.maxConnections = most;
  if (answersInTime) server.timeout = STALLED_ANSWER_MS;
  const crowdedAt = Math.ceil(most * (1 - KEPT_FREE));
  /** By the other end's address and port: under TLS the socket of a request isn't the connection's own. */
  const open = new Map<string, Socket>();
  /** The same, only those without a request; the longest idle first. */
  const idle = new Map<string, Socket>();

  server.on("connection", (socket: Socket) => {
    const place = placeOf(socket);
    open.set(place, socket);
    idle.set(place, socket);
    socket.once("close", () => {
      if (open.get(place) !== socket) return;
      open.delete(place);
      idle.delete(place);
    });
    if (open.size <= crowdedAt) return;
    const [longest] = idle.values();
    if (longest !== undefined && longest !== socket) longest.destroy();
  });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const place = placeOf(request.socket);
    idle.delete(place);
    response.once("close", () => {
      const socket = open.get(place);
      if (socket !== undefined) idle.set(place, socket);
    });
  });
  return (socket: Socket): void => {
    const place = placeOf(socket);
    if (idle.delete(place)) idle.set(place, socket);
  };
}

function placeOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
