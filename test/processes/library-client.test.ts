/**
 * The client against small arbiters that break, lag behind or refuse: it asks the next one, never
 * reads backwards (I8), and loses no event over a broken stream.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener, Server, ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { connect } from "../../src/client.ts";
import { freePort, portOf } from "./library-processes.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
});

async function arbiter(respond: RequestListener): Promise<string> {
  const server = createServer(respond).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${portOf(server)}`;
}

function answer(response: ServerResponse, version: number, holder: string | null): void {
  const headers = { "content-type": "application/json", "arbiter-version": String(version) };
  const port = 7768;
  const body = {
    service: "s",
    holder,
    address: "10.0.0.2",
    port,
    url: "http://10.0.0.2:7768",
    epoch: 4,
    version,
  };
  const problem = { status: 503, code: "ERR_ARB_VACANT", detail: "s has no holder at the moment." };
  response
    .writeHead(holder === null ? 503 : 200, headers)
    .end(JSON.stringify(holder === null ? problem : body));
}

test("it asks the next arbiter when one is down, and says what it has seen", async () => {
  const asked: (string | undefined)[] = [];
  const alive = await arbiter((request, response) => {
    if (request.url === "/v1/services/s") asked.push(String(request.headers["arbiter-min-version"]));
    answer(response, 7, "slave");
  });
  const cluster = connect(`http://127.0.0.1:${await freePort()}, ${alive}`);
  const holder = await cluster.resolve("s");
  expect(holder).toMatchObject({ holder: "slave", url: "http://10.0.0.2:7768", epoch: 4, version: 7 });
  await cluster.resolve("s");
  expect(asked).toEqual(["undefined", "7"]);
  expect(cluster.version).toBe(7);
});

test("an arbiter that lags behind is not believed, whatever it says", async () => {
  let isAhead = true;
  const ahead = await arbiter((_request, response) => {
    if (isAhead) answer(response, 9, "slave");
    else response.destroy();
  });
  const behind = await arbiter((_request, response) => answer(response, 8, "master"));
  const cluster = connect([ahead, behind]);
  expect((await cluster.resolve("s")).holder).toBe("slave");
  isAhead = false;
  await expect(cluster.resolve("s")).rejects.toMatchObject({
    code: "ERR_ARB_UNREACHABLE",
    message: expect.stringContaining("has version 8, and 9 has been seen") as unknown,
  });
});

test("nobody holds it, and no such service, are two different errors", async () => {
  const one = await arbiter((request, response) => {
    if (request.url?.endsWith("/s") === true) answer(response, 1, null);
    else response.writeHead(404, { "arbiter-version": "1" }).end('{"detail":"There is no service t."}');
  });
  const cluster = connect(one);
  await expect(cluster.resolve("s")).rejects.toMatchObject({ code: "ERR_ARB_VACANT" });
  await expect(cluster.resolve("t")).rejects.toMatchObject({
    code: "ERR_ARB_NOT_FOUND",
    message: "There is no service t.",
  });
});

test("what isn't a list of addresses is an error at once", () => {
  expect(() => connect("10.0.0.1")).toThrow(/connect\(\) takes arbiters' addresses/u);
  expect(() => connect("ftp://10.0.0.1:7770")).toThrow(/found "ftp:/u);
  expect(() => connect("")).toThrow(/found nothing/u);
});

/** Answers with the events of a log from where the reader was, `most` of them, then breaks off. */
function streaming(log: readonly number[], most: number): RequestListener {
  return (request, response) => {
    if (request.url?.startsWith("/v1/events/stream") !== true) {
      response.writeHead(200, { "arbiter-version": "1" }).end(JSON.stringify({ events: [], last: 2 }));
      return;
    }
    const after = Number(request.headers["last-event-id"]);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 1000\n\n: hello\n\n");
    for (const seq of log.filter((each) => each > after).slice(0, most)) {
      response.write(`id: ${seq}\ndata: ${JSON.stringify({ seq, type: "t", text: `event ${seq}` })}\n\n`);
    }
    setTimeout(() => response.destroy(), 20);
  };
}

test("events go on without loss over arbiters that break off", async () => {
  const log = [1, 2, 3, 4, 5, 6, 7];
  const cluster = connect([await arbiter(streaming(log, 2)), await arbiter(streaming(log, 3))]);
  const seen: number[] = [];
  for await (const { seq } of cluster.events({ after: 0 })) {
    seen.push(seq);
    if (seq === 7) break;
  }
  expect(seen).toEqual(log);
});

test("without a number it begins with what happens next", async () => {
  const cluster = connect(await arbiter(streaming([1, 2, 3, 4], 9)));
  const seen: number[] = [];
  for await (const { seq } of cluster.events()) {
    seen.push(seq);
    if (seq === 4) break;
  }
  expect(seen).toEqual([3, 4]);
});

test("a refused token ends the loop with a sentence, and a signal without one", async () => {
  const guarded = await arbiter((_request, response) => response.writeHead(401).end("{}"));
  const refused = connect(guarded).events({ after: 0 });
  await expect(refused.next()).rejects.toMatchObject({ code: "ERR_ARB_UNAUTHORIZED" });
  const abort = new AbortController();
  const quiet = await arbiter((_request, response) => response.writeHead(200).flushHeaders());
  const ended = connect(quiet).events({ after: 0, signal: abort.signal }).next();
  setTimeout(() => abort.abort(), 50);
  expect(await ended).toEqual({ done: true, value: undefined });
});
