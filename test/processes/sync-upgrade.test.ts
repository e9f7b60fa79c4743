/**
 * A rolling upgrade: an older version of this program beside this one, as arbiter and as
 * daemon, while a service does its work. The older one is a commit of this repository ($ARBITER_OLDER
 * names another); where the history isn't there, a peer that speaks protocol 2 is still refused.
 */
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually, freePort, membersOf, Rig } from "./arbiter-rig.ts";

/** Before arbiters compared files, passed requests on, and let daemons join. */
const OLDER = process.env["ARBITER_OLDER"] ?? "4be34f853b";
const REPOSITORY = path.join(import.meta.dirname, "../..");
const THIS = path.join(import.meta.dirname, "launcher-cli.ts");
const SLOW_MS = 20_000;

let folder = "";
let rig: Rig | null = null;
const running = new Map<string, ChildProcess>();
afterEach(async () => {
  for (const name of running.keys()) await stop(name, "SIGKILL");
  await rig?.close();
  rig = null;
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

/** The older version's sources, below the repository, so that they find its packages; null: no history. */
function olderProgram(): string | null {
  const target = path.join(REPOSITORY, "var", `older-${OLDER}`);
  const program = path.join(target, "program.ts");
  if (existsSync(program)) return program;
  try {
    const archive = execFileSync("git", ["archive", OLDER, "src", "package.json"], {
      cwd: REPOSITORY,
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "ignore"],
    });
    mkdirSync(target, { recursive: true });
    execFileSync("tar", ["-x", "-C", target], { input: archive });
  } catch {
    process.stdout.write(`skipped: the history of this repository has no ${OLDER} here\n`);
    return null;
  }
  writeFileSync(program, 'import { main } from "./src/cli/main.ts";\nawait main(process.argv.slice(2));\n');
  return program;
}

function start(program: string, name: string, argv: readonly string[]): void {
  const child = spawn(process.execPath, [program, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
  child.once("exit", (code) => {
    if (running.get(name) === child && code !== null && code > 0) process.stderr.write(`${name}: ${said}\n`);
  });
  running.set(name, child);
}

async function stop(name: string, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  const child = running.get(name);
  running.delete(name);
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

interface Cluster {
  readonly arbiter: (program: string, name: "one" | "two") => void;
  readonly daemon: (program: string, name: "web-1" | "web-2") => void;
  readonly ask: (name: string, target: string) => Promise<Record<string, unknown>>;
  readonly held: (by: string, asked: string) => Promise<void>;
}

async function makeCluster(): Promise<Cluster> {
  folder = mkdtempSync(path.join(tmpdir(), "arbiter-upgrade-"));
  const ports: Record<string, number> = {};
  for (const name of ["one", "two", "web-1", "web-2"]) ports[name] = await freePort();
  const etc = path.join(folder, "etc");
  mkdirSync(etc);
  writeFileSync(
    path.join(etc, "arbiter.cfg"),
    [
      "[cluster]\nname = upgrade\narbiter_lease = 1s\nlease = 1s\ncheck_interval = 150ms\ntimeout = 100ms\nfailback = manual",
      ...["one", "two"].map((name) => `[arbiter ${name}]\nname = ${name}\nport = ${ports[name]}`),
      `[web web-1]\nname = web-1\nport = ${ports["web-1"]}\nservice = web`,
      `[web web-2]\nname = web-2\nport = ${ports["web-2"]}\nspare = 1\n`,
    ].join("\n"),
  );
  const ask: Cluster["ask"] = async (name, target) => {
    const answer = await fetch(`http://127.0.0.1:${ports[name]}${target}`).catch(() => null);
    return membersOf((await answer?.text()) ?? "");
  };
  const loop = `while sleep 0.05; do echo "$(date +%s%3N) $ARBITER_NAME $ARBITER_EPOCH" >>${folder}/work.txt; done`;
  return {
    ask,
    arbiter: (program, name) => start(program, name, ["start", "--config", etc, "--name", name]),
    daemon: (program, name) => {
      const role = name === "web-1" ? "master" : "spare";
      const asked = ["--role", role, "--name", name, "--config", etc];
      start(program, name, ["daemon", ...asked, "--", "sh", "-c", loop]);
    },
    held: (by, asked) =>
      eventually(async () => (await ask(asked, "/v1/services/web"))["holder"], by, SLOW_MS),
  };
}

/** Who worked at each epoch, in order, and the longest pause. */
function work(): { readonly epochs: readonly string[]; readonly longestGapMs: number } {
  const lines = readFileSync(path.join(folder, "work.txt"), "utf8").trim().split("\n");
  const times = lines.map((line) => Number(line.split(" ")[0]));
  const gaps = times.map((time, at) => time - (times[at - 1] ?? time));
  const epochs = lines.map((line) => line.split(" ").slice(1).join(" "));
  return { epochs: epochs.filter((who, at) => who !== epochs[at - 1]), longestGapMs: Math.max(...gaps) };
}

function stateIn({ daemons }: Record<string, unknown>, name: string): string {
  const list: readonly unknown[] = Array.isArray(daemons) ? daemons : [];
  for (const daemon of list)
    if (typeof daemon === "object" && daemon !== null && "name" in daemon && daemon.name === name)
      return "state" in daemon ? String(daemon.state) : "";
  return "";
}

const older = olderProgram();

test.skipIf(older === null)(
  "arbiters and daemons are upgraded one after the other, and a daemon goes back: one holder, no service lost",
  async () => {
    if (older === null) return;
    const { arbiter, daemon, ask, held } = await makeCluster();
    const leader = (name: string, expected: string): Promise<void> =>
      eventually(async () => (await ask(name, "/leader"))["leader"], expected, SLOW_MS);
    const waits = (name: string): Promise<void> =>
      eventually(async () => stateIn(await ask("one", "/v1/peers"), name), "waiting", SLOW_MS);
    for (const name of ["web-1", "web-2"] as const) daemon(older, name);
    arbiter(older, "one");
    await held("web-1", "one");
    arbiter(older, "two");
    await leader("two", "one");
    // The standby first: an older leader beside a newer standby.
    await stop("two");
    arbiter(THIS, "two");
    await leader("two", "one");
    const problems = JSON.stringify((await ask("two", "/v1/status"))["problems"]);
    expect(problems).not.toContain('"drift"');
    // The leader: the newer one leads over older daemons.
    await stop("one");
    await leader("two", "two");
    arbiter(THIS, "one");
    await leader("one", "two");
    await held("web-1", "one");
    // The spare, then the master: its service moves to the newer one.
    await stop("web-2");
    daemon(THIS, "web-2");
    await waits("web-2");
    await stop("web-1");
    await held("web-2", "one");
    daemon(THIS, "web-1");
    // A daemon goes back: the newer arbiter leads over it as before. Arbiters don't: the store's schema
    // may have been raised, and then an older one refuses it.
    await stop("web-1");
    daemon(older, "web-1");
    await waits("web-1");
    await stop("two", "SIGKILL");
    await leader("one", "one");
    await held("web-2", "one");
    expect(work().epochs).toEqual(["web-1 1", "web-2 2"]);
    // One planned move; an arbiter's change is none. Generous, for a machine that has other work.
    expect(work().longestGapMs).toBeLessThan(10_000);
  },
  120_000,
);

test("a daemon that speaks another protocol is no daemon: it is said, and nothing is given to it", async () => {
  rig = await Rig.create();
  rig.writeCluster();
  const port = await freePort();
  let asked = 0;
  const stranger = createServer((request, response) => {
    asked += 1;
    request.resume();
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ protocol: 2, name: "scheduler-master" }));
  });
  stranger.listen(port, "127.0.0.1");
  await once(stranger, "listening");
  try {
    rig.write(
      "daemons/scheduler-master.cfg",
      `scheduler_name  scheduler-master\naddress  127.0.0.1\nport  ${port}\n`,
    );
    await rig.start();
    const failure = async (): Promise<string> => (await rig?.status())?.daemons[0]?.lastFailure ?? "";
    await expect.poll(failure, { timeout: SLOW_MS }).toMatch(/protocol/u);
    expect(asked).toBeGreaterThan(0);
    expect(await rig.held("scheduler-master")).toMatch(/^nobody@0 vacant/u);
  } finally {
    stranger.closeAllConnections();
    stranger.close();
  }
}, 40_000);
