/**
 * `arbiter daemon` as it is typed: command line, configuration, runtime and launcher together, with
 * a small arbiter that speaks the real protocol.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { daemonCommand } from "../../src/cli/daemon.ts";
import { WrongUsage } from "../../src/cli/failure.ts";
import { freePort } from "./library-processes.ts";
import { runningDaemons } from "../../src/launcher/pid-file.ts";
import {
  isLockFree,
  makeFolder,
  parseObject,
  runningMembers,
  runs,
  shell,
  textOf,
  until,
} from "./launcher-workshop.ts";
import { get, ScriptedArbiter } from "./scripted-arbiter.ts";

const CLI = fileURLToPath(new URL("launcher-cli.ts", import.meta.url));

let folder = "";
let port = 0;
let arbiter: ScriptedArbiter;
const started: ChildProcess[] = [];

beforeEach(async () => {
  folder = makeFolder();
  port = await freePort();
  arbiter = await ScriptedArbiter.start();
});

afterEach(async () => {
  await arbiter.close();
  for (const child of started.splice(0)) child.kill("SIGKILL");
  for (const { pid } of runningDaemons(join(folder, "state"))) process.kill(pid, "SIGKILL");
  await until("nothing holds a lock", () =>
    ["web-1", "web-2"].every((name) => !lockExists(name) || lockFree(name)),
  );
  rmSync(folder, { recursive: true, force: true });
});

const stateOf = (name: string): string => join(folder, "state", name);
const lockExists = (name: string): boolean => textOf(join(stateOf(name), "state-id")) !== "";
const lockFree = (name: string): boolean => isLockFree(stateOf(name));

/** The group of the program that was started last, as it said itself. */
function groupOf(output: string): number {
  return Number([...output.matchAll(/ as (\d+)\.\n/gu)].at(-1)?.[1]);
}

interface Run {
  readonly child: ChildProcess;
  readonly url: string;
  out: string;
  err: string;
}

function arbiterCommand(...words: readonly string[]): Run {
  const child = spawn(process.execPath, [CLI, ...words], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ARBITER_CONFIG: "", ARBITER_TOKEN_FILE: "", ARBITER_URL: "" },
  });
  started.push(child);
  const run: Run = { child, url: `http://127.0.0.1:${port}`, out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (run.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (run.err += chunk.toString()));
  return run;
}

async function finished(run: Run): Promise<number | null> {
  if (run.child.exitCode === null) await once(run.child, "close");
  return run.child.exitCode;
}

function writeCfg(name: string, lines: readonly string[]): string {
  const file = join(folder, `${name}.cfg`);
  writeFileSync(file, [`[web]`, `name = ${name}`, `port = ${port}`, ...lines, ""].join("\n"));
  return file;
}

/** A launcher that answers. */
async function launched(words: readonly string[], command: readonly string[]): Promise<Run> {
  const separator = command.length > 0 ? ["--"] : [];
  const run = arbiterCommand(
    "daemon",
    ...words,
    "--state-dir",
    join(folder, "state"),
    ...separator,
    ...command,
  );
  await until(
    `it listens; it said ${run.err}`,
    () => run.err.includes("listens at") || run.child.exitCode !== null,
  );
  if (run.child.exitCode !== null) throw new Error(run.err);
  return run;
}

const program = shell(
  'echo "started $ARBITER_SERVICE $ARBITER_EPOCH $ARBITER_NAME $ARBITER_ROLE as $$."; exec sleep 60',
);

describe("a launched command", () => {
  test("runs while its daemon is active, and its end is told at once, as proof", async () => {
    const file = writeCfg("web-1", []);
    const run = await launched(["--role", "master", "--config", file], program);
    expect((await get(`${run.url}/health`)).body).toMatchObject({
      name: "web-1",
      type: "web",
      role: "master",
      state: "waiting",
      launched: true,
      healthy: true,
    });
    expect((await get(`${run.url}/active`)).status).toBe(503);
    expect((await get(`${run.url}/waiting`)).status).toBe(200);
    await arbiter.hold(run.url, "web-1", [{ service: "web-1", epoch: 4 }]);
    await until("the program runs", () => run.out.includes("web-1 | started web-1 4 web-1 master as "));
    await until("it is active", () => arbiter.newest.get("web-1")?.state === "active");
    expect((await get(`${run.url}/active`)).status).toBe(200);
    const group = groupOf(run.out);
    arbiter.letGo();
    arbiter.reports.length = 0;
    process.kill(group, "SIGKILL");
    await until("it is reported unasked", () =>
      arbiter.reports.some((report) => report.services.length === 0),
    );
    expect(arbiter.newest.get("web-1")?.seenEpochs).toEqual({ "web-1": 4 });
    // It outlives its command: it waits again, and takes the next epoch.
    await arbiter.hold(run.url, "web-1", [{ service: "web-1", epoch: 5 }]);
    await until("it runs again", () => run.out.includes("started web-1 5"));
  });

  test("outlives its lease: the program is stopped, the launcher waits", async () => {
    const file = writeCfg("web-1", ["stop_timeout = 100ms"]);
    const run = await launched(["--role", "master", "--config", file], program);
    // One that can't be asked for its promise: so there is no failsafe.
    const candidates = [{ name: "web-2", stateId: "somewhere-else", url: "http://127.0.0.1:1" }];
    await arbiter.hold(run.url, "web-1", [{ service: "web-1", epoch: 1, candidates }]);
    await until("the program runs", () => groupOf(run.out) > 1);
    const group = groupOf(run.out);
    arbiter.letGo();
    await until("the program is gone", () => runningMembers(group).length === 0);
    expect(run.child.exitCode).toBe(null);
    expect((await get(`${run.url}/active`)).status).toBe(503);
    await until("it says that it has none", () => arbiter.newest.get("web-1")?.services.length === 0);
  });

  test("a command that isn't there: the activation fails, the report says why", async () => {
    const run = await launched(
      ["--role", "spare", "--type", "web", "--port", String(port), "--name", "web-1"],
      ["/no/such/program"],
    );
    await arbiter.hold(run.url, "web-1", [{ service: "s", epoch: 1 }]);
    await until("failed", () =>
      arbiter.reports.some((report) => /can't be run: no such program/.test(report.reason)),
    );
    expect(run.child.exitCode).toBe(null);
  });

  test("the file's own command, environment and signal; SIGTERM ends launcher and program within stop_timeout", async () => {
    writeFileSync(
      join(folder, "serve.sh"),
      `trap 'echo asked; exit 0' INT; echo "up $COLOUR $1 as $$."; while :; do sleep 0.01; done\n`,
    );
    const file = writeCfg("web-1", [
      `command = sh ${folder}/serve.sh "two words"`,
      "env_COLOUR = green",
      "stop_signal = INT",
      "stop_timeout = 2s",
    ]);
    const run = await launched(["--role", "master", "--config", file], []);
    await arbiter.hold(run.url, "web-1", [{ service: "web-1", epoch: 1 }]);
    await until("it is up", () => run.out.includes("web-1 | up green two words as "));
    const group = groupOf(run.out);
    run.child.kill("SIGTERM");
    expect(await finished(run)).toBe(0);
    expect(run.out).toContain("web-1 | asked");
    expect(runningMembers(group)).toEqual([]);
    expect(textOf(join(stateOf("web-1"), "daemon.pid"))).toBe("");
  });

  test("kill -9 of the launcher, and the same command again: it starts cleanly and waits", async () => {
    const file = writeCfg("web-1", []);
    const first = await launched(["--role", "master", "--config", file], program);
    await arbiter.hold(first.url, "web-1", [{ service: "web-1", epoch: 1 }]);
    await until("the program runs", () => groupOf(first.out) > 1);
    const group = groupOf(first.out);
    first.child.kill("SIGKILL");
    const second = await launched(["--role", "master", "--config", file], program);
    expect(runningMembers(group)).toEqual([]);
    expect((await get(`${second.url}/health`)).body).toMatchObject({ state: "waiting", service: null });
  });

  test("the reader of its output goes away: launcher and program go on", async () => {
    const noisy = shell(
      `echo "up as $$."; while sleep 0.01; do echo line; echo more >&2; date > ${folder}/alive; done`,
    );
    const run = await launched(["--role", "master", "--config", writeCfg("web-1", [])], noisy);
    await arbiter.hold(run.url, "web-1", [{ service: "web-1", epoch: 1 }]);
    await until("it is up", () => groupOf(run.out) > 1 && run.out.includes("line"));
    run.child.stdout?.destroy();
    run.child.stderr?.destroy();
    for (let times = 0; times < 30; times++) {
      rmSync(join(folder, "alive"), { force: true });
      await until("the program still runs", () => textOf(join(folder, "alive")) !== "");
    }
    expect(run.child.exitCode).toBe(null);
    expect((await get(`${run.url}/active`)).status).toBe(200);
    run.child.kill("SIGTERM");
    expect(await finished(run)).toBe(0);
  });

  test("without any command it holds the service and says so; nothing is launched", async () => {
    const run = await launched(["--role", "master", "--config", writeCfg("web-1", [])], []);
    await arbiter.hold(run.url, "web-1", [{ service: "web-1", epoch: 1 }]);
    await until("it is active", () => arbiter.newest.get("web-1")?.state === "active");
    expect((await get(`${run.url}/active`)).status).toBe(200);
    expect((await get(`${run.url}/health`)).body).toMatchObject({ launched: false });
    run.child.kill("SIGTERM");
    expect(await finished(run)).toBe(0);
  });
});

describe("what can't start says why", () => {
  test("a role that contradicts the file names file and line", async () => {
    const file = writeCfg("web-1", ["spare = 1"]);
    const run = arbiterCommand("daemon", "--role", "master", "--config", file, "--", "sleep", "60");
    expect(await finished(run)).toBe(1);
    expect(run.err).toMatch(/--role master contradicts .*web-1\.cfg:4, where web-1 is a spare \(`spare 1`\)/);
    expect(run.out).toBe("");
  });

  test("a role that doesn't exist is wrong usage: exit code 2", async () => {
    const run = arbiterCommand("daemon", "--role", "boss", "--", "sleep", "60");
    expect(await finished(run)).toBe(2);
    expect(run.err).toMatch(/Allowed choices are master, spare/);
  });

  test.each([
    { words: ["--role", "master", "--type", "web"], says: /no default port/ },
    { words: ["--type", "scheduler"], says: /Say --role master or --role spare/ },
    {
      words: ["--role", "master", "--type", "scheduler", "--arbiter", "nowhere"],
      says: /no URL of an arbiter/,
    },
    { words: ["stop", "web-1", "--role", "master"], says: /takes no --role/ },
  ])("wrong usage says what is missing: $words", async ({ words, says }) => {
    const wrong = daemonCommand().exitOverride().parseAsync(words, { from: "user" });
    await expect(wrong).rejects.toThrow(says);
    await expect(wrong).rejects.toBeInstanceOf(WrongUsage);
  });

  test("a port in use: one clear error, and no process left", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    try {
      const file = writeCfg("web-1", []);
      const words = ["--role", "master", "--config", file, "--state-dir", join(folder, "state")];
      const run = arbiterCommand("daemon", ...words, "--", "sleep", "60");
      expect(await finished(run)).toBe(1);
      expect(run.err).toMatch(new RegExp(`arbiter: .*${port}`));
      expect(lockFree("web-1")).toBe(true);
    } finally {
      server.close();
    }
  });

  test("no configuration and no type: what to do is said", async () => {
    const run = arbiterCommand("daemon", "--role", "master");
    expect(await finished(run)).toBe(1);
    expect(run.err).toContain("Or say all of it here: --type TYPE --port PORT --name NAME.");
  });
});

describe("in the background, and stop", () => {
  test("--detach answers when it runs, stop when it has ended, with its program", async () => {
    mkdirSync(join(folder, "etc"));
    const file = writeCfg("web-1", ["spare = 0"]);
    const words = ["--config", file, "--state-dir", join(folder, "state")];
    const start = arbiterCommand(
      "daemon",
      "--role",
      "master",
      ...words,
      "--detach",
      "--json",
      "--",
      ...shell("echo $0 $1 as $$.; exec sleep 60"),
      "--detach",
      "--json",
    );
    expect(await finished(start)).toBe(0);
    const said = parseObject(start.out);
    const pid = Number(said["pid"]);
    {
      expect(said).toMatchObject({ name: "web-1", url: `http://127.0.0.1:${port}` });
      await arbiter.hold(`http://127.0.0.1:${port}`, "web-1", [{ service: "web-1", epoch: 1 }]);
      // The command's own words were not taken for ours.
      await until("it runs", () => textOf(String(said["logFile"])).includes("web-1 | --detach --json"));
      const group = groupOf(textOf(String(said["logFile"])));
      const again = arbiterCommand("daemon", "--role", "master", ...words, "--detach", "--", "sleep", "60");
      expect(await finished(again)).toBe(1);
      expect(again.err).toMatch(new RegExp(`web-1 runs already, as pid ${pid}.*arbiter daemon stop web-1`));
      const stop = arbiterCommand("daemon", "stop", "web-1", "--state-dir", join(folder, "state"));
      expect(await finished(stop)).toBe(0);
      expect(stop.out).toMatch(new RegExp(`^web-1 \\(pid ${pid}\\) has stopped, after `));
      expect(runs(pid)).toBe(false);
      expect(runningMembers(group)).toEqual([]);
    }
    const none = arbiterCommand("daemon", "stop", "web-1", "--state-dir", join(folder, "state"));
    expect(await finished(none)).toBe(1);
    expect(none.err).toContain("No daemon called web-1 runs on this machine");
  });

  test("--detach of what can't start: exit code 1, and its own words", async () => {
    const file = writeCfg("web-1", ["user = nobody-of-this-name"]);
    const words = ["--role", "master", "--config", file, "--state-dir", join(folder, "state"), "--detach"];
    const run = arbiterCommand("daemon", ...words, "--", "sleep", "60");
    expect(await finished(run)).toBe(1);
    expect(run.err).toMatch(
      /web-1 didn't start: it ended with code 1[\s\S]*There is no user `nobody-of-this-name`/,
    );
  });
});
