/** Connections that are kept and not used give way to newcomers; those in use don't. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { boundConnections } from "../../../src/protocol/connection-places.ts";

const MOST = 16;
let server: Server;
let sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  server.close();
  server.closeAllConnections();
  await once(server, "close");
});

/** `/slow` is answered only once everybody else has been. */
async function started(): Promise<number> {
  server = createServer((request, response) => {
    if (request.url !== "/slow") response.end("here");
  });
  boundConnections(server, MOST, true);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? bound.port : 0;
}

/** Whether it was answered; the connection is kept. */
async function ask(port: number, path: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "connect");
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  if (path !== "/slow") await Promise.race([once(socket, "data"), once(socket, "close")]);
  return socket;
}

test("a hundred who stay keep nobody out, and the longest idle goes first", async () => {
  const port = await started();
  const first = await ask(port, "/");
  for (let at = 0; at < 100; at += 1) expect((await ask(port, "/")).bytesRead).toBeGreaterThan(0);
  expect((await ask(port, "/")).bytesRead).toBeGreaterThan(0);
  expect(first.destroyed).toBe(true);
  expect(sockets.filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(MOST);
});

test("those who say nothing give way, too; who waits for an answer doesn't", async () => {
  const port = await started();
  const waiting = await ask(port, "/slow");
  for (let at = 0; at < 40; at += 1) {
    const silent = connect(port, "127.0.0.1");
    silent.on("error", () => {});
    sockets.push(silent);
    await once(silent, "connect");
  }
  expect((await ask(port, "/")).bytesRead).toBeGreaterThan(0);
  expect(waiting.destroyed).toBe(false);
});
