/**
 * What a daemon answers to requests that are malformed, oversized, unauthenticated, outdated or
 * meant for somebody else: problem+json, and nothing changes. One daemon takes them all.
 */
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, until } from "./library-processes.ts";
import type { DaemonProcess } from "./library-processes.ts";
import { get, put, ScriptedArbiter } from "./scripted-arbiter.ts";
import type { Answer } from "./scripted-arbiter.ts";

const PROBLEM = "application/problem+json";
let bench: Bench;
let arbiter: ScriptedArbiter;
let daemon: DaemonProcess;

beforeAll(async () => {
  bench = new Bench();
  arbiter = await ScriptedArbiter.start();
  daemon = await bench.start("master", ["--arbiter", arbiter.url]);
  await arbiter.check(daemon.url, "master", null);
});
afterAll(async () => {
  await arbiter.close();
  await bench[Symbol.asyncDispose]();
});

/** What must not have changed. */
async function essence(): Promise<unknown> {
  const { clusterId, term, state, services, seenEpochs } = (await get(`${daemon.url}/health`)).body;
  return { clusterId, term, state, services, seenEpochs };
}

interface Refusal extends Answer {
  readonly isUnchanged: boolean;
}

async function refusal(ask: () => Promise<Answer>): Promise<Refusal> {
  const before = await essence();
  const answer = await ask();
  return { ...answer, isUnchanged: isDeepStrictEqual(await essence(), before) };
}

/** What every refusal looks like. */
function problem(status: number, detail = /./u): Record<string, unknown> {
  return {
    status,
    contentType: PROBLEM,
    isUnchanged: true,
    body: { status, detail: expect.stringMatching(detail) as unknown },
  };
}

async function assign(body: unknown, headers?: Record<string, string>): Promise<Answer> {
  return await put(`${daemon.url}/v1/assignment`, body, headers);
}

describe("an assignment", () => {
  test("that is no JSON, cut off or of another shape is refused, naming the member", async () => {
    expect(await refusal(async () => await assign("{"))).toMatchObject(problem(400));
    expect(await refusal(async () => await assign("[]"))).toMatchObject(problem(400));
    const whole = arbiter.assignmentFor("master", []);
    expect(await refusal(async () => await assign({ ...whole, term: "many" }))).toMatchObject(
      problem(400, /term/u),
    );
    expect(await refusal(async () => await assign(whole, { "content-type": "text/plain" }))).toMatchObject(
      problem(415),
    );
  });

  test("above 4 MiB is refused, before it is read", async () => {
    const before = await essence();
    // Announced, not sent: a client that is still writing when the answer comes may lose it.
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(daemon.url).port), "127.0.0.1");
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("utf8");
        if (text.includes("}")) socket.destroy();
      });
      socket.on("close", () => resolve(text));
      socket.on("error", reject);
      socket.write(
        "PUT /v1/assignment HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 4300000\r\n\r\n{",
      );
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 [^]*application\/problem\+json/u);
    expect(await essence()).toEqual(before);
  });

  test("of an older order is refused with the report, and so is one for somebody else", async () => {
    const first = arbiter.assignmentFor("master", null);
    await assign(arbiter.assignmentFor("master", null));
    const outdated = await refusal(async () => await assign(first));
    expect(outdated).toMatchObject(problem(409));
    expect(outdated.body).toMatchObject({
      because: "outdated",
      report: { name: "master", state: "waiting" },
    });
    const other = await refusal(async () => await assign(arbiter.assignmentFor("slave", [])));
    expect(other).toMatchObject(problem(409));
    expect(other.body).toMatchObject({ because: "not-addressed", report: { name: "master" } });
  });

  test("with a nonce that this boot didn't make brings no lease", async () => {
    const forged = arbiter.newest.get("master")?.nonce.replace(/\.\d+\./, ".1.") ?? "";
    const offer = { service: "s", epoch: 1, leaseMs: 60_000 };
    const { status, body } = await assign(arbiter.assignmentFor("master", [offer], forged));
    expect(status).toBe(200);
    expect(body).toMatchObject({ services: [], refusals: [{ service: "s", because: "no-lease" }] });
    expect((await get(`${daemon.url}/active`)).status).toBe(503);
  });

  test("that was committed for another boot is refused", async () => {
    const offer = { service: "s", epoch: 1, bootId: "another" };
    const { body } = await assign(arbiter.assignmentFor("master", [offer]));
    expect(body).toMatchObject({ services: [], refusals: [{ because: "other-boot" }] });
  });

  test("from a page is refused, also from one whose own name was made to resolve to this address", async () => {
    const own = arbiter.assignmentFor("master", null);
    for (const page of [{ "sec-fetch-site": "cross-site" }, { origin: daemon.url }]) {
      expect(await refusal(async () => await assign(own, page))).toMatchObject(problem(403));
    }
  });
});

describe("other requests", () => {
  test("a promise that is malformed or for somebody else is none", async () => {
    const ask = {
      protocol: 1,
      clusterId: "cluster-1",
      to: "master",
      toStateId: "somebody-else",
      round: 1,
      service: "t",
      holder: "slave",
      epoch: 1,
      forMs: 1000,
    };
    expect(
      await refusal(async () => await put(`${daemon.url}/v1/promise`, { ...ask, forMs: -1 }, {}, "POST")),
    ).toMatchObject(problem(400));
    const answer = await put(`${daemon.url}/v1/promise`, ask, {}, "POST");
    expect(answer.body).toMatchObject({ name: "master", promised: false });
  });

  test("unknown paths and wrong methods", async () => {
    expect(await refusal(async () => await get(`${daemon.url}/nothing`))).toMatchObject(problem(404));
    expect(await refusal(async () => await put(`${daemon.url}/v1/assignment`, {}, {}, "POST"))).toMatchObject(
      problem(405),
    );
    expect(await refusal(async () => await put(`${daemon.url}/health`, {}))).toMatchObject(problem(405));
  });

  test("what isn't HTTP gets a problem, too", async () => {
    const socket = connect(Number(new URL(daemon.url).port), "127.0.0.1");
    let answered = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      answered += text;
    });
    socket.write("NONSENSE\r\n\r\n");
    await until("it has answered", () => answered.includes("\r\n\r\n"));
    expect(answered).toMatch(/^HTTP\/1\.1 400 /);
    expect(answered).toContain(PROBLEM);
    socket.destroy();
  });

  test("GET /health has neither nonce nor tag, and HEAD works where GET does", async () => {
    const { body } = await get(`${daemon.url}/health`);
    expect(Object.keys(body)).not.toContain("nonce");
    const { status } = await fetch(`${daemon.url}/health`, { method: "HEAD" });
    expect(status).toBe(200);
  });

  test("GET /metrics counts what was refused", async () => {
    const text = String((await get(`${daemon.url}/metrics`)).body["text"]);
    expect(text).toMatch(/^arbiter_daemon_healthy 1$/m);
    expect(text).toMatch(/^arbiter_daemon_assignments_total\{result="outdated"\} 1$/m);
  });

  test("the cluster map: the newest version stays", async () => {
    const mapUrl = `${daemon.url}/v1/map`;
    expect(await refusal(async () => await get(mapUrl))).toMatchObject(problem(404));
    expect(await refusal(async () => await put(mapUrl, { services: [] }))).toMatchObject(problem(400));
    expect((await put(mapUrl, { version: 7, services: ["new"] })).body).toEqual({ version: 7 });
    expect((await put(mapUrl, { version: 6, services: ["old"] })).body).toEqual({ version: 7 });
    expect((await get(mapUrl)).body).toEqual({ version: 7, services: ["new"] });
  });
});

describe("with a token", () => {
  test("changes need it, reads don't, and a changed file is taken up", async () => {
    const file = path.join(bench.folder, "token");
    writeFileSync(file, "first-token-0123\n");
    const guarded = await bench.start("guarded", ["--token-file", file, "--arbiter", arbiter.url]);
    const probe = async (headers: Record<string, string>): Promise<Answer> =>
      await put(`${guarded.url}/v1/assignment`, arbiter.assignmentFor("guarded", null), headers);
    const none = await probe({});
    expect(none).toMatchObject({ status: 401, contentType: PROBLEM });
    expect(none.body["detail"]).not.toContain("first-token");
    expect((await probe({ authorization: "Bearer wrong-token-0123" })).status).toBe(401);
    expect((await probe({ authorization: "Bearer first-token-0123" })).status).toBe(200);
    expect((await get(`${guarded.url}/health`)).status).toBe(200);
    expect((await put(`${guarded.url}/v1/map`, { version: 1 })).status).toBe(401);
    expect((await put(`${guarded.url}/v1/promise`, {}, {}, "POST")).status).toBe(401);
    expect(arbiter.authorizations).toContain("Bearer first-token-0123");
    writeFileSync(file, "second-token-0123\n");
    await until(
      "the new token is valid",
      async () => (await probe({ authorization: "Bearer second-token-0123" })).status === 200,
    );
    expect((await probe({ authorization: "Bearer first-token-0123" })).status).toBe(401);
  });
});

test("a client that dawdles over its body is cut off, and the others are served meanwhile", async () => {
  const { port } = new URL(daemon.url);
  const dawdler = httpRequest({
    port,
    method: "PUT",
    path: "/v1/assignment",
    headers: { "content-length": 100 },
  });
  const cutOff = new Promise<void>((resolve) => {
    dawdler.on("error", () => resolve());
    dawdler.on("response", () => resolve());
  });
  dawdler.write("{");
  expect((await get(`${daemon.url}/health`)).status).toBe(200);
  await cutOff;
});
