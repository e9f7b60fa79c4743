/**
 * Starts that can't succeed: each ends with exit code 1 and one clear error, with nothing half
 * started: nobody listens, and no pid file stays behind.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Server } from "node:net";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readPidFile } from "../../src/arbiter/pid-file.ts";
import { eventually, Rig } from "./arbiter-rig.ts";

let rig: Rig;
const ends: (() => void)[] = [];

beforeEach(async () => {
  rig = await Rig.create();
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) end();
  await rig.close();
});

/** Starts it, and gives back what it said as its one error. */
async function failure(name: string | null = null): Promise<string> {
  const arbiter = rig.spawn(name);
  const code = await arbiter.exited;
  const errors = arbiter.errors
    .split("\n")
    .filter((line) => line.startsWith("failed ") || line.startsWith("error "));
  expect([code, errors.length, arbiter.output]).toEqual([1, 1, ""]);
  expect(await listens()).toBe(false);
  expect(existsSync(path.join(rig.stateDir, "arbiter-master", "arbiter.pid"))).toBe(false);
  return arbiter.errors.slice(arbiter.errors.indexOf("failed "));
}

async function listens(): Promise<boolean> {
  return fetch(rig.url).then(
    () => true,
    () => false,
  );
}

async function listenAt(port: number): Promise<Server> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  server.listen(port, "127.0.0.1", () => resolve(undefined));
  await promise;
  return server;
}

describe("the configuration", () => {
  it("that is an empty folder", async () => {
    expect(await failure()).toMatch(/^failed ERR_ARB_CONFIG .*\n.*holds no configuration.*arbiter init/u);
    expect(existsSync(rig.stateDir)).toBe(false);
  });

  it("that isn't there", async () => {
    rmSync(rig.config, { recursive: true });
    expect(await failure()).toMatch(/^failed ERR_ARB_CONFIG .*\n.*can't read/u);
  });

  it("with errors: all of them are printed with line and caret", async () => {
    rig.writeCluster();
    await rig.addDaemon("scheduler-master", "master");
    rig.write(
      "daemons/scheduler-2.cfg",
      "scheduler_name  scheduler-2\naddress  127.0.0.1\nport  nine\nspare  maybe\n",
    );
    const text = await failure();
    expect(text).toMatch(/scheduler-2\.cfg:3:.*\n.*port {2}nine\n.*\^/u);
    expect(text).toMatch(/scheduler-2\.cfg:4:/u);
    expect(existsSync(rig.stateDir)).toBe(false);
  });

  it("with two arbiters and no name, or a name that none has", async () => {
    rig.writeCluster();
    await rig.addDaemon("scheduler-master", "master");
    rig.write(
      "daemons/arbiter-2.cfg",
      `arbiter_name  arbiter-2\naddress  127.0.0.1\nport  ${rig.port + 1}\nspare  1\n`,
    );
    const unclear = await failure();
    expect(unclear).toMatch(/^failed ERR_ARB_WHICH_ARBITER .*arbiter-2.*--name/u);
    expect(unclear).toContain("arbiter-master");
    expect(await failure("arbiter-3")).toMatch(
      /^failed ERR_ARB_UNKNOWN_ARBITER .*arbiter-3.*arbiter-master/u,
    );
    const named = rig.spawn("arbiter-master");
    expect(await named.ready()).toBe(rig.url);
  });
});

describe("the address", () => {
  beforeEach(async () => {
    rig.writeCluster();
    await rig.addDaemon("scheduler-master", "master");
  });

  it("whose port is in use: said before a store is touched", async () => {
    const server = await listenAt(rig.port);
    const arbiter = rig.spawn();
    expect(await arbiter.exited).toBe(1);
    expect(arbiter.errors).toMatch(
      new RegExp(`failed ERR_ARB_PORT_IN_USE .*127\\.0\\.0\\.1:${rig.port}.*port`, "u"),
    );
    expect(readdirSync(rig.stateDir)).toEqual(["arbiter-master"]);
    server.close();
  });

  it("of an arbiter that runs already: names its pid, and leaves it alone", async () => {
    const first = await rig.start();
    const second = rig.spawn();
    expect(await second.exited).toBe(1);
    expect(second.errors).toMatch(new RegExp(`failed ERR_ARB_ALREADY_RUNNING .*pid ${first.child.pid}`, "u"));
    expect(await listens()).toBe(true);
    expect(readPidFile(path.join(rig.stateDir, "arbiter-master"))).toMatchObject({
      pid: first.child.pid,
      name: "arbiter-master",
      url: rig.url,
    });
    // A pid file that a killed process left behind is nobody's.
    await first.stop("SIGKILL");
    expect(readPidFile(path.join(rig.stateDir, "arbiter-master"))).toBeNull();
    await rig.start();
  });

  it("that isn't loopback, without a token: says both ways out", async () => {
    rig.writeCluster("[security]\nbind = 0.0.0.0");
    expect(await failure()).toMatch(/^failed ERR_ARB_OPEN_BIND .*0\.0\.0\.0.*token_file.*insecure = 1/u);
    rig.writeCluster("[security]\nbind = 0.0.0.0\ninsecure = 1");
    await rig.spawn().ready();
    expect(await listens()).toBe(true);
  });

  it("that is no address of this machine", async () => {
    rig.writeCluster("[security]\nbind = 192.0.2.1\ninsecure = 1");
    expect(await failure()).toMatch(/^failed ERR_ARB_BIND .*192\.0\.2\.1.*no address of this machine/u);
  });
});

describe("security", () => {
  beforeEach(async () => {
    await rig.addDaemon("scheduler-master", "master");
  });

  it("with a token file that isn't there", async () => {
    rig.writeCluster("[security]\ntoken_file = nowhere");
    expect(await failure()).toMatch(/^failed ERR_ARB_(TOKEN_FILE|CONFIG) [^]*nowhere/u);
  });

  it("with use_ssl and no certificate: no plain HTTP in silence", async () => {
    rig.writeCluster();
    rig.write(
      "daemons/arbiter-master.cfg",
      `arbiter_name  arbiter-master\naddress  127.0.0.1\nport  ${rig.port}\nuse_ssl  1\n`,
    );
    expect(await failure()).toMatch(/^failed ERR_ARB_(TLS|CONFIG) [^]*tls_cert/u);
  });

  it("with a certificate that is none", async () => {
    rig.writeCluster("[security]\ntls_cert = cert.pem\ntls_key = key.pem");
    rig.write(
      "daemons/arbiter-master.cfg",
      `arbiter_name  arbiter-master\naddress  127.0.0.1\nport  ${rig.port}\nuse_ssl  1\n`,
    );
    writeFileSync(path.join(rig.config, "cert.pem"), "no certificate");
    writeFileSync(path.join(rig.config, "key.pem"), "no key");
    expect(await failure()).toMatch(/^failed ERR_ARB_TLS .*tls_cert/u);
  });

  const openssl = spawnSync("openssl", ["version"]).status === 0;
  it.skipIf(!openssl)("with a good certificate it speaks HTTPS alone (needs openssl)", async () => {
    rig.writeCluster("[security]\ntls_cert = cert.pem\ntls_key = key.pem");
    rig.write(
      "daemons/arbiter-master.cfg",
      `arbiter_name  arbiter-master\naddress  127.0.0.1\nport  ${rig.port}\nuse_ssl  1\n`,
    );
    const make =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=arbiter";
    const names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"];
    execFileSync("openssl", [...make.split(" "), ...names], { cwd: rig.config, stdio: "ignore" });
    const url = await rig.spawn().ready();
    expect(url).toBe(`https://127.0.0.1:${rig.port}`);
    expect(await listens()).toBe(false);
    const script = `fetch("${url}/healthz").then(r => r.text()).then(t => console.log(t))`;
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: path.join(rig.config, "cert.pem") };
    expect(execFileSync(process.execPath, ["-e", script], { env, encoding: "utf8" })).toContain(
      "arbiter-master",
    );
  });
});

const database = (): string => path.join(rig.stateDir, "arbiter.db");

/** The state folder on a file system of its own. */
function mountState(size: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", rig.stateDir]);
  ends.push(() => execFileSync("umount", ["-l", rig.stateDir]));
}

describe("the store", () => {
  beforeEach(async () => {
    rig.writeCluster();
    await rig.addDaemon("scheduler-master", "master");
    mkdirSync(rig.stateDir);
  });

  it("that is corrupt is left as it is", async () => {
    const garbage = "this is no database, but long enough to be taken for one. ".repeat(100);
    writeFileSync(database(), garbage);
    expect(await failure()).toMatch(/^failed ERR_ARB_STORE_UNAVAILABLE .*arbiter\.db/u);
    expect(statSync(database()).size).toBe(garbage.length);
  });

  it("that another process has locked", async () => {
    const holder = new DatabaseSync(database());
    holder.exec("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE x (y); BEGIN EXCLUSIVE");
    ends.push(() => holder.close());
    expect(await failure()).toMatch(/^failed ERR_ARB_STORE_UNAVAILABLE .*(locked|busy)/u);
  });

  it("of an engine that this version doesn't have", async () => {
    rig.writeCluster("[store]\nurl = quorum:");
    expect(await failure()).toMatch(/^failed ERR_ARB_(STORE_ENGINE|CONFIG) [^]*quorum/u);
  });

  const mayMount = process.getuid?.() === 0 && process.platform === "linux";

  it.skipIf(!mayMount)("on a full disk (needs root for a tmpfs)", async () => {
    mountState("256k");
    writeFileSync(path.join(rig.stateDir, "filler"), Buffer.alloc(244 * 1024));
    expect(await failure()).toMatch(/^failed ERR_ARB_(STORE_UNAVAILABLE|STATE_DIR) .*(full|space)/iu);
  });

  it.skipIf(!mayMount)("on a read-only disk (needs root for a tmpfs)", async () => {
    mountState("4m");
    execFileSync("mount", ["-o", "remount,ro", rig.stateDir]);
    expect(await failure()).toMatch(/^failed ERR_ARB_(STORE_UNAVAILABLE|STATE_DIR) .*read-only/iu);
  });

  it.skipIf(!mayMount)(
    "whose disk fills up while it runs: holders go on, it says so, and recovers (needs root for a tmpfs)",
    async () => {
      mountState("2m");
      const [daemon] = rig.daemons;
      await daemon?.start();
      await rig.start();
      await eventually(() => rig.held("scheduler-master"), "scheduler-master@1 held");
      const filler = path.join(rig.stateDir, "filler");
      try {
        writeFileSync(filler, Buffer.alloc(4 * 1024 * 1024));
      } catch {
        // As full as it gets.
      }
      await eventually(
        async () => (await rig.status()).problems.some(({ code }) => code === "store-down"),
        true,
      );
      const refused = await rig.post("/v1/pause", {});
      expect(refused).toMatchObject({ status: 503, type: "application/problem+json" });
      const before = daemon?.assignments.length ?? 0;
      await eventually(() => (daemon?.assignments.length ?? 0) > before + 5, true);
      expect(daemon?.held).toEqual({ service: "scheduler-master", epoch: 1 });
      rmSync(filler);
      await eventually(async () => (await rig.post("/v1/pause", {})).status, 202);
      expect(await rig.held("scheduler-master")).toBe("scheduler-master@1 held");
      const numbers = (await rig.events()).map(({ seq }) => seq);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    },
    40_000,
  );
});
