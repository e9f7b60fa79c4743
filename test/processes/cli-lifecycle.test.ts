/**
 * An arbiter's life as its operator sees it: started in the foreground and in the background, asked,
 * planned for, reloaded, stopped; and the starts that can't be, each with one clear error.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, expect, test } from "vitest";
import { readPidFile } from "../../src/arbiter/pid-file.ts";
import { arbiter } from "../unit/cli/run.ts";
import { freePort } from "./arbiter-rig.ts";

const PROGRAM = join(import.meta.dirname, "../unit/cli/program.ts");

const folders: string[] = [];
const children: ChildProcess[] = [];
const servers: Server[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  for (const server of servers.splice(0)) server.close();
  for (const folder of folders.splice(0)) {
    const running = readPidFile(join(folder, "var/one"));
    if (running !== null) process.kill(running.pid, "SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
});

interface Site {
  /** Holds `etc/arbiter`; the state goes to `var`. */
  readonly root: string;
  readonly config: string;
  readonly port: number;
}

/** A cluster of one arbiter, one master and one spare; the daemons don't run. */
async function makeSite(): Promise<Site> {
  const root = await mkdtemp(join(tmpdir(), "arbiter-life-"));
  folders.push(root);
  const config = join(root, "etc/arbiter");
  const port = await freePort();
  const daemonPort = await freePort();
  const files = {
    "arbiter.cfg": `[arbiter]\nname = one\naddress = 127.0.0.1\nport = ${port}\n`,
    "daemons/a.cfg": `scheduler_name master\naddress 127.0.0.2\nport ${daemonPort}\nspare 0\n`,
    "daemons/b.cfg": `scheduler_name slave\naddress 127.0.0.3\nport ${daemonPort}\nspare 1\n`,
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(config, path)), { recursive: true });
    await writeFile(join(config, path), content);
  }
  return { root, config, port };
}

/** Whoever is process 1 here may reap nobody: a zombie has ended as well. */
async function stateOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (stat === null) return "gone";
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z") ? "zombie" : "alive";
}

test("in the foreground it says who, where and what next, then one line an event, and ends in good order", async () => {
  const { root, config, port } = await makeSite();
  const child = spawn(process.execPath, [PROGRAM, "start"], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const seen: string[] = [];
  for await (const line of lines) {
    seen.push(line);
    if (line.includes("leader.elected")) child.kill("SIGTERM");
  }
  if (child.exitCode === null) await once(child, "exit");
  expect(seen.slice(0, 5)).toEqual([
    `one listens at http://127.0.0.1:${port} (pid ${child.pid})`,
    `  watches    1 service on 2 daemons, configured in ${config}`,
    `  state      ${join(root, "var/one")}`,
    "  try next   arbiter status --watch    arbiter events --follow    arbiter stop",
    "",
  ]);
  expect(seen[5]).toMatch(/^1 \d{4}-\d\d-\d\dT[\d:.]+Z leader\.elected one leads/u);
  expect(seen.join("\n")).toContain("leader.released");
  expect(child.exitCode).toBe(0);
  expect(readPidFile(join(root, "var/one"))).toBeNull();
});

test("--log json is one JSON object a line", async () => {
  const { root } = await makeSite();
  const argv = [PROGRAM, "start", "--log", "json"];
  const child = spawn(process.execPath, argv, { cwd: root, stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  const seen: unknown[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const value: unknown = JSON.parse(line);
    seen.push(value);
    if (line.includes('"leader.elected"')) child.kill("SIGINT");
  }
  const first = seen.find((value) => JSON.stringify(value).includes('"leader.elected"'));
  expect(first).toMatchObject({ level: "info", event: { seq: 1, type: "leader.elected" } });
});

test("--detach returns when it answers; status, plan, reload and stop find it", async () => {
  const { root, config, port } = await makeSite();
  const started = await arbiter(["start", "--detach", "--json"], { cwd: root });
  expect(started.stderr).toBe("");
  expect(JSON.parse(started.stdout)).toMatchObject({
    name: "one",
    url: `http://127.0.0.1:${port}`,
    pid: readPidFile(join(root, "var/one"))?.pid,
    log: join(root, "var/one/arbiter.log"),
  });

  const status = await arbiter(["status", "--json"], { cwd: root });
  expect(JSON.parse(status.stdout)).toMatchObject({ name: "one", services: [{ name: "master" }] });

  const twice = await arbiter(["start", "--detach"], { cwd: root });
  expect(twice.stderr).toContain("runs already");
  expect(twice.exitCode).toBe(1);

  const copy = join(root, "new");
  await cp(config, copy, { recursive: true });
  const planSame = await arbiter(["config", "plan", copy], { cwd: root });
  expect(planSame.stdout).toContain("nothing would change");
  const edited = `${await readFile(join(copy, "daemons/a.cfg"), "utf8")}lease 4s\n`;
  await writeFile(join(copy, "daemons/a.cfg"), edited);
  const plan = await arbiter(["config", "plan", copy], { cwd: root });
  expect(plan.stdout).toContain("~ daemon master: lease 2s → 4s");
  expect(plan.exitCode).toBe(0);

  await writeFile(join(config, "daemons/a.cfg"), edited);
  const reloaded = await arbiter(["reload"], { cwd: root });
  expect(reloaded.stdout).toContain("version 2");
  expect(reloaded.exitCode).toBe(0);

  await writeFile(join(config, "daemons/a.cfg"), `${edited}spare 7\n`);
  const refused = await arbiter(["reload"], { cwd: root });
  expect(refused.stderr).toContain("daemons/a.cfg:6:");
  expect(refused.stderr).toContain("goes on with the configuration that it has");
  expect(refused.exitCode).toBe(1);

  const pid = readPidFile(join(root, "var/one"))?.pid ?? 0;
  const stopped = await arbiter(["stop"], { cwd: root });
  expect(stopped.stdout).toMatch(new RegExp(`^one \\(pid ${pid}\\) has stopped, after `, "u"));
  expect(stopped.exitCode).toBe(0);
  expect(await stateOf(pid)).toMatch(/^(?:gone|zombie)$/u);

  const again = await arbiter(["stop"], { cwd: root });
  expect(again.stderr).toContain("No arbiter runs on this machine");
  expect(again.exitCode).toBe(1);
}, 60_000);

test("a start that can't be is one error, in the background as in the foreground", async () => {
  const { root, config, port } = await makeSite();
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  for (const argv of [["start"], ["start", "--detach"]]) {
    const taken = await arbiter(argv, { cwd: root });
    expect(taken.stderr).toContain(String(port));
    expect(taken.stdout).toBe("");
    expect(taken.exitCode).toBe(1);
  }
  expect((await arbiter(["start", "--name", "two"], { cwd: root })).stderr).toContain("two");
  await writeFile(join(config, "daemons/a.cfg"), "scheduler_name master\nspar 1\n");
  const bad = await arbiter(["start", "--detach"], { cwd: root });
  expect(bad.stderr).toMatch(/daemons\/a\.cfg:2:1: (?:error|warning)/u);
}, 60_000);

// SIGTERM that came while it waited for its store was once heard by the wrong one, and forgotten.
test("an arbiter that is told to end while it starts ends", async () => {
  const { root, config } = await makeSite();
  const asked = Promise.withResolvers<Socket>();
  const silent = createServer((socket) => asked.resolve(socket));
  servers.push(silent);
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await writeFile(join(config, "store.cfg"), `[store]\nurl = etcd://127.0.0.1:${port}\n`);
  const child = spawn(process.execPath, [PROGRAM, "start", "--config", config], {
    cwd: root,
    stdio: "ignore",
  });
  children.push(child);
  const socket = await asked.promise;
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
  socket.destroy();
});
