/** The checker against real servers on loopback: TLS. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { CheckerTls } from "../../../src/arbiter/checker.ts";
import { answerWith, closeAll, daemon, listen, newChecker, portOf, report } from "./checker-support.ts";

afterEach(closeAll);

describe("https", () => {
  const folder = mkdtempSync(join(tmpdir(), "arbiter-tls-"));
  const pem = (name: string): string => readFileSync(join(folder, name), "utf8");
  const openssl = (...args: string[]): unknown =>
    execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const hasOpenssl = makeCertificates();

  function makeCertificates(): boolean {
    try {
      openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test ca",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
      );
      for (const [name, san] of [
        ["good", "IP:127.0.0.1"],
        ["other", "DNS:elsewhere.example"],
      ] as const) {
        openssl(
          "req",
          "-newkey",
          "ec",
          "-pkeyopt",
          "ec_paramgen_curve:P-256",
          "-nodes",
          "-subj",
          `/CN=${name}`,
          "-addext",
          `subjectAltName=${san}`,
          "-keyout",
          `${name}.key`,
          "-out",
          `${name}.csr`,
        );
        openssl(
          "x509",
          "-req",
          "-in",
          `${name}.csr`,
          "-CA",
          "ca.pem",
          "-CAkey",
          "ca.key",
          "-days",
          "2",
          "-copy_extensions",
          "copy",
          "-out",
          `${name}.pem`,
        );
      }
      return true;
    } catch {
      return false;
    }
  }

  async function secure(name: string, requestCert = false): Promise<string> {
    const server = createServer(
      {
        cert: pem(`${name}.pem`),
        key: pem(`${name}.key`),
        ca: pem("ca.pem"),
        requestCert,
        rejectUnauthorized: requestCert,
      },
      (request, response) => {
        request.resume();
        answerWith(200, report())(request, response, "", 0);
      },
    );
    await listen(server);
    return `https://127.0.0.1:${portOf(server)}`;
  }

  function tls(rest: Partial<CheckerTls> = {}): CheckerTls {
    return { ca: pem("ca.pem"), cert: null, key: null, checksName: () => true, ...rest };
  }

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test.runIf(hasOpenssl)("trusts the authority it is given, and no other", async () => {
    const url = await secure("good");
    expect(await newChecker({ tls: tls() }).check({ url })).toMatchObject({ kind: "reported" });
    expect(await newChecker().check({ url })).toMatchObject({ kind: "checkFailed", cause: "unreachable" });
  });

  test.runIf(hasOpenssl)("checks the certificate's name where hard_ssl_name_check says so", async () => {
    const url = await secure("other");
    expect(await newChecker({ tls: tls() }).check({ url })).toMatchObject({ cause: "unreachable" });
    const lax = newChecker({ tls: tls({ checksName: () => false }) });
    expect(await lax.check({ url })).toMatchObject({ kind: "reported" });
  });

  test.runIf(hasOpenssl)("shows its own certificate to a daemon that asks for it", async () => {
    const url = await secure("good", true);
    expect(await newChecker({ tls: tls() }).check({ url })).toMatchObject({ kind: "checkFailed" });
    const own = newChecker({ tls: tls({ cert: pem("good.pem"), key: pem("good.key") }) });
    expect(await own.check({ url })).toMatchObject({ kind: "reported" });
  });

  test.runIf(hasOpenssl)("plain HTTP behind https is unreachable, never a fallback", async () => {
    const { url, requests } = await daemon(answerWith(200, report()));
    const event = await newChecker({ tls: tls() }).check({ url: url.replace("http:", "https:") });
    expect(event).toMatchObject({ kind: "checkFailed", cause: "unreachable" });
    expect(requests).toEqual([]);
  });
});
