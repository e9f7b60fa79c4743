/**
 * The answer to what isn't HTTP, comes too slowly or has endless headers: a problem like every
 * other, then the end of the connection. Node leaves that to whoever listens to `clientError`.
 *
 * Sockets of a server stay half open: who never closes his end would hold his place, of which there
 * are only so many, for as long as he likes. So it is cut off once the answer has had its time.
 */
import type { Duplex } from "node:stream";
import { codeOf } from "./errors.ts";
import { problem } from "./problem.ts";

/** Some 300 bytes: they are there in one round trip, or not at all. */
const LINGER_MS = 1_000;

export function answerBrokenRequest(error: Error, socket: Duplex): void {
  if (!socket.writable || codeOf(error) === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, title, detail] = whatWasWrong(codeOf(error));
  const body = JSON.stringify(problem(status, title, detail, { code: "ERR_ARB_BODY" }));
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(timer));
}

function whatWasWrong(code: string): readonly [number, string, string] {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return [408, "Request Timeout", "The request took too long to arrive."];
  if (code === "HPE_HEADER_OVERFLOW")
    return [431, "Request Header Fields Too Large", "The headers are too large."];
  return [400, "Bad Request", "This is no HTTP request that can be read."];
}
