/** The checker against real servers on loopback: each way in which a check can fail. */
import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { CheckerEvent } from "../../../src/arbiter/checker.ts";
import {
  answerWith,
  closeAll,
  daemon,
  listen,
  newChecker,
  portOf,
  quiet,
  report,
} from "./checker-support.ts";

afterEach(closeAll);

function detailOf(event: CheckerEvent): string {
  return event.kind === "checkFailed" ? event.detail : "";
}

describe("a check that fails", () => {
  test("refused: nobody listens", async () => {
    const { url, server } = await daemon(answerWith(200, report()));
    await new Promise((resolve) => server.close(resolve));
    const { check } = newChecker();
    for (const fresh of [false, true, true]) {
      expect(await check({ url, fresh })).toMatchObject({
        kind: "checkFailed",
        cause: "refused",
        daemon: "scheduler-1",
      });
    }
  });

  test("timeout: no answer; its connection is closed, and a late answer counts for nothing", async () => {
    const closed: Promise<unknown>[] = [];
    const { url } = await daemon((request, response, _body, count) => {
      if (count > 1) {
        answerWith(200, report({ seq: count }))(request, response, "", 0);
        return;
      }
      closed.push(once(request.socket, "close"));
      setTimeout(() => response.end(JSON.stringify(report({ seq: 1 }))), 60);
    });
    const { check, events } = newChecker();
    const event = await check({ url, timeoutMs: 40 });
    expect(event).toMatchObject({ kind: "checkFailed", cause: "timeout", detail: "no answer within 40 ms" });
    await Promise.all(closed);
    expect(await check({ url })).toMatchObject({ kind: "reported", report: { seq: 2 } });
    await quiet(50);
    expect(events).toEqual([]);
  });

  test("timeout: an answer that begins and doesn't end", async () => {
    const { url } = await daemon((_request, response) => {
      response.writeHead(200, { "content-length": 1_000 });
      response.write('{"protocol":');
    });
    expect(await newChecker().check({ url, timeoutMs: 40 })).toMatchObject({ cause: "timeout" });
  });

  test("a reused connection that is reset before the answer is stale; a new one is reset", async () => {
    const { url } = await daemon((request, response, _body, count) => {
      if (count % 2 === 0) request.socket.resetAndDestroy();
      else answerWith(200, report())(request, response, "", 0);
    });
    const { check, events } = newChecker();
    expect(await check({ url })).toMatchObject({ kind: "reported" });
    expect(await check({ url })).toMatchObject({ kind: "checkFailed", cause: "stale-connection" });
    expect(await check({ url })).toMatchObject({ kind: "reported" });
    expect(await check({ url, fresh: true })).toMatchObject({ kind: "checkFailed", cause: "reset" });
    await quiet(20);
    expect(events).toEqual([]);
  });

  test("reset: a reused connection that breaks inside the answer", async () => {
    const { url } = await daemon((request, response, _body, count) => {
      if (count === 1) {
        answerWith(200, report())(request, response, "", 0);
        return;
      }
      response.writeHead(200, { "content-length": 1_000 });
      response.write("{", () => request.socket.resetAndDestroy());
    });
    const { check } = newChecker();
    await check({ url });
    expect(await check({ url })).toMatchObject({ kind: "checkFailed", cause: "reset" });
  });

  test.each([
    ["http://no-such-host.invalid:7768", 10_000],
    ["http://[::ffff:0:0:0]:1", 10_000],
    ["not a url", 10_000],
  ])("unreachable: %s", async (url, timeoutMs) => {
    const event = await newChecker().check({ url, timeoutMs });
    expect(event).toMatchObject({ kind: "checkFailed", cause: "unreachable" });
  });

  test.each([
    ["another status", answerWith(500, { detail: "the disk is full" }), /HTTP 500 .*: the disk is full/u],
    ["no such path", answerWith(404, "nothing here"), /HTTP 404/u],
    ["no JSON", answerWith(200, "<html>"), /no report/u],
    ["no report", answerWith(200, { status: "ok" }), /`protocol` must be 1/u],
    ["409 without a report", answerWith(409, { detail: "no" }), /HTTP 409/u],
    ["too much", answerWith(200, { ...report(), padding: "x".repeat(4_200_000) }), /larger than 4194304/u],
  ])("invalid: %s", async (_name, answer, detail) => {
    const { url } = await daemon(answer);
    const event = await newChecker().check({ url });
    expect(event).toMatchObject({ kind: "checkFailed", cause: "invalid" });
    expect(detailOf(event)).toMatch(detail);
  });

  test("invalid: it doesn't speak HTTP", async () => {
    const server = await listen(createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")));
    const event = await newChecker().check({ url: `http://127.0.0.1:${portOf(server)}` });
    expect(event).toMatchObject({ kind: "checkFailed", cause: "invalid" });
  });

  test.each([401, 403])("unauthorized: %i", async (status) => {
    const { url } = await daemon(answerWith(status, { detail: "no such token" }));
    const event = await newChecker({ token: () => "old" }).check({ url });
    expect(event).toMatchObject({ kind: "checkFailed", cause: "unauthorized" });
    expect(detailOf(event)).toContain("no such token");
  });

  test("wrong-daemon: a report under another name is neither evidence nor an answer", async () => {
    const { url } = await daemon(answerWith(200, report({ name: "scheduler-2" })));
    const event = await newChecker().check({ url });
    expect(event).toMatchObject({ kind: "checkFailed", daemon: "scheduler-1", cause: "wrong-daemon" });
  });
});
