/** The units of etc/systemd, judged by systemd itself; and what arbiter and launcher tell systemd, as it hears it. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { journalLines } from "../../src/shell/journal.ts";
import { freePort } from "./library-processes.ts";
import { makeFolder, textOf, until } from "./launcher-workshop.ts";

const UNITS = join(import.meta.dirname, "../../etc/systemd");
const CLI = fileURLToPath(new URL("launcher-cli.ts", import.meta.url));

function isMissing(program: string): boolean {
  const missing = spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0;
  if (missing && process.env["CI"] !== undefined) throw new Error(`${program} isn't installed`);
  if (missing) console.log(`skipped, systemd: ${program} isn't installed`);
  return missing;
}

const folders: string[] = [];
const started: ChildProcess[] = [];

function folderOf(): string {
  const folder = makeFolder();
  folders.push(folder);
  return folder;
}

afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(isMissing("systemd-analyze"))("systemd-analyze", () => {
  test.each(["arbiter.service", "arbiter-daemon@.service"])("%s: verify finds nothing", (unit) => {
    const folder = folderOf();
    cpSync(UNITS, folder, { recursive: true });
    // Whether the program lies there is no matter of the unit's.
    const file = join(folder, unit.replace("@.", "@web-1."));
    const text = readFileSync(join(UNITS, unit), "utf8").replace("/usr/bin/arbiter", "/bin/sh");
    writeFileSync(file, text);
    const verdict = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
    // What it says of this machine's own units is not about ours.
    const ours = verdict.stderr.split("\n").filter((line) => line.includes("arbiter"));
    expect(ours).toEqual([]);
    expect(verdict.status).toBe(0);
  });

  test("security: the arbiter's exposure is low", () => {
    const verdict = execFileSync(
      "systemd-analyze",
      ["security", "--offline=true", "--threshold=30", join(UNITS, "arbiter.service")],
      { encoding: "utf8" },
    );
    expect(verdict).toContain("Overall exposure level");
  });
});

/** Hears what a service manager would: a datagram socket, which Node doesn't have. */
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("ready", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

async function listen(folder: string): Promise<{ readonly socket: string; heard: () => string }> {
  const socket = join(folder, "notify");
  const child = spawn("python3", ["-c", LISTENER, socket], { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  let heard = "";
  child.stdout.on("data", (chunk: Buffer) => (heard += chunk.toString()));
  await until("the listener is ready", () => heard.startsWith("ready\n"));
  return { socket, heard: () => heard };
}

function run(folder: string, words: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(process.execPath, [CLI, ...words], {
    cwd: folder,
    stdio: ["ignore", "ignore", "ignore"],
    env: { ...process.env, ARBITER_CONFIG: "", ARBITER_TOKEN_FILE: "", ARBITER_URL: "", ...env },
  });
  started.push(child);
  return child;
}

describe.skipIf(isMissing("systemd-notify"))("notifications", () => {
  test("an arbiter says that it is ready, alive, and stopping", async () => {
    const folder = folderOf();
    const { socket, heard } = await listen(folder);
    mkdirSync(join(folder, "etc"));
    writeFileSync(join(folder, "etc/arbiter.cfg"), `[arbiter]\nname = a1\nport = ${await freePort()}\n`);
    const child = run(folder, ["start", "--config", "etc"], {
      NOTIFY_SOCKET: socket,
      WATCHDOG_USEC: "400000",
    });
    await until("ready", () => /READY=1.*STATUS=a1 listens at http/.test(heard()), 20_000);
    await until("alive", () => heard().split("WATCHDOG=1").length > 3, 20_000);
    child.kill("SIGTERM");
    await until("stopping", () => heard().includes("STOPPING=1"));
    expect(heard().indexOf("WATCHDOG=1")).toBeGreaterThan(heard().indexOf("READY=1"));
  });

  test("a launcher does too, a frozen one falls silent, and its program can't speak for it", async () => {
    const folder = folderOf();
    const { socket, heard } = await listen(folder);
    const words = [
      "daemon",
      "--role",
      "spare",
      "--type",
      "web",
      "--name",
      "w",
      "--port",
      String(await freePort()),
    ];
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000" };
    const child = run(folder, [...words, "--state-dir", "var", "--", "sleep", "600"], env);
    await until("ready", () => /READY=1.*STATUS=w \(spare\) listens/.test(heard()), 20_000);
    await until("alive", () => heard().includes("WATCHDOG=1"));
    const shim = Number(/"pgid":(\d+)/u.exec(textOf(join(folder, "var/w/groups.json")))?.[1]);
    expect(textOf(`/proc/${shim}/environ`)).toContain("ARBITER_NAME=w");
    expect(textOf(`/proc/${shim}/environ`)).not.toMatch(/NOTIFY_SOCKET|WATCHDOG_/);
    child.kill("SIGSTOP");
    // What was on its way when it was stopped may still arrive.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const before = heard().length;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(heard().length).toBe(before);
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    await until("stopping", () => heard().includes("STOPPING=1"));
    await until("it has ended", () => child.exitCode !== null);
  });
});

test("in the journal a line has its priority in front, each of several lines too", () => {
  expect(journalLines("warn", "first\nsecond")).toBe("<4>first\n<4>second\n");
});

test("a launcher whose standard error is the journal writes plain lines with a priority", async () => {
  const folder = folderOf();
  const words = [
    "daemon",
    "--role",
    "spare",
    "--type",
    "web",
    "--name",
    "w",
    "--port",
    String(await freePort()),
  ];
  const script = `JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$0" "$@"`;
  const line = [process.execPath, CLI, ...words, "--state-dir", "var", "--", "sleep", "600"];
  const child = spawn("sh", ["-c", script, ...line], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  started.push(child);
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await until("it says that it listens", () => said.includes("listens at"), 20_000);
  expect(said).toMatch(/^<6>w \(web, spare\) listens at /mu);
});
