/** examples/any-command as a user runs it, with the real arbiter; with free ports and a short failback_delay. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "./library-processes.ts";
import { makeFolder, runningMembers, until } from "./launcher-workshop.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/any-command");
const CLI = fileURLToPath(new URL("launcher-cli.ts", import.meta.url));

let folder = "";
const started: ChildProcess[] = [];

interface Terminal {
  readonly child: ChildProcess;
  out: string;
}

function terminal(...words: readonly string[]): Terminal {
  const child = spawn(process.execPath, [CLI, ...words], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ARBITER_CONFIG: "", ARBITER_TOKEN_FILE: "", ARBITER_URL: "" },
  });
  started.push(child);
  const seen: Terminal = { child, out: "" };
  child.stdout.on("data", (chunk: Buffer) => (seen.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (seen.out += chunk.toString()));
  return seen;
}

function who(epoch: number, daemon: string, role: string): string {
  return `${daemon} | good day from ${daemon} (${role}), which holds clock-master under epoch ${epoch}, every second\n`;
}

beforeAll(async () => {
  folder = makeFolder();
  cpSync(EXAMPLE, folder, { recursive: true });
  for (const name of ["clock-master.cfg", "clock-spare.cfg"]) {
    const file = join(folder, name);
    const text = readFileSync(file, "utf8").replace(/^port = \d+$/mu, `port = ${await freePort()}`);
    writeFileSync(file, text);
  }
  writeFileSync(
    join(folder, "arbiter.cfg"),
    `[arbiter]\nname = arbiter-master\nport = ${await freePort()}\n`,
  );
});

afterAll(async () => {
  for (const child of started) child.kill("SIGTERM");
  await Promise.all(
    started.map(async (child) => child.exitCode ?? child.signalCode ?? (await once(child, "exit"))),
  );
  rmSync(folder, { recursive: true, force: true });
});

test("the spare's clock goes on when the master is stopped, and when it is killed; it fails back between", async () => {
  terminal("start", "--config", ".");
  const spare = terminal("daemon", "--role", "spare", "--config", "clock-spare.cfg");
  let master = terminal("daemon", "--role", "master", "--config", "clock-master.cfg");
  await until("the master's clock runs", () => master.out.includes(who(1, "clock-master", "master")));
  master.child.kill("SIGTERM");
  await until("the spare's clock runs", () => spare.out.includes(who(2, "clock-spare", "spare")));
  expect(master.out).toContain("clock-master | stopping\n");
  master = terminal("daemon", "--role", "master", "--config", "clock-master.cfg");
  await until("failback", () => master.out.includes(who(3, "clock-master", "master")), 20_000);
  expect(spare.out).toContain("clock-spare | stopping\n");
  const record = readFileSync(join(folder, "var/clock-master/groups.json"), "utf8");
  const groups = [...record.matchAll(/"pgid":(\d+)/gu)].map((match) => Number(match[1]));
  expect(groups).toHaveLength(1);
  master.child.kill("SIGKILL");
  await until(
    "the spare's clock runs again",
    () => spare.out.includes(who(4, "clock-spare", "spare")),
    15_000,
  );
  expect(groups.flatMap((pgid) => runningMembers(pgid))).toEqual([]);
}, 60_000);
