/**
 * Alerts, to a real HTTP receiver, a real SMTP server and a real command on loopback: signed, once
 * they have failed tried again, told by the next leader, seen in the status until they are delivered.
 */
import { createHmac } from "node:crypto";
import { chmodSync, readFileSync, existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, Server } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { SMTPServer } from "smtp-server";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { AlertMessage } from "../../src/arbiter/alerts/message.ts";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, freePort, Rig } from "./arbiter-rig.ts";

const SERVICE = "scheduler-master";
const CLI = fileURLToPath(new URL("../unit/cli/program.ts", import.meta.url));
const SECRET = "whsec_bm90IHNvIHNlY3JldCwgdGhpcyBvbmUgaXM=";

interface Post {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly message: AlertMessage;
}

/** Takes posts, or refuses them while it is told to. */
class Receiver {
  readonly posts: Post[] = [];
  readonly refused: Post[] = [];
  status = 204;
  readonly server: Server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const message = messageIn(body);
      (this.status < 300 ? this.posts : this.refused).push({ headers: request.headers, body, message });
      response.writeHead(this.status).end(this.status < 300 ? "" : "not now");
    });
  });

  async listen(port: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.server.listen(port, "127.0.0.1", () => resolve(undefined));
    await promise;
  }

  /** What has been told, as `kind type`. */
  get told(): readonly string[] {
    return this.posts.flatMap(({ message }) => message.alerts.map(({ kind, type }) => `${kind} ${type}`));
  }

  get seqs(): readonly number[] {
    return this.posts.flatMap(({ message }) => message.alerts.map(({ seq }) => seq));
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

function messageIn(body: string): AlertMessage {
  const value: unknown = JSON.parse(body);
  const isMessage = (given: unknown): given is AlertMessage =>
    typeof given === "object" && given !== null && "alerts" in given;
  if (isMessage(value)) return value;
  throw new Error(`this is no message: ${body}`);
}

let rig: Rig;
let receiver: Receiver;
let master: ScriptedDaemon;
let hook: number;

beforeEach(async () => {
  rig = await Rig.create();
  receiver = new Receiver();
  hook = await freePort();
  await receiver.listen(hook);
  master = await rig.addDaemon(SERVICE, "master");
  await master.start();
}, 40_000);
afterEach(async () => {
  receiver.close();
  await rig.close();
});

function configure(alerts: string): void {
  // Not the fast profile: on a busy machine its false alarms would be told as well.
  rig.writeCluster(`check_interval = 150ms\ntimeout = 120ms\nlease = 2s\n[alerts]\n${alerts}`);
  writeFileSync(path.join(rig.config, "webhook.secret"), `${SECRET}\n`);
}

async function started(): Promise<void> {
  await rig.start();
  await eventually(() => rig.held(SERVICE), `${SERVICE}@1 held`);
}

/** The only candidate crashes, and comes back. */
async function trouble(): Promise<void> {
  await master.crash();
  await eventually(async () => (await rig.held(SERVICE)).endsWith("fencing"), true);
}

it("a trouble and its end are posted, signed so that the receiver can check it, and a planned move is not", async () => {
  configure(`webhook = http://127.0.0.1:${hook}/alerts?token=x\nwebhook_secret_file = webhook.secret\n`);
  await started();
  await trouble();
  await master.start();
  await eventually(() => receiver.told.includes("recovery service.held"), true);
  await eventually(() => receiver.told.includes("recovery daemon.up"), true);
  expect(receiver.told).toContain("problem service.fencing");
  expect(receiver.told).toContain("problem daemon.down");
  // Nothing of the first start: the target began with what happened next.
  expect(receiver.told[0]).toMatch(/^problem /u);
  for (const { headers, body, message } of receiver.posts) {
    expect(headers["webhook-id"]).toBe(message.id);
    const signed = `${message.id}.${String(headers["webhook-timestamp"])}.${body}`;
    const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
    const expected = createHmac("sha256", key).update(signed).digest("base64");
    expect(headers["webhook-signature"]).toBe(`v1,${expected}`);
    expect(message).toMatchObject({ cluster: "test", arbiter: "arbiter-master", isTest: false });
  }
  expect(receiver.seqs).toEqual([...new Set(receiver.seqs)].toSorted((a, b) => a - b));
}, 60_000);

it("while the receiver is away, it stands in status and metrics; killed and started again, nothing is lost", async () => {
  configure(`webhook = http://127.0.0.1:${hook}/\nwebhook_events = service.fencing, service.held\n`);
  await started();
  receiver.status = 503;
  await trouble();
  await eventually(async () => {
    const { problems } = await rig.status();
    return problems.find(({ code }) => code === "undelivered")?.subject;
  }, "alerts: webhook");
  const { problems } = await rig.status();
  const found = problems.find(({ code }) => code === "undelivered");
  expect(found?.text).toMatch(/^\d+ alerts? can't be delivered.*status 503: not now/u);
  const metrics = (await rig.get("/metrics")).text;
  expect(metrics).toMatch(/arbiter_alerts_undelivered\{target="webhook"\} [1-9]/u);
  await rig.arbiters[0]?.stop("SIGKILL");
  expect(receiver.told).not.toContain("problem service.fencing");
  receiver.status = 200;
  await rig.start();
  await master.start();
  await eventually(() => receiver.told.includes("recovery service.held"), true, 30_000);
  expect(receiver.told).toContain("problem service.fencing");
  await eventually(
    async () => (await rig.status()).problems.some(({ code }) => code === "undelivered"),
    false,
  );
}, 90_000);

it("the next leader goes on telling where the one before was killed, and a standby sends nothing", async () => {
  const port = await freePort();
  rig.write(
    "daemons/arbiter-2.cfg",
    `arbiter_name  arbiter-2\naddress  127.0.0.1\nport  ${port}\nspare  1\n`,
  );
  configure(`webhook = http://127.0.0.1:${hook}/\nwebhook_events = service.fencing, service.held\n`);
  await rig.spawn("arbiter-master").ready();
  await eventually(() => rig.held(SERVICE), `${SERVICE}@1 held`);
  await rig.spawn("arbiter-2").ready();
  receiver.status = 500;
  await trouble();
  await eventually(() => receiver.refused.length > 0, true);
  expect(new Set(receiver.refused.map(({ message }) => message.arbiter))).toEqual(
    new Set(["arbiter-master"]),
  );
  await rig.arbiters[0]?.stop("SIGKILL");
  receiver.status = 200;
  // The very one that the killed arbiter could not deliver.
  const [lost] = receiver.refused;
  const told = (): boolean =>
    receiver.posts.some(
      ({ message }) =>
        message.arbiter === "arbiter-2" && message.alerts[0]?.id === lost?.message.alerts[0]?.id,
    );
  await eventually(told, true, 30_000);
}, 90_000);

it("mail and command get theirs, each by its own filter; a test reaches all and says what came of each", async () => {
  const mails: string[] = [];
  const smtp = new SMTPServer({
    authOptional: false,
    allowInsecureAuth: true,
    onAuth({ username, password }, _session, done) {
      if (username === "arbiter" && password === "p@ss") done(null, { user: username });
      else done(new Error("who are you?"));
    },
    onData(stream, _session, done) {
      let text = "";
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      stream.on("end", () => {
        mails.push(text);
        done();
      });
    },
    disabledCommands: ["STARTTLS"],
  });
  const mailPort = await freePort();
  smtp.listen(mailPort, "127.0.0.1");
  const written = path.join(rig.folder, "told.jsonl");
  const script = path.join(rig.folder, "tell.sh");
  writeFileSync(script, `#!/bin/sh\ncat >> "$1"\n`);
  chmodSync(script, 0o755);
  rig.write("smtp.url", `smtp://arbiter:p%40ss@127.0.0.1:${mailPort}\n`);
  configure(
    `smtp_file = smtp.url\nmail_to = ops@example.org, night@example.org\nmail_events = daemon.*\n` +
      `command = ${script} ${written}\ncommand_events = service.fencing\nrecovery = 0\n`,
  );
  try {
    await started();
    const test = await execa(
      process.execPath,
      [CLI, "alert", "test", "--json", "--config", rig.config, "--url", rig.url],
      {
        reject: false,
      },
    );
    expect(test.stderr).toBe("");
    expect(test.exitCode).toBe(0);
    expect(JSON.parse(test.stdout)).toMatchObject({
      ok: true,
      results: [
        { target: "command", ok: true },
        { target: "mail", ok: true },
      ],
    });
    expect(mails.join("\n")).toMatch(/^Subject: \[test\] TEST: This is a test/mu);
    expect(JSON.parse(readFileSync(written, "utf8"))).toMatchObject({ isTest: true });
    await trouble();
    await eventually(() => mails.some((mail) => mail.includes("daemon.down")), true);
    await eventually(
      () => existsSync(written) && readFileSync(written, "utf8").includes("service.fencing"),
      true,
    );
    const mail = mails.find((text) => text.includes("daemon.down")) ?? "";
    expect(mail).toMatch(/^To: ops@example.org, night@example.org\r?$/mu);
    expect(mail).toMatch(/^Subject: .*PROBLEM/mu);
    expect(mails.some((text) => text.includes("service.fencing"))).toBe(false);
  } finally {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    smtp.close(() => resolve(undefined));
    await promise;
  }
  const after = await execa(process.execPath, [CLI, "alert", "test", "--url", rig.url], { reject: false });
  expect([after.exitCode, after.stdout]).toEqual([
    1,
    expect.stringMatching(/command: taken after \d+ ms\nmail: failed after \d+ ms: .*ECONNREFUSED/u),
  ]);
}, 60_000);
