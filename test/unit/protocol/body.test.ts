/** Bodies and problems over a real socket: what is too large, not JSON or cut short is refused. */
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { decodeJson, readJson } from "../../../src/protocol/body.ts";
import { problem, sendJson, sendProblem } from "../../../src/protocol/problem.ts";

const LIMIT = 100;
let server: Server;
let url: string;
const cutShort: unknown[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    void readJson(request, LIMIT, request.url === "/empty").then((body) => {
      if (body.ok) sendJson(response, 200, { value: body.value ?? null });
      else {
        if (request.url === "/cut") cutShort.push(body.problem);
        sendProblem(response, body.problem, body.close ? { connection: "close" } : {});
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const bound = server.address();
  url = `http://127.0.0.1:${typeof bound === "object" ? bound?.port : ""}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function post(
  body: string | Uint8Array<ArrayBuffer>,
  contentType = "application/json",
  path = "/",
): Promise<{ status: number; type: string | null; body: unknown }> {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": contentType },
    body,
  });
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    body: await response.json(),
  };
}

it("takes JSON, with or without a charset", async () => {
  expect((await post('{"a":1}')).body).toEqual({ value: { a: 1 } });
  expect((await post('"ü"', "application/json; charset=UTF-8")).body).toEqual({ value: "ü" });
});

it.each([
  ["another media type", 415, "{}", "text/plain"],
  ["another charset", 415, "{}", "application/json; charset=latin1"],
  ["not JSON", 400, "{a:1}", "application/json"],
  ["nothing", 400, "", "application/json"],
  ["invalid UTF-8", 400, new Uint8Array([0x22, 0xff, 0x22]), "application/json"],
  ["a byte-order mark", 400, "\u{FEFF}{}", "application/json"],
  ["more than the limit", 413, JSON.stringify("x".repeat(LIMIT)), "application/json"],
] as const)("refuses %s with %i as problem+json", async (_, status, body, type) => {
  const answer = await post(body, type);
  expect(answer).toMatchObject({ status, type: "application/problem+json" });
  expect(answer.body).toMatchObject({ type: "about:blank", status, code: "ERR_ARB_BODY" });
});

it("refuses more than the limit also when its length was not announced", async () => {
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(64).fill(0x20));
    },
  });
  const sending = fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: endless,
    duplex: "half",
  });
  const response = await sending.catch(() => null);
  // The server may close while the client still sends: then the answer is lost, as it has to be.
  expect(response === null || response.status === 413).toBe(true);
});

it("takes an empty body for nothing where that is allowed", async () => {
  const response = await fetch(`${url}/empty`, { method: "POST" });
  expect(await response.json()).toEqual({ value: null });
});

it("knows a body that ended early", async () => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await new Promise<void>((resolve) => {
    socket.write(
      "POST /cut HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{",
      () => {
        socket.destroy();
        resolve();
      },
    );
  });
  await expect.poll(() => cutShort).toHaveLength(1);
  expect(cutShort[0]).toMatchObject({ status: 400 });
});

it("never lets an extra member replace the status or the detail", () => {
  expect(problem(409, "Conflict", "why", { status: 200, detail: "no", service: "s" })).toEqual({
    type: "about:blank",
    title: "Conflict",
    status: 409,
    detail: "why",
    service: "s",
  });
});

it("refuses what is nested so deep that nobody could write it again", () => {
  const nested = (levels: number): Buffer => Buffer.from(`${"[".repeat(levels)}${"]".repeat(levels)}`);
  expect(decodeJson(nested(100)).ok).toBe(true);
  for (const levels of [101, 30_000]) {
    expect(decodeJson(nested(levels))).toMatchObject({ ok: false, problem: { status: 400 } });
  }
});
