/**
 * Self-fencing that rests on nothing in the way (I1): whatever keeps a holder's own code, or its
 * launcher's, from running, what it holds ends by its lease's end. Real processes, and the kernel
 * is asked who is left.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { holdersOf, readStat } from "../../src/launcher/process-group.ts";
import { Debugger } from "../chaos/debugger.ts";
import { isLockFree, makeFolder, runningMembers, runs, shell, textOf, until } from "./launcher-workshop.ts";
import { freePort } from "./library-processes.ts";
import { get, ScriptedArbiter } from "./scripted-arbiter.ts";

const LIBRARY_PROGRAM = join(import.meta.dirname, "chaos-fencing-program.ts");
const LAUNCHER_PROCESS = join(import.meta.dirname, "launcher-process.ts");

let folder = "";
let started: ChildProcess[] = [];
const open: number[] = [];
beforeEach(() => {
  folder = makeFolder();
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  for (const file of open.splice(0)) closeSync(file);
  for (const pid of holdersOf(join(folder, "launcher.lock"))) process.kill(pid, "SIGCONT");
  await until(`all have let go of ${folder}`, () => isLockFree(folder));
  rmSync(folder, { recursive: true, force: true });
});

function start(words: readonly string[], stdio: ("ignore" | "pipe" | number)[], env: object = {}): Started {
  const child = spawn(process.execPath, words, { stdio, env: { ...process.env, ...env } });
  started = [...started, child];
  const one: Started = { child, said: "", exited: once(child, "exit") };
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      one.said += chunk.toString("utf8");
    });
  return one;
}

interface Started {
  readonly child: ChildProcess;
  said: string;
  readonly exited: Promise<unknown>;
}

describe("a library daemon whose code can't run is killed before its lease's end", () => {
  let arbiter: ScriptedArbiter;
  beforeEach(async () => {
    arbiter = await ScriptedArbiter.start();
  });
  afterEach(async () => await arbiter.close());

  /** Active, with a fellow that nobody answers for: nothing extends its lease. */
  async function activeDaemon(
    stderr: "pipe" | number,
    options: string[],
    env: object = {},
  ): Promise<Started> {
    const port = await freePort();
    const asked = ["--name", "d1", "--role", "master", "--port", String(port), "--state-dir", folder];
    const daemon = start([...options, LIBRARY_PROGRAM, ...asked], ["ignore", "ignore", stderr], env);
    const url = `http://127.0.0.1:${port}`;
    const answers = async (path: string): Promise<boolean> =>
      await get(`${url}${path}`).then(
        ({ status }) => status === 200,
        () => false,
      );
    while (!(await answers("/health"))) await sleep(20);
    const candidates = [{ name: "absent", stateId: "absent-1", url: `http://127.0.0.1:${await freePort()}` }];
    await arbiter.hold(url, "d1", [{ service: "s", epoch: 1, candidates }]);
    while (!(await answers("/active"))) await sleep(10);
    return daemon;
  }

  test("a blocked call: it reads a FIFO that nobody writes", async () => {
    const file = join(folder, "fifo");
    execFileSync("mkfifo", [file]);
    const daemon = await activeDaemon("pipe", [], { BLOCKED_FILE: file });
    daemon.child.kill("SIGUSR2");
    expect(await daemon.exited).toEqual([null, "SIGKILL"]);
  });

  test("a debugger has paused it", async () => {
    const daemon = await activeDaemon("pipe", ["--inspect=127.0.0.1:0"]);
    await using attached = await Debugger.attach(() => daemon.said);
    await attached.pause();
    expect(await daemon.exited).toEqual([null, "SIGKILL"]);
  });

  test("a busy loop, and whoever read its standard error has gone", async () => {
    const daemon = await activeDaemon("pipe", []);
    daemon.child.stderr?.destroy();
    daemon.child.kill("SIGUSR2");
    expect(await daemon.exited).toEqual([null, "SIGKILL"]);
  });

  test("a busy loop, and whoever reads its standard error has stopped reading: the pipe is full", async () => {
    const file = join(folder, "pipe");
    execFileSync("mkfifo", [file]);
    open.push(openSync(file, constants.O_RDONLY | constants.O_NONBLOCK));
    const end = openSync(file, constants.O_WRONLY);
    const daemon = await activeDaemon(end, []);
    const filler = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
    open.push(end, filler);
    expect(() => {
      for (;;) writeSync(filler, "x".repeat(512));
    }).toThrow(/EAGAIN/u);
    expect(() => {
      for (;;) writeSync(filler, "x");
    }).toThrow(/EAGAIN/u);
    daemon.child.kill("SIGUSR2");
    expect(await daemon.exited).toEqual([null, "SIGKILL"]);
  });
});

describe("a program is killed at its lease's end, whatever has become of its launcher", () => {
  /** Ready; orders go to its standard input (see launcher-process.ts). */
  async function launcher(options: readonly string[], ...program: readonly string[]): Promise<Started> {
    const words = [...options, LAUNCHER_PROCESS, folder, "{}", ...program];
    const one = start(words, ["pipe", "pipe", "pipe"]);
    await until("the launcher is ready", () => one.said.includes('"what":"ready"'));
    return one;
  }

  async function activate(one: Started, leaseMs: number): Promise<number> {
    one.child.stdin?.write(`activate 1 ${leaseMs}\n`);
    const group = (): string | undefined => /"group":(\d+)/u.exec(one.said)?.[1];
    await until("the program runs", () => group() !== undefined);
    return Number(group());
  }

  function guardOf(one: Started, group: number): number {
    const holders = holdersOf(join(folder, "launcher.lock")).filter((pid) => pid !== one.child.pid);
    return holders.find((pid) => readStat(pid)?.pgid !== group) ?? 0;
  }

  /** It ignores what it is asked, and has a child of its own. */
  const stubborn = (): readonly string[] =>
    shell(`trap '' TERM; sleep 60 & echo $! > ${folder}/child; while :; do sleep 0.01; done`);

  test("hung: a debugger has paused the launcher", async () => {
    const one = await launcher(["--inspect=127.0.0.1:0"], ...stubborn());
    const group = await activate(one, 60_000);
    await using attached = await Debugger.attach(() => one.said);
    one.child.stdin?.write("renew 1 1500\n");
    await sleep(50);
    // It stops at the next thing that it does, which is to read a longer lease.
    const paused = attached.pause();
    await sleep(50);
    one.child.stdin?.write("renew 1 60000\n");
    await paused;
    expect(runningMembers(group)).not.toEqual([]);
    await until("nothing of it runs", () => runningMembers(group).length === 0);
    attached.resume();
    await until("the launcher says so", () => one.said.includes('"what":"exited"'));
  });

  test("stopped guard, and it is noticed though the lease is renewed only now and then", async () => {
    const one = await launcher([], "sleep", "60");
    const group = await activate(one, 60_000);
    const guard = guardOf(one, group);
    process.kill(guard, "SIGSTOP");
    // As often as a lease of two seconds is renewed.
    const renewing = setInterval(() => one.child.stdin?.write("renew 1 60000\n"), 333);
    await until("another guard has taken its place", () => {
      const now = guardOf(one, group);
      return now !== 0 && now !== guard && !runs(guard);
    });
    clearInterval(renewing);
    expect(runs(group)).toBe(true);
  });

  test("a guard that was kept waiting believes the renewals that came meanwhile", async () => {
    const one = await launcher([], "sleep", "60");
    const group = await activate(one, 60_000);
    const guard = guardOf(one, group);
    one.child.stdin?.write("renew 1 150\n");
    await sleep(20);
    process.kill(guard, "SIGSTOP");
    // Longer than the lease that it knows, and too short to be taken for frozen.
    for (let i = 0; i < 4; i += 1) {
      one.child.stdin?.write("renew 1 150\n");
      await sleep(50);
    }
    one.child.stdin?.write("renew 1 60000\n");
    await sleep(20);
    process.kill(guard, "SIGCONT");
    await sleep(200);
    expect(runs(group)).toBe(true);
    expect(one.said).not.toContain('"what":"exited"');
  });

  test("launcher killed while its guard is stopped: the next one kills what is left and isn't kept waiting", async () => {
    const one = await launcher([], ...stubborn());
    const group = await activate(one, 60_000);
    const child = Number(textOf(join(folder, "child")));
    const guard = guardOf(one, group);
    process.kill(guard, "SIGSTOP");
    one.child.kill("SIGKILL");
    await one.exited;
    const next = await launcher([], "sleep", "60");
    expect(runs(guard)).toBe(false);
    expect(runningMembers(group)).toEqual([]);
    expect(runs(child)).toBe(false);
    expect(runs(await activate(next, 60_000))).toBe(true);
  });

  test("a disk that takes no more when the program ends: the launcher lives, and runs the next one", async () => {
    const one = await launcher([], ...shell(`until [ -e ${folder}/end ]; do sleep 0.01; done`));
    await activate(one, 60_000);
    // What writes its record finds a folder in the way: to it that is like a full disk.
    mkdirSync(join(folder, "groups.json.new"));
    writeFileSync(join(folder, "end"), "");
    await until("the end is told", () => one.said.includes('"what":"exited"'));
    rmSync(join(folder, "groups.json.new"), { recursive: true });
    rmSync(join(folder, "end"));
    await sleep(200);
    one.said = "";
    one.child.stdin?.write("activate 2 60000\n");
    await until("it has said what became of it", () => /"what":"(active|failed)"/u.test(one.said));
    expect(one.said).toContain('"what":"active"');
  });

  test("the documented limit: launcher and guard stopped together, the program goes on until one of them wakes", async () => {
    const one = await launcher([], ...stubborn());
    const group = await activate(one, 60_000);
    const guard = guardOf(one, group);
    one.child.stdin?.write("renew 1 400\n");
    await sleep(100);
    process.kill(guard, "SIGSTOP");
    one.child.kill("SIGSTOP");
    await sleep(800);
    // Past its lease, and nobody can tell it: only storage that compares epochs is safe from it.
    expect(runs(group)).toBe(true);
    process.kill(guard, "SIGCONT");
    await until("nothing of it runs", () => runningMembers(group).length === 0);
    one.child.kill("SIGCONT");
  });
});
