/** An answer counts only under the certificate of whom was asked, at whatever address it is given. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent, buildConnector, Client } from "undici";
import { issueCertificate, makeAuthority } from "../../../src/cli/pki-authority.ts";
import { ExpectedPeers, expecting, NO_SESSIONS } from "../../../src/protocol/expected-peer.ts";

const folder = mkdtempSync(path.join(tmpdir(), "arbiter-peer-"));
let server: Server;
let origin: string;
let ca: string;

beforeAll(async () => {
  await makeAuthority(folder, "test authority", 10);
  await issueCertificate(folder, {
    name: "scheduler-b",
    addresses: ["127.0.0.1"],
    days: 5,
    replace: false,
  });
  const pem = (file: string): string => readFileSync(path.join(folder, file), "utf8");
  ca = pem("ca.crt");
  server = createServer({ cert: pem("scheduler-b.crt"), key: pem("scheduler-b.key") }, (_, response) => {
    response.end("{}");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const bound = server.address();
  origin = `https://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const REQUEST = { path: "/", method: "GET" } as const;

test("a connection to somebody else is none, whoever signed his certificate", async () => {
  const connect = buildConnector({ ca, ...NO_SESSIONS });
  for (let round = 0; round < 2; round += 1) {
    const meant = new Client(origin, { connect: expecting("scheduler-b", connect) });
    expect((await meant.request(REQUEST)).statusCode).toBe(200);
    await meant.close();
    const other = new Client(origin, { connect: expecting("scheduler-a", connect) });
    await expect(other.request(REQUEST)).rejects.toThrow(
      "its certificate is scheduler-b's, not scheduler-a's",
    );
    await other.destroy();
  }
});

test("an agent expects somebody at an origin, and says when it was somebody else before", async () => {
  const peers = new ExpectedPeers(true);
  const agent = new Agent({ connect: peers.connector(buildConnector({ ca })) });
  expect(peers.expect(origin, "scheduler-b")).toBe(false);
  expect((await agent.request({ ...REQUEST, origin })).statusCode).toBe(200);
  await agent.destroy();
  expect(peers.expect(origin, "scheduler-b")).toBe(false);
  expect(peers.expect(origin, "scheduler-a")).toBe(true);
  const next = new Agent({ connect: peers.connector(buildConnector({ ca })) });
  await expect(next.request({ ...REQUEST, origin })).rejects.toThrow("scheduler-a");
  await next.destroy();
});

test("where nobody asks for certificates, their names say nothing", async () => {
  const peers = new ExpectedPeers(false);
  const agent = new Agent({ connect: peers.connector(buildConnector({ ca })) });
  expect(peers.expect(origin, "scheduler-a")).toBe(false);
  expect((await agent.request({ ...REQUEST, origin })).statusCode).toBe(200);
  await agent.destroy();
});
