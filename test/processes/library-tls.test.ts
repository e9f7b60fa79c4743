/** `use_ssl = 1`: the daemon serves HTTPS and nothing else, and calls `https` arbiters with their authority. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:https";
import path from "node:path";
import { expect, test } from "vitest";
import { Bench, freePort, portOf, until } from "./library-processes.ts";

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

/** A certificate for 127.0.0.1 that is its own authority. */
function makeCertificate(folder: string): { readonly cert: string; readonly key: string } {
  const cert = path.join(folder, "cert.pem");
  const key = path.join(folder, "key.pem");
  const kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" ");
  const subject = "-subj /CN=test -addext subjectAltName=IP:127.0.0.1".split(" ");
  const made = spawnSync("openssl", [...kind, ...subject, "-keyout", key, "-out", cert]);
  expect(made.status).toBe(0);
  return { cert, key };
}

async function ask(url: string, ca: Buffer): Promise<number> {
  return await new Promise((resolve) => {
    get(url, { ca }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", () => resolve(0));
  });
}

test.skipIf(!hasOpenssl)("HTTPS both ways, and no plain HTTP (needs openssl)", async () => {
  await using bench = new Bench();
  const { cert, key } = makeCertificate(bench.folder);
  const ca = readFileSync(cert);
  let reports = 0;
  const arbiter = createServer({ cert: ca, key: readFileSync(key) }, (request, response) => {
    reports += request.url === "/v1/reports" ? 1 : 0;
    request.resume();
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(arbiter, "listening");
  const file = path.join(bench.folder, "secure.ini");
  const port = await freePort();
  const own = [
    "[scheduler]",
    "name = secure",
    "address = 127.0.0.1",
    `port = ${port}`,
    "spare = 0",
    "use_ssl = 1",
  ];
  const security = ["[security]", `tls_cert = ${cert}`, `tls_key = ${key}`, `tls_ca = ${cert}`];
  writeFileSync(file, `${[...own, ...security].join("\n")}\n`);
  const arbiterUrl = `https://127.0.0.1:${portOf(arbiter)}`;
  const args = ["--config", file, "--port", String(port), "--arbiter", arbiterUrl];
  const daemon = await bench.spawn("secure", args);
  const secure = `https://127.0.0.1:${port}/health`;
  await until("it answers", async () => {
    if (daemon.exit !== null) throw new Error(daemon.stderr);
    return (await ask(secure, ca)) === 200;
  });
  await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow(/fetch failed/);
  await until("its first report has arrived", () => reports > 0);
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toEqual({ code: 0, signal: null });
  arbiter.closeAllConnections();
  arbiter.close();
});
