/**
 * The short way of a check: whatever it takes for one whole request, Node's own parser takes for the very same
 * one and nothing more, byte for byte.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { duplexPair } from "node:stream";
import { readBytes } from "../../src/protocol/body.ts";
import { readPlainRequest } from "../../src/protocol/plain-request.ts";
import type { Random } from "../../src/simulator/random.ts";
import { mutateText } from "./mutate.ts";
import { check, shown, type Target } from "./target.ts";

const LINE = "PUT /v1/assignment HTTP/1.1";
const HEADERS = [
  "host: 127.0.0.1:7768",
  "host: [::1]:7768",
  "connection: keep-alive",
  "connection: close",
  "Connection: keep-alive",
  "content-type: application/json",
  "accept: application/json",
  "authorization: Bearer 0123456789abcdef",
  "transfer-encoding: chunked",
  "expect: 100-continue",
  "content-length: 2",
  "content-length: 02",
  "content-length:2",
  " content-length: 2",
] as const;
const WORDS = ["\r\n", "\r\n\r\n", "\n", "\r", " ", ":", ": ", "0", "\t", "\0", "é", LINE, ...HEADERS];

/** Mostly nearly right: what is taken matters more here than what isn't. */
function requestText(random: Random): string {
  const body = "x".repeat(random.whole(1, 40));
  const lines = ["host: a", "content-type: application/json", `content-length: ${body.length}`];
  for (let more = random.whole(0, 3); more > 0; more -= 1) lines.push(random.pick(HEADERS));
  const text = `${LINE}\r\n${lines.join("\r\n")}\r\n\r\n${body}`;
  return random.chance(0.5) ? mutateText(random, text, WORDS) : text;
}

/** Every request that Node finds, and whether it found anything else. */
async function readByNode(server: Server, bytes: Buffer): Promise<object[]> {
  const [client, theirs] = duplexPair();
  const found: Promise<object>[] = [];
  const onRequest = (request: Parameters<Parameters<Server["on"]>[1]>[0]): void => {
    found.push(
      readBytes(request, 1_000).then((read) => ({
        line: `${request.method} ${request.url} HTTP/${request.httpVersion}`,
        headers: { ...request.headers },
        body: read.ok ? read.bytes.toString("latin1") : "cut short",
      })),
    );
  };
  const onBroken = (): void => void found.push(Promise.resolve({ line: "broken" }));
  server.on("request", onRequest);
  server.on("clientError", onBroken);
  server.emit("connection", theirs);
  client.resume();
  client.end(bytes);
  await once(theirs, "end");
  const all = await Promise.all(found);
  server.off("request", onRequest);
  server.off("clientError", onBroken);
  client.destroy();
  theirs.destroy();
  return all;
}

export const plainRequests: Target = {
  name: "plain-requests",
  share: 3,
  block: 1_000,
  open: () => {
    const server = createServer();
    return {
      async run(random): Promise<void> {
        const bytes = Buffer.from(requestText(random), "latin1");
        const taken = readPlainRequest(bytes, LINE);
        if (taken === null) return;
        const wanted = { line: LINE, headers: taken.headers, body: taken.body.toString("latin1") };
        const found = await readByNode(server, bytes);
        check(
          JSON.stringify(found) === JSON.stringify([wanted]),
          () => `taken for ${shown(wanted)}, which is ${shown(found)}: ${shown(bytes.toString("latin1"))}`,
        );
      },
    };
  },
};
