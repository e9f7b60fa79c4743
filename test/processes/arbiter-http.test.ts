/**
 * The HTTP contract of a real arbiter: every route of its table, and everything that isn't a good
 * request gets problem+json and changes nothing.
 */
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROUTES } from "../../src/arbiter/http/routes.ts";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, membersOf, Rig } from "./arbiter-rig.ts";

const SERVICE = "scheduler-master";

let rig: Rig;
let master: ScriptedDaemon;

beforeAll(async () => {
  rig = await Rig.create();
  rig.writeCluster();
  master = await rig.addDaemon("scheduler-master", "master");
  await master.start();
  await rig.addDaemon("scheduler-slave", "spare");
  await rig.start();
  await eventually(() => rig.held(SERVICE), "scheduler-master@1 held");
}, 40_000);
afterAll(() => rig.close());

/** A request with exactly these headers; fetch would add or refuse some. */
function raw(
  method: string,
  target: string,
  headers: Record<string, string> = {},
  body = "",
): Promise<{ status: number; body: Record<string, unknown> }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    body: Record<string, unknown>;
  }>();
  const sent = httpRequest(
    { host: "127.0.0.1", port: rig.port, method, path: target, headers },
    (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: membersOf(text) }));
    },
  );
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

/** What the server says to these bytes. */
async function bytes(content: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  const socket = connect(rig.port, "127.0.0.1", () => socket.write(content));
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.on("error", () => {});
  socket.on("close", () => resolve(text));
  return promise;
}

const json = { "content-type": "application/json" };

describe("reading", () => {
  it("answers every reading route with the map's version, and says nothing of what serves it", async () => {
    for (const { path: target } of ROUTES.filter(
      ({ method, path: each }) => method === "get" && !each.endsWith("stream"),
    )) {
      const asked = target.replace("{service}", SERVICE).replace("{file}", "style.css");
      const answer = await rig.get(asked);
      expect([target, answer.status]).toEqual([target, 200]);
      expect(Number(answer.headers.get("arbiter-version"))).toBeGreaterThan(0);
      expect([answer.headers.get("x-powered-by"), answer.text === ""]).toEqual([null, false]);
    }
  });

  it("gives the map with a tag, and 304 to whoever has it", async () => {
    const first = await rig.get("/v1/map");
    expect(first.body).toMatchObject({
      services: {
        [SERVICE]: { holder: "scheduler-master", epoch: 1, address: "127.0.0.1", port: master.port },
      },
    });
    const etag = first.headers.get("etag") ?? "";
    const again = await rig.get("/v1/map", { "if-none-match": `"other", W/${etag}` });
    expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", etag]);
    expect((await rig.get("/v1/map", { "if-none-match": '"other"' })).status).toBe(200);
  });

  it("gives a service's holder, 404 for one that doesn't exist", async () => {
    expect((await rig.get(`/v1/services/${SERVICE}`)).body).toMatchObject({
      service: SERVICE,
      holder: "scheduler-master",
      epoch: 1,
      phase: "held",
      url: `http://127.0.0.1:${master.port}`,
    });
    expect(await rig.get("/v1/services/none")).toMatchObject({
      status: 404,
      body: { code: "ERR_ARB_NOT_FOUND" },
    });
    expect((await rig.get("/v1/services/constructor")).status).toBe(404);
  });

  it("never answers with less than the version that was asked for", async () => {
    const { version } = await rig.status();
    expect((await rig.get("/v1/map", { "arbiter-min-version": String(version) })).status).toBe(200);
    const early = await rig.get("/v1/map", { "arbiter-min-version": String(version + 50) });
    expect(early).toMatchObject({ status: 503, body: { code: "ERR_ARB_STALE_MAP" } });
    expect(early.headers.get("retry-after")).toBe("1");
    expect((await rig.get("/v1/map", { "arbiter-min-version": "-1" })).status).toBe(400);
    // It waits for what comes while it waits.
    const waiting = rig.get("/v1/map", { "arbiter-min-version": String(version + 1) });
    await rig.post("/v1/pause", { forMs: 1_000 });
    expect((await waiting).status).toBe(200);
    await rig.post("/v1/resume");
  });

  it("pages through the events by number, without a gap", async () => {
    const total = (await rig.events()).length;
    const seen: number[] = [];
    for (let after = 0; seen.length < total; after = seen.at(-1) ?? 0) {
      const page = await rig.events(after, 2);
      seen.push(...page.map(({ seq }) => seq));
    }
    expect(seen.slice(0, total)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    for (const query of ["after=-1", "after=x", "limit=1001", "limit=1e3", "after=1&after=2"]) {
      expect([query, (await rig.get(`/v1/events?${query}`)).status]).toEqual([query, 400]);
    }
  });

  it("is a page with no script but its own, under a policy that allows no other", async () => {
    const { headers, text } = await rig.get("/");
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none';/u);
    expect(policy).not.toContain("unsafe-inline");
    expect(text).toContain("<title>");
    expect(text).not.toMatch(/<script(?![^>]* src="\/)/u);
  });

  it("describes every route in its contract", async () => {
    const { text } = await rig.get("/openapi.json");
    const document: unknown = JSON.parse(text);
    expect(document).toMatchObject({ openapi: "3.1.0" });
    for (const { method, path: target, summary } of ROUTES) {
      expect(document).toHaveProperty(["paths", target, method, "summary"], summary);
    }
    const ids = [...text.matchAll(/"operationId":"(\w+)"/gu)].map(([, id]) => id);
    expect(ids).toHaveLength(ROUTES.length);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("gives metrics that Prometheus can read", async () => {
    const { text, type } = await rig.get("/metrics");
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/u);
    expect(text).toMatch(/^arbiter_leading 1$/mu);
    expect(text).toMatch(/^arbiter_service_epoch\{service="scheduler-master"\} 1$/mu);
    expect(text).toMatch(/^arbiter_services\{phase="held"\} 1$/mu);
    expect(text).not.toContain("daemon=");
  });

  it("answers HEAD as GET, without a body", async () => {
    const response = await fetch(`${rig.url}/v1/map`, { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });
});

/** The numbers that the stream gives behind `after`. */
async function numbers(after: number, count: number): Promise<number[]> {
  const controller = new AbortController();
  const response = await fetch(`${rig.url}/v1/events/stream`, {
    headers: { "last-event-id": String(after) },
    signal: controller.signal,
  });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  let text = "";
  const seen = (): number[] => [...text.matchAll(/^id: (\d+)$/gmu)].map(([, seq]) => Number(seq));
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (seen().length >= count) break;
  }
  controller.abort();
  return seen();
}

describe("the stream of events", () => {
  it("continues behind any number, without loss and without repetition, while more is written", async () => {
    const { body } = await rig.get("/v1/events?after=0&limit=1000");
    const last = Number(body["last"]);
    const more = 30;
    const readers = [0, 1, last - 1, last].map((after) => numbers(after, last + more - after));
    for (let index = 0; index < more; index += 1) {
      await rig.post(index % 2 === 0 ? "/v1/pause" : "/v1/resume", {});
    }
    const results = await Promise.all(readers);
    for (const [index, after] of [0, 1, last - 1, last].entries()) {
      const seen = results[index] ?? [];
      expect(seen.length).toBeGreaterThanOrEqual(last + more - after);
      expect(seen).toEqual(seen.map((_, place) => after + 1 + place));
    }
  });

  it("refuses what is no number", async () => {
    expect((await rig.get("/v1/events/stream", { "last-event-id": "last" })).status).toBe(400);
  });
});

describe("a bad request", () => {
  const pause = "/v1/pause";

  it.each([
    ["an unknown path", "GET", "/nothing", {}, "", 404, "ERR_ARB_NOT_FOUND"],
    ["a path of another case", "GET", "/V1/status", {}, "", 404, "ERR_ARB_NOT_FOUND"],
    ["a path that can't be decoded", "GET", "/v1/services/%ff", {}, "", 400, "ERR_ARB_MESSAGE"],
    ["a wrong method", "PUT", "/v1/status", {}, "", 405, "ERR_ARB_METHOD"],
    ["a wrong method on a command", "GET", pause, {}, "", 405, "ERR_ARB_METHOD"],
    ["a body that isn't JSON", "POST", pause, json, "{", 400, "ERR_ARB_BODY"],
    ["a body of another type", "POST", pause, { "content-type": "text/plain" }, "{}", 415, "ERR_ARB_BODY"],
    ["a body that is a list", "POST", pause, json, "[]", 400, "ERR_ARB_MESSAGE"],
    ["an unknown member", "POST", pause, json, '{"forMS":1}', 400, "ERR_ARB_MESSAGE"],
    ["a member of a wrong type", "POST", pause, json, '{"forMs":"1"}', 400, "ERR_ARB_MESSAGE"],
    ["a member out of range", "POST", pause, json, '{"forMs":1e999}', 400, "ERR_ARB_MESSAGE"],
    [
      "a body that is too large",
      "POST",
      pause,
      json,
      JSON.stringify("x".repeat(70_000)),
      413,
      "ERR_ARB_BODY",
    ],
    [
      "a missing member",
      "POST",
      "/v1/daemons/scheduler-master/maintenance",
      json,
      "{}",
      400,
      "ERR_ARB_MESSAGE",
    ],
    [
      "a page of another site",
      "POST",
      pause,
      { origin: "http://evil.example" },
      "",
      403,
      "ERR_ARB_FORBIDDEN",
    ],
    ["a foreign host name", "POST", pause, { host: "evil.example:7770" }, "", 403, "ERR_ARB_FORBIDDEN"],
    ["a daemon without a type and port", "POST", "/v1/daemons", json, '{"name":"x"}', 400, "ERR_ARB_MESSAGE"],
    ["an unknown arbiter to lead", "POST", "/v1/leader", json, '{"to":"x"}', 409, "ERR_ARB_CONFLICT"],
    ["no question for a promise", "POST", "/v1/arbiters/promise", json, "{}", 400, "ERR_ARB_MESSAGE"],
    [
      "a daemon that stands in the files",
      "DELETE",
      "/v1/daemons/scheduler-master",
      {},
      "",
      409,
      "ERR_ARB_CONFLICT",
    ],
    ["an unknown daemon's report", "POST", "/v1/reports", json, "{}", 400, "ERR_ARB_MESSAGE"],
  ] as const)("with %s (%s %s) is refused", async (_, method, target, headers, body, status, code) => {
    const answer = await raw(method, target, headers, body);
    expect(answer).toMatchObject({ status, body: { status, code } });
    expect(String(answer.body["detail"]).length).toBeGreaterThan(10);
    expect((await rig.status()).services[0]?.pause).toBeNull();
  });

  it("says which methods a path takes", async () => {
    const response = await fetch(`${rig.url}/v1/status`, { method: "POST" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  it("that isn't HTTP, or has endless headers, is answered as a problem too", async () => {
    expect(await bytes("nonsense\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json/su);
    expect(await bytes(`GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(40_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /u,
    );
  });

  it("as a report: of a stranger, of another protocol, or too many of them", async () => {
    const good = master.report();
    expect((await rig.post("/v1/reports", { ...good, name: "stranger" })).status).toBe(404);
    expect(await rig.post("/v1/reports", { ...good, protocol: 2 })).toMatchObject({
      status: 400,
      body: { detail: "This is no report: `protocol` must be 1." },
    });
    const answers = await Promise.all(
      Array.from({ length: 80 }, () => rig.post("/v1/reports", master.report())),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect(statuses).toEqual(new Set([204, 429]));
    // Suspect for a moment where the machine is busy; never another epoch.
    await eventually(() => rig.held(SERVICE), "scheduler-master@1 held");
  });
});

const as = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

describe("with tokens", () => {
  const TOKEN = "change-token-0123456789";
  const READ = "read-token-0123456789";
  let secured: Rig;
  let daemon: ScriptedDaemon;

  beforeAll(async () => {
    secured = await Rig.create();
    secured.writeCluster("[security]\ntoken_file = token\nread_token_file = read-token");
    writeFileSync(path.join(secured.config, "token"), `${TOKEN}\n`);
    writeFileSync(path.join(secured.config, "read-token"), `${READ}\n`);
    daemon = await secured.addDaemon("scheduler-master", "master");
    daemon.token = TOKEN;
    await daemon.start();
    await secured.start();
    await eventually(() => daemon.held, { service: SERVICE, epoch: 1 });
  }, 40_000);
  afterAll(() => secured.close());

  it("asks for one before it reads a body, and shows it to its daemons", async () => {
    for (const { method, path: target, access } of ROUTES.filter(({ access: each }) => each !== "open")) {
      const response = await fetch(secured.url + target.replaceAll(/\{\w+\}/gu, "x"), {
        method: method.toUpperCase(),
        headers: access === "change" ? as(READ) : {},
      });
      expect([target, response.status]).toEqual([target, 401]);
      expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/u);
    }
    expect(daemon.held).toEqual({ service: SERVICE, epoch: 1 });
  });

  it("lets each do what it is for, and never shows one", async () => {
    expect((await secured.get("/healthz")).status).toBe(200);
    expect((await secured.get("/v1/status", as(READ))).status).toBe(200);
    expect((await secured.get("/v1/status", as(TOKEN))).status).toBe(200);
    expect((await secured.post("/v1/pause", {}, as(TOKEN))).status).toBe(202);
    expect((await secured.post("/v1/reports", daemon.report(), as(TOKEN))).status).toBe(204);
    const targets = ["/v1/status", "/v1/config", "/v1/events?after=0", "/", "/metrics", "/v1/peers"];
    const texts = await Promise.all(targets.map((target) => secured.get(target, as(READ))));
    const all =
      texts.map(({ text }) => text).join("\n") + secured.arbiters.map(({ errors }) => errors).join("\n");
    expect([all.includes(TOKEN), all.includes(READ)]).toEqual([false, false]);
  });

  it("takes a new one within moments, while the old one is still in the file", async () => {
    const next = "next-token-0123456789";
    writeFileSync(path.join(secured.config, "token"), `${next}\n${TOKEN}\n`);
    await expect
      .poll(async () => (await secured.post("/v1/resume", {}, as(next))).status, { timeout: 10_000 })
      .not.toBe(401);
    expect((await secured.get("/v1/status", as(TOKEN))).status).toBe(200);
  });
});
