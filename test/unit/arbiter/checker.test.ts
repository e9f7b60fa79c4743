/** The checker against real servers on loopback: what is answered, and what it tells of itself. */
import { afterEach, describe, expect, test } from "vitest";
import { Checker } from "../../../src/arbiter/checker.ts";
import { nowMs } from "../../../src/shell/clock.ts";
import {
  answerWith,
  assignment,
  closeAll,
  daemon,
  daemonOnThread,
  newChecker,
  quiet,
  report,
  type Answer,
} from "./checker-support.ts";

afterEach(closeAll);

describe("a check that is answered", () => {
  test("sends the assignment and brings the report back, with the time at which it was sent", async () => {
    const { url, requests } = await daemon((request, response, _body, count) => {
      expect([request.method, request.url, request.headers["content-type"]]).toEqual([
        "PUT",
        "/v1/assignment",
        "application/json",
      ]);
      expect(request.headers.authorization).toBeUndefined();
      answerWith(200, report({ seq: count }))(request, response, "", 0);
    });
    const { check } = newChecker();
    const beforeMs = nowMs();
    const event = await check({ url });
    expect(event).toMatchObject({ kind: "reported", via: "check", report: report() });
    const sentAtMs = event.kind === "reported" ? (event.sentAtMs ?? 0) : 0;
    expect(sentAtMs).toBeGreaterThanOrEqual(beforeMs);
    expect(sentAtMs).toBeLessThanOrEqual(nowMs());
    expect(JSON.parse(requests[0] ?? "")).toEqual(assignment());
  });

  test("keeps one connection, opens another when a fresh one is wanted, and after a change of url", async () => {
    const ports = new Set<number>();
    const answer: Answer = (request, response) => {
      ports.add(request.socket.remotePort ?? 0);
      answerWith(200, report())(request, response, "", 0);
    };
    const [one, two] = [await daemon(answer), await daemon(answer)];
    const { check } = newChecker();
    for (let i = 0; i < 5; i++) await check({ url: one.url });
    expect(ports.size).toBe(1);
    await check({ url: one.url, fresh: true });
    expect(ports.size).toBe(2);
    await check({ url: one.url });
    expect(ports.size).toBe(2);
    await check({ url: two.url });
    expect(ports.size).toBe(3);
    expect(two.requests).toHaveLength(1);
  });

  test("a refused assignment (409) carries a report like any", async () => {
    const body = {
      type: "about:blank",
      title: "Conflict",
      status: 409,
      detail: "outdated",
      report: report({ term: 9 }),
    };
    const { url } = await daemon(answerWith(409, body));
    expect(await newChecker().check({ url })).toMatchObject({ kind: "reported", report: { term: 9 } });
  });

  test("the token is the one in force at the time, and none is sent where none is set", async () => {
    const seen: (string | undefined)[] = [];
    const { url } = await daemon((request, response) => {
      seen.push(request.headers.authorization);
      answerWith(200, report())(request, response, "", 0);
    });
    let token: string | null = "first";
    const { check } = newChecker({ token: () => token });
    await check({ url });
    token = "second";
    await check({ url });
    token = null;
    await check({ url });
    expect(seen).toEqual(["Bearer first", "Bearer second", undefined]);
  });

  test("a path in the url stays in front", async () => {
    const { url } = await daemon((request, response) => {
      answerWith(200, report({ reason: request.url ?? "" }))(request, response, "", 0);
    });
    const event = await newChecker().check({ url: `${url}/behind/proxy/` });
    expect(event).toMatchObject({ report: { reason: "/behind/proxy/v1/assignment" } });
  });

  test("a report that comes in pieces, cut inside a character, is whole", async () => {
    const { url } = await daemon((_request, response) => {
      const body = Buffer.from(JSON.stringify(report({ reason: "läuft — ok" })));
      const cut = body.indexOf(0xc3) + 1;
      response.writeHead(200, { "content-length": body.length });
      response.write(body.subarray(0, cut));
      setTimeout(() => response.end(body.subarray(cut)), 10);
    });
    expect(await newChecker().check({ url })).toMatchObject({ report: { reason: "läuft — ok" } });
  });
});

describe("hints", () => {
  test("a kept-alive connection that closes is told; one that is closed here isn't", async () => {
    const { url, server } = await daemon(answerWith(200, report()));
    const { checker, check, next, events } = newChecker();
    await check({ url });
    await check({ url });
    server.closeAllConnections();
    expect(await next()).toEqual({ kind: "connectionClosed", daemon: "scheduler-1" });
    await check({ url });
    await check({ url, fresh: true });
    checker.forget("scheduler-1");
    await quiet(20);
    expect(events).toEqual([]);
  });

  test("a server that ends each connection after one answer isn't checked without pause", async () => {
    // Each closing was a hint, each hint a check at once, each check a closing.
    const { url } = await daemon((request, response) => {
      answerWith(200, report())(request, response, "", 0);
      response.on("finish", () => request.socket.end());
    });
    const { check, events } = newChecker();
    let hints = 0;
    for (let i = 0; i < 5; i++) {
      await check({ url });
      await quiet(20);
      hints += events.splice(0).length;
    }
    expect(hints).toBe(1);
  });

  test("a server that says `connection: close` gives no hint", async () => {
    const { url } = await daemon((request, response) => {
      response.setHeader("connection", "close");
      answerWith(200, report())(request, response, "", 0);
    });
    const { check, events } = newChecker();
    await check({ url });
    await quiet(20);
    expect(events).toEqual([]);
  });
});

describe("the checker itself", () => {
  test("a stall of this process is told before the checks that timed out in it, and what had arrived is read", async () => {
    const url = await daemonOnThread(30);
    const silent = await daemon(() => {});
    const kinds: string[] = [];
    const checker = new Checker({
      token: () => null,
      tls: null,
      push: (event) => {
        kinds.push(event.kind === "checkFailed" ? `${event.kind} ${event.daemon}` : event.kind);
      },
    });
    const effect = { kind: "assign", assignment: assignment(), timeoutMs: 60, fresh: false } as const;
    checker.assign({ ...effect, daemon: "scheduler-1", url });
    checker.assign({ ...effect, daemon: "silent", url: silent.url });
    await quiet(15);
    // From here the loop comes to its timers before it looks at its sockets.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const endMs = nowMs() + 150;
    while (nowMs() < endMs) {
      // A stalled loop.
    }
    while (!kinds.includes("checkFailed silent") || !kinds.includes("reported")) await quiet(2);
    await checker.close();
    expect(kinds.indexOf("stalled")).toBeGreaterThanOrEqual(0);
    expect(kinds.indexOf("stalled")).toBeLessThan(kinds.indexOf("checkFailed silent"));
    expect(kinds.filter((kind) => kind.startsWith("checkFailed"))).toEqual(["checkFailed silent"]);
  });

  test("each check ends once, even when there are several to one daemon", async () => {
    const { url } = await daemon((request, response, _body, count) => {
      setTimeout(() => answerWith(200, report({ seq: count }))(request, response, "", 0), 10);
    });
    const { ask, next, events } = newChecker();
    ask({ url });
    ask({ url });
    ask({ url, fresh: true });
    ask({ url });
    const ends = [await next(), await next(), await next(), await next()];
    expect(ends.map(({ kind }) => kind)).toEqual(["reported", "reported", "reported", "reported"]);
    await quiet(20);
    expect(events).toEqual([]);
  });

  test("of a daemon that was forgotten, and once closed, nothing more is told", async () => {
    const { url } = await daemon(() => {});
    const other = await daemon(answerWith(200, report()));
    const { checker, ask, events } = newChecker();
    ask({ url, timeoutMs: 30 });
    checker.forget("scheduler-1");
    ask({ url, daemon: "scheduler-2", timeoutMs: 30 });
    await checker.close();
    await quiet(60);
    expect(events).toEqual([]);
    checker.assign({
      kind: "assign",
      daemon: "scheduler-1",
      url: other.url,
      assignment: assignment(),
      timeoutMs: 30,
      fresh: false,
    });
    await quiet(20);
    expect(other.requests).toEqual([]);
  });
});
