/**
 * The guide's story with real processes: the example's scheduler on two daemons and the real
 * arbiter. The master is stopped, returns, and is killed; the agenda shows that each step was done
 * once, in order, by whoever held the service.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Agenda } from "../../examples/scheduler/agenda.ts";
import { connect } from "../../src/client.ts";
import { freePort, until } from "./library-processes.ts";

const ARBITER = fileURLToPath(new URL("library-arbiter-program.ts", import.meta.url));
const SCHEDULER = fileURLToPath(new URL("../../examples/scheduler/scheduler.ts", import.meta.url));
/** So that `import "arbiter-ha"` gets the sources, and the test needs no build. */
const IMPORTS = fileURLToPath(new URL("library-source-imports.ts", import.meta.url));
let folder: string;
let processes: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "arbiter-example-"));
  processes = [];
  new Agenda(path.join(folder, "agenda.db")).close();
});
afterEach(async () => {
  for (const child of processes) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(folder, { recursive: true, force: true });
});

function run(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, ["--import", IMPORTS, program, ...args], {
    env: { ...process.env, AGENDA: path.join(folder, "agenda.db"), ARBITER_TOKEN_FILE: "" },
    stdio: "ignore",
  });
  processes.push(child);
  return child;
}

function schedule(role: "master" | "spare"): ChildProcess {
  const file = path.join(folder, "etc", `${role}.cfg`);
  return run(SCHEDULER, ["--role", role, "--config", file]);
}

interface Step {
  readonly step: number;
  readonly epoch: number;
  readonly name: string;
}

function steps(): Step[] {
  const database = new DatabaseSync(path.join(folder, "agenda.db"), { readOnly: true });
  const rows = database.prepare("SELECT step, epoch, name FROM steps ORDER BY step").all();
  database.close();
  return rows.map(({ step, epoch, name }) => ({
    step: Number(step),
    epoch: Number(epoch),
    name: String(name),
  }));
}

async function writeConfiguration(): Promise<string> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const timing = [
    "lease 1",
    "check_interval 100ms",
    "timeout 80ms",
    "kill_grace 100ms",
    "failback_delay 500ms",
  ];
  mkdirSync(path.join(folder, "etc"));
  const write = (name: string, ...lines: string[]): void => {
    writeFileSync(path.join(folder, "etc", name), `${lines.join("\n")}\n`);
  };
  write("arbiter.cfg", "arbiter_name arbiter-master", "address 127.0.0.1", `port ${ports[0]}`);
  for (const [index, role] of ["master", "spare"].entries()) {
    const lines = [`scheduler_name scheduler-${role}`, "address 127.0.0.1", `port ${ports[index + 1]}`];
    write(`${role}.cfg`, ...lines, `spare ${index}`, ...timing);
  }
  return `http://127.0.0.1:${ports[0]}`;
}

test("the spare goes on with the job, and the master takes it back", async () => {
  const url = await writeConfiguration();
  run(ARBITER, [path.join(folder, "etc")]);
  const cluster = connect(url);
  const isWith = async (name: string): Promise<boolean> =>
    await cluster.resolve("scheduler-master").then(
      ({ holder }) => holder === name,
      () => false,
    );
  const worksAt = (child: ChildProcess): boolean => steps().at(-1)?.name === String(child.pid);

  const first = schedule("master");
  const spare = schedule("spare");
  await until("the master works", async () => (await isWith("scheduler-master")) && worksAt(first), 20_000);

  first.kill("SIGTERM");
  await until("the spare goes on", async () => (await isWith("scheduler-spare")) && worksAt(spare));
  expect(first.exitCode).toBe(0);

  const second = schedule("master");
  await until(
    "the master has it back",
    async () => (await isWith("scheduler-master")) && worksAt(second),
    20_000,
  );
  expect(spare.exitCode).toBeNull();

  second.kill("SIGKILL");
  await until("the spare goes on again", async () => (await isWith("scheduler-spare")) && worksAt(spare));

  const done = steps();
  expect(done.map(({ step }) => step)).toEqual(done.map((_, index) => index + 1));
  // On a busy machine a holder may be given the service twice in a row: that is one turn.
  const turns = done.filter(({ name }, index) => name !== done[index - 1]?.name);
  const pids = [first, spare, second, spare].map(({ pid }) => String(pid));
  expect(turns.map(({ name }) => name)).toEqual(pids);
  expect(turns.every(({ epoch }, index) => epoch > (turns[index - 1]?.epoch ?? 0))).toBe(true);
  expect(done.every(({ epoch }, index) => epoch >= (done[index - 1]?.epoch ?? 0))).toBe(true);
}, 60_000);
