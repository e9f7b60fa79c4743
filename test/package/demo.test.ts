/**
 * The demonstration as a person plays with it: it says what to try, what is killed can be started
 * again from another terminal, and Ctrl-C leaves nothing behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
let parent = "";
let folder = "";
const demos: Demo[] = [];

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "arbiter-demo-"));
  folder = join(parent, "demo");
});

afterEach(async () => {
  // It ends what it started, also where the test has failed half-way.
  for (const { child } of demos.splice(0)) {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  rmSync(parent, { recursive: true, force: true });
});

test("it says what to try; a master started again by hand is ended with the rest", async () => {
  const demo = new Demo(folder);
  await demo.until(/Ctrl-C ends everything/u);
  const launcher = /kill -9 (\d+) .*launcher/u.exec(demo.text)?.[1];
  process.kill(Number(launcher), "SIGKILL");
  await demo.until(/npx (arbiter daemon .*)/u);
  const command = /npx arbiter (daemon .*)/u.exec(demo.text)?.[1] ?? "";
  const again = spawn(process.execPath, ["bin/arbiter.js", ...command.split(" ")], {
    cwd: ROOT,
    stdio: "ignore",
  });
  await demo.until(/service\.held +held by scheduler-master \(epoch 3\)/u);
  demo.child.kill("SIGINT");
  await demo.ended;
  expect(demo.child.exitCode).toBe(0);
  if (again.exitCode === null && again.signalCode === null) await once(again, "exit");
  expect(again.exitCode).toBe(0);
  expect(existsSync(folder)).toBe(false);
  expect(processesOf(folder)).toEqual([]);
}, 90_000);

test("a second one in the same folder is refused, and leaves the first alone", async () => {
  const first = new Demo(folder);
  await first.until(/Ctrl-C ends everything/u);
  const second = new Demo(folder);
  await second.ended;
  expect(second.child.exitCode).toBe(1);
  expect(second.text).toContain("runs in");
  expect(existsSync(folder)).toBe(true);
  first.child.kill("SIGTERM");
  await first.ended;
  expect(first.child.exitCode).toBe(0);
  expect(processesOf(folder)).toEqual([]);
}, 90_000);

class Demo {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  text = "";

  constructor(at: string) {
    const args = ["scripts/demo.ts", "--free-ports", "--folder", at];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      this.text += part;
    });
    this.child = child;
    demos.push(this);
    this.ended = once(child, "close");
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.text}`);
      await sleep(20);
    }
  }
}

/** Command lines of processes that name the folder. */
function processesOf(path: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(path));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(join("/proc", pid, "cmdline"), "utf8");
  } catch {
    // It ended while it was looked at.
    return "";
  }
}
