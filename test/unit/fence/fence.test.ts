/**
 * A receiver behind the fence, as express middleware in a real server and as the plain function:
 * what an old holder sends is refused, and on a daemon everything that no valid lease covers, also
 * an answer that was ready too late.
 */
import { once } from "node:events";
import type { Server } from "node:http";
import express from "express";
import { afterEach, expect, test } from "vitest";
import { fence } from "../../../src/fence.ts";
import type { Fence, FencedLease } from "../../../src/fence.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
    if (server.listening) await once(server, "close");
  }
});

async function serve(guard: Fence, work: () => Promise<void> = async () => {}): Promise<string> {
  const app = express();
  app.use(guard.middleware);
  app.post("/things", async (_request, response) => {
    await work();
    response.json({ done: true });
  });
  app.use(((error, _request, response, _next) => {
    response.status(500).send(String(error));
  }) satisfies express.ErrorRequestHandler);
  const server = app.listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const bound = server.address();
  return `http://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}/things`;
}

async function send(url: string, epoch: string | null, service?: string): Promise<[number, unknown]> {
  const headers = {
    ...(epoch === null ? {} : { "Arbiter-Epoch": epoch }),
    ...(service === undefined ? {} : { "Arbiter-Service": service }),
  };
  const response = await fetch(url, { method: "POST", headers });
  const text = await response.text();
  return [response.status, text.startsWith("{") ? JSON.parse(text) : text];
}

test("an epoch older than the newest seen is refused, per service, and the newer one stays in force", async () => {
  const url = await serve(fence());
  expect(await send(url, "4", "a")).toEqual([200, { done: true }]);
  expect(await send(url, "5", "a")).toEqual([200, { done: true }]);
  expect(await send(url, "4", "a")).toMatchObject([
    409,
    { code: "ERR_ARB_OLD_EPOCH", service: "a", epoch: 5 },
  ]);
  expect(await send(url, "5", "a")).toEqual([200, { done: true }]);
  expect(await send(url, "1", "b")).toEqual([200, { done: true }]);
  expect(await send(url, null, "a")).toEqual([200, { done: true }]);
  expect(await send(url, "no")).toMatchObject([400, { code: "ERR_ARB_MESSAGE" }]);
});

test("where an epoch is required, a request without one is refused", async () => {
  const url = await serve(fence({ required: true, newest: { "": 7 } }));
  expect(await send(url, null)).toMatchObject([428, { code: "ERR_ARB_OLD_EPOCH" }]);
  expect(await send(url, "6")).toMatchObject([409, { epoch: 7 }]);
  expect(await send(url, "7")).toEqual([200, { done: true }]);
});

test("a newer epoch is kept before its first request passes, and asked for again while it can't be", async () => {
  const kept: [string, number][] = [];
  let works = false;
  const guard = fence({
    service: "own",
    async remember(service, epoch) {
      if (!works) throw new Error("the disk is full");
      kept.push([service, epoch]);
    },
  });
  const url = await serve(guard);
  expect(await send(url, "3")).toEqual([500, "Error: the disk is full"]);
  works = true;
  expect(await send(url, "2")).toMatchObject([409, { epoch: 3 }]);
  expect(await send(url, "3")).toEqual([200, { done: true }]);
  expect(await send(url, "3")).toEqual([200, { done: true }]);
  expect(kept).toEqual([["own", 3]]);
  expect(guard.newest()).toBe(3);
});

test("the plain function says the same without a server", () => {
  const guard = fence({ newest: { s: 8 } });
  expect(guard.check({ "arbiter-epoch": "7", "arbiter-service": "s" })?.status).toBe(409);
  expect(guard.check({ "arbiter-epoch": "9", "arbiter-service": "s" })).toBeNull();
  expect(guard.check({ "arbiter-epoch": "8", "arbiter-service": "s" })?.status).toBe(409);
});

/** A lease that a test can end. */
class TestLease implements FencedLease {
  readonly service = "s";
  readonly epoch = 5;
  isHeld = true;
  held(): boolean {
    return this.isHeld;
  }
}

test("a daemon without a valid lease answers 503 and says who holds the service", async () => {
  const lease = new TestLease();
  const holder = { holder: "other", url: "http://10.0.0.2:7768", epoch: 6 };
  const url = await serve(fence({ lease: () => lease, holder: () => holder }));
  expect(await send(url, "5")).toEqual([200, { done: true }]);
  expect(await send(url, null)).toEqual([200, { done: true }]);
  expect(await send(url, "4")).toMatchObject([409, { code: "ERR_ARB_OLD_EPOCH", epoch: 5 }]);
  // Whoever sends a newer one knows of a newer holder.
  expect(await send(url, "6")).toMatchObject([503, { code: "ERR_ARB_NOT_HOLDER", ...holder }]);
  lease.isHeld = false;
  expect(await send(url, "5")).toMatchObject([503, { code: "ERR_ARB_NOT_HOLDER", ...holder }]);
});

test("an answer that is ready only after the lease's end is cut off, not sent", async () => {
  const lease = new TestLease();
  const url = await serve(fence({ lease: () => lease }), async () => {
    lease.isHeld = false;
  });
  await expect(send(url, "5")).rejects.toThrow("fetch failed");
});

test("what is answered under a lease says at which epoch", async () => {
  const url = await serve(fence({ lease: () => new TestLease() }));
  const response = await fetch(url, { method: "POST" });
  expect([response.headers.get("arbiter-epoch"), response.headers.get("arbiter-service")]).toEqual([
    "5",
    "s",
  ]);
});
