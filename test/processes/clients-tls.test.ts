/** The client behind TLS and tokens: whom it trusts, what it shows, and where it isn't led. */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { Server } from "node:https";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../src/client.ts";
import { makeCertificates, removeFolder, serverFolder } from "../contract/store-server.ts";
import type { Certificates } from "../contract/store-server.ts";
import { portOf, until } from "./library-processes.ts";

let folder: string;
let certificates: Certificates;
const servers: Server[] = [];
beforeAll(() => {
  folder = serverFolder("clients-tls");
  certificates = makeCertificates(folder);
}, 30_000);
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
  removeFolder(folder);
});

/** Asks for a certificate and wants one. */
async function serve(respond: RequestListener): Promise<string> {
  const { ca, cert, key } = certificates;
  const [trusted, own, secret] = [ca, cert, key].map((file) => readFileSync(file));
  const tls = { ca: trusted, cert: own, key: secret, requestCert: true, rejectUnauthorized: true };
  const server = createServer(tls, respond).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `https://127.0.0.1:${portOf(server)}`;
}

test("arbiters and the service itself are asked over TLS, with a certificate and a token", async () => {
  const asked: unknown[] = [];
  const service = await serve((request, response) => {
    asked.push([request.url, request.headers["arbiter-epoch"], request.headers.authorization]);
    response.end("here");
  });
  const arbiter = await serve((request, response) => {
    asked.push([request.url, request.headers.authorization]);
    response.writeHead(200, { "content-type": "application/json", "arbiter-version": "1" });
    const { hostname: address, port } = new URL(service);
    response.end(
      request.url === "/v1/peers"
        ? JSON.stringify({
            arbiters: [{ url: "http://127.0.0.1:9" }],
            daemons: [{ url: "http://127.0.0.1:9" }],
          })
        : JSON.stringify({
            service: "s",
            holder: "d",
            address,
            port: Number(port),
            url: service,
            epoch: 4,
            version: 1,
          }),
    );
  });
  const tokenFile = path.join(folder, "token");
  writeFileSync(tokenFile, "a-token-of-the-cluster\n", { mode: 0o600 });
  const files = {
    tokenFile,
    caFile: certificates.ca,
    certFile: certificates.cert,
    keyFile: certificates.key,
  };
  const cluster = connect(new URL(arbiter).host, files);
  expect(await cluster.got("s").get("path").text()).toBe("here");
  await until("it has learned", () => asked.length === 3);
  expect(asked).toEqual(
    expect.arrayContaining([
      ["/v1/services/s", "Bearer a-token-of-the-cluster"],
      // The cluster's token is no business of the service's.
      ["/path", "4", undefined],
      ["/v1/peers", "Bearer a-token-of-the-cluster"],
    ]),
  );
  cluster.close();

  const stranger = connect(arbiter, { ...files, caFile: certificates.otherCa });
  await expect(stranger.resolve("s")).rejects.toMatchObject({ code: "ERR_ARB_UNREACHABLE" });
  stranger.close();
});
