/**
 * Secrets are planted everywhere that one may stand (token files, keys, custom keys, environments,
 * URLs), the cluster is made to fail, to refuse and to be misused, and then everything that it has
 * said to anyone is searched for them: logs, status, events, metrics, pages, journals, command
 * lines, and the answers of every command.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { arbiter as runCommand } from "../unit/cli/run.ts";
import { eventually, Rig, type ArbiterProcess } from "./arbiter-rig.ts";
import { Bench, freePort, type DaemonProcess } from "./library-processes.ts";
import { Certificates } from "./security-rig.ts";

const SECRET = {
  full: "plantedfull0123456789abcdef",
  read: "plantedread0123456789abcdef",
  mistaken: "plantedmistaken0123456789abcdef",
  custom: "plantedcustomkey",
  environment: "plantedenvironment",
  webhook: "plantedwebhookpath",
  edit: "plantedinabadedit",
} as const;
const PROGRAM = path.join(import.meta.dirname, "../unit/cli/program.ts");

let rig: Rig;
let bench: Bench;
let arbiter: ArbiterProcess;
let daemon: DaemonProcess;
let launcher: ChildProcess;
let launcherSaid = "";
let privateKey: string;

beforeAll(async () => {
  rig = await Rig.create();
  bench = new Bench();
  const certificates = new Certificates(path.join(bench.folder, "pki"));
  await certificates.authority("ours");
  privateKey = (await certificates.issue("ours", "arbiter-master", ["127.0.0.1"])).key;
  for (const name of ["full", "read"] as const) {
    writeFileSync(path.join(rig.folder, `${name}.token`), `${SECRET[name]}\n`, { mode: 0o600 });
  }
  const security = `[security]\ntoken_file = ${rig.folder}/full.token\nread_token_file = ${rig.folder}/read.token\n`;
  const pki = path.join(bench.folder, "pki", "ours");
  const tls = `tls_cert = ${pki}/{name}.crt\ntls_key = ${pki}/arbiter-master.key\ntls_ca = ${pki}/ca.crt\n`;
  const alerts = `[alerts]\nwebhook = https://alerts.example.org/${SECRET.webhook}\n`;
  rig.writeCluster(`${security}${tls.replace("{name}", "arbiter-master")}${alerts}`);
  const ports = [await freePort(), await freePort()] as const;
  const own = [`_db_password  ${SECRET.custom}`, `env_API_KEY  ${SECRET.environment}`, ""].join("\n");
  rig.write(
    "daemons/scheduler-master.cfg",
    `scheduler_name  scheduler-master\naddress  127.0.0.1\nport  ${ports[0]}\nspare  0\n${own}`,
  );
  rig.write(
    "daemons/scheduler-spare.cfg",
    `scheduler_name  scheduler-spare\naddress  127.0.0.1\nport  ${ports[1]}\nspare  1\n${own}command  sleep 1000\n`,
  );
  arbiter = await rig.start();
  daemon = await bench.spawn("scheduler-master", ["--config", rig.config, "--port", String(ports[0])]);
  const args = ["daemon", "--role", "spare", "--config", rig.config, "--name", "scheduler-spare"];
  launcher = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [launcher.stdout, launcher.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (launcherSaid += text));
  }
  await eventually(async () => await heldBy("scheduler-master"), true);
  // A spare takes over only if the holder has heard of it: a few checks after it has come.
  await eventually(async () => {
    const { body } = await rig.get("/v1/status", full);
    return JSON.stringify(body["daemons"]).includes('"waiting"');
  }, true);
  await sleep(2000);
}, 40_000);

afterAll(async () => {
  if (launcher.exitCode === null) {
    const ended = new Promise((resolve) => launcher.once("exit", resolve));
    launcher.kill("SIGTERM");
    await ended;
  }
  await bench[Symbol.asyncDispose]();
  await rig.close();
});

const full = { authorization: `Bearer ${SECRET.full}` };

async function heldBy(name: string): Promise<boolean> {
  const { body } = await rig.get("/v1/services/scheduler-master", full);
  return body["holder"] === name && body["phase"] === "held";
}

/** Makes it fail, refuse and be misused. */
async function mischief(): Promise<void> {
  const mistaken = { authorization: `Bearer ${SECRET.mistaken}` };
  await rig.get("/v1/status", mistaken);
  await rig.get(`/v1/status?token=${SECRET.mistaken}`, mistaken);
  await rig.post("/v1/pause", { by: "x" }, mistaken);
  await rig.post("/v1/reports", {}, mistaken);
  await rig.post(`/v1/nowhere?token=${SECRET.mistaken}`, {}, mistaken);
  await fetch(`${daemon.url}/v1/assignment`, { method: "PUT", headers: mistaken, body: "{}" });
  await rig.post("/v1/services/scheduler-master/switchover", { to: "scheduler-master" }, full);
  const before = readFileSync(path.join(rig.config, "daemons/scheduler-master.cfg"), "utf8");
  rig.write(
    "daemons/scheduler-master.cfg",
    `${before}_db_password  ${SECRET.edit}\n_api_key = ${SECRET.edit}\nspare x\n`,
  );
  expect((await rig.post("/v1/reload", {}, full)).status).toBe(422);
  rig.write("daemons/scheduler-master.cfg", before);
  writeFileSync(path.join(rig.folder, "full.token"), `${SECRET.full}\n${SECRET.mistaken} and more\n`);
  await eventually(() => arbiter.errors.includes("The tokens read before stay valid"), true);
  writeFileSync(path.join(rig.folder, "full.token"), `${SECRET.full}\n`);
  daemon.child.kill("SIGKILL");
  await eventually(async () => await heldBy("scheduler-spare"), true, 30_000);
}

async function everythingSaid(): Promise<ReadonlyMap<string, string>> {
  const said = new Map<string, string>();
  const paths = ["/v1/status", "/v1/map", "/v1/services", "/v1/peers", "/v1/events?limit=1000", "/v1/config"];
  for (const what of [...paths, "/metrics", "/", "/openapi.json", "/healthz", "/leader"]) {
    const answer = await rig.get(what, full);
    expect([what, answer.status]).toEqual([what, 200]);
    said.set(`GET ${what}`, answer.text);
  }
  said.set("the arbiter's output", arbiter.output + arbiter.errors);
  said.set("the daemon's output", daemon.lines.map(({ did }) => did).join(" ") + daemon.stderr);
  said.set("the launcher's output", launcherSaid);
  for (const command of [
    ["status"],
    ["status", "--json"],
    ["events"],
    ["events", "--json"],
    ["config", "show"],
    ["config", "show", "--json"],
    ["config", "check"],
    ["config", "hash"],
  ]) {
    const ran = await runCommand([...command, "--config", rig.config]);
    said.set(`arbiter ${command.join(" ")}`, ran.stdout + ran.stderr);
  }
  for (const { pid } of [arbiter.child, launcher]) said.set(`the processes of ${pid}`, commandLines());
  for (const file of readdirSync(path.join(rig.folder, "var"), { recursive: true, encoding: "utf8" })) {
    if (/journal|recording|\.log$|pid$|state-id$|memory\.json$/u.test(file)) {
      said.set(`var/${file}`, readFileSync(path.join(rig.folder, "var", file), "utf8"));
    }
  }
  return said;
}

/** What `ps` shows to everyone. */
function commandLines(): string {
  return execFileSync("ps", ["-eo", "args", "--no-headers", "-ww"], { encoding: "utf8" });
}

test("nothing that the cluster says to anyone holds a secret", async () => {
  await mischief();
  const said = await everythingSaid();
  expect(said.size).toBeGreaterThan(20);
  const keyLine = privateKey.split("\n")[1] ?? "";
  expect(keyLine.length).toBeGreaterThan(40);
  const leaks = [...said].flatMap(([where, text]) =>
    [...Object.values(SECRET), keyLine]
      .filter((secret) => text.includes(secret))
      .map((secret) => `${secret} in ${where}`),
  );
  expect(leaks).toEqual([]);
  // And there was something to be found: all of that was said.
  const events = said.get("GET /v1/events?limit=1000") ?? "";
  for (const type of ["security.refused", "operator.refused", "config.refused"])
    expect(events).toContain(type);
}, 60_000);

test("what has to hold secrets is its owner's alone", () => {
  const stateDir = path.join(rig.folder, "var");
  const stores = readdirSync(stateDir, { recursive: true, encoding: "utf8" }).filter((file) =>
    /arbiter\.db/u.test(file),
  );
  expect(stores.length).toBeGreaterThan(0);
  for (const file of stores) {
    expect([file, statSync(path.join(stateDir, file)).mode & 0o077]).toEqual([file, 0]);
  }
  for (const name of ["ca.key", "arbiter-master.key"]) {
    expect(statSync(path.join(bench.folder, "pki", "ours", name)).mode & 0o777).toBe(0o600);
  }
});

test("a key or a token that everybody may read is told of", async () => {
  const key = path.join(bench.folder, "pki", "ours", "arbiter-master.key");
  expect(existsSync(key)).toBe(true);
  const token = path.join(rig.folder, "full.token");
  chmodSync(key, 0o644);
  chmodSync(token, 0o604);
  const second = rig.spawn();
  // The folder is in use: it says what it has to say, and ends.
  await second.exited;
  chmodSync(key, 0o600);
  expect(second.errors).toMatch(/Everybody on this machine may read the private key .*chmod 600/u);
  expect(second.errors).toMatch(
    /Everybody on this machine may read the token file .*full\.token: `chmod 600`/u,
  );
  expect(second.errors).not.toContain(privateKey.split("\n")[1]);
});
