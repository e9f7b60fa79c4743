/**
 * What a launcher and its guard cost while their program runs: memory (proportional set size, what is shared
 * counted by shares) and processor time at the default interval, with a real arbiter that checks them. Two
 * launchers, one active with `health_tcp`, one waiting.
 *
 * `npm run bench:launcher [SECONDS]`. What it is to be held against: 75 MB, 0.5 % of one core.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GUARD_NAME } from "../src/launcher/guard-script.ts";
import { readStat, wordsOf } from "../src/launcher/process-group.ts";

const SECONDS = Number(process.argv[2] ?? 60);
const ARBITER = join(import.meta.dirname, "../bin/arbiter.js");
const TICKS_A_SECOND = 100;
const MOST_MB = 75;
const MOST_PERCENT = 0.5;
/** A start compiles and allocates; what is told is the cost of going on. */
const SETTLE_MS = 15_000;
/** On a machine that does much else. */
const START_MS = 60_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

function pssKb(pid: number): number {
  return Number(/^Pss:\s+(\d+)/mu.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1]);
}

function ticks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** The guards of a launcher; helpers such as `systemd-notify` come and go and aren't counted. */
function guardsOf(launcher: number): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/u.test(entry))
    .map(Number)
    .filter((pid) => readStat(pid)?.parentPid === launcher && wordsOf(pid).includes(GUARD_NAME));
}

function run(folder: string, ...words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [ARBITER, ...words], { cwd: folder, stdio: "ignore" });
}

const folder = mkdtempSync(join(tmpdir(), "arbiter-bench-"));
const programPort = await freePort();
const arbiterPort = await freePort();
writeFileSync(join(folder, "arbiter.cfg"), `[arbiter]\nname = a\nport = ${arbiterPort}\n`);
for (const [at, name] of ["m", "s"].entries()) {
  const own = `name = ${name}\naddress = 127.0.0.${at + 1}\nport = ${await freePort()}\nspare = ${at}\n`;
  const program = `require("net").createServer((socket) => socket.end()).listen(${programPort}, "127.0.0.1")`;
  const launched = `command = ${process.execPath} -e '${program}'\nhealth_tcp = 127.0.0.1:${programPort}\n`;
  writeFileSync(join(folder, `${name}.cfg`), `[web]\n${own}${launched}`);
}
const children = [
  run(folder, "start", "--config", "."),
  run(folder, "daemon", "--role", "master", "--config", "m.cfg"),
  run(folder, "daemon", "--role", "spare", "--config", "s.cfg"),
];
try {
  await untilHeld();
  await sleep(SETTLE_MS);
  const measured = [measure("active", children[1]), measure("waiting", children[2])];
  await sleep(SECONDS * 1000);
  let isTooMuch = false;
  for (const { name, pids, before } of measured) {
    const mb = pids.map((pid) => pssKb(pid) / 1024);
    const percents = pids.map(
      (pid, at) => ((ticks(pid) - (before[at] ?? 0)) / TICKS_A_SECOND / SECONDS) * 100,
    );
    const [total, percent] = [sum(mb), sum(percents)];
    isTooMuch ||= total > MOST_MB || percent > MOST_PERCENT;
    const parts = `launcher ${(mb[0] ?? 0).toFixed(1)}, guard ${sum(mb.slice(1)).toFixed(1)}`;
    process.stdout.write(
      `${name.padEnd(8)} ${total.toFixed(1)} MB PSS (${parts})   ` +
        `${percent.toFixed(2)} % of a core (launcher ${(percents[0] ?? 0).toFixed(2)}, guard ${sum(percents.slice(1)).toFixed(2)})\n`,
    );
  }
  process.exitCode = isTooMuch ? 1 : 0;
} finally {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(
    children.map(async (child) => child.exitCode ?? child.signalCode ?? (await once(child, "exit"))),
  );
  rmSync(folder, { recursive: true, force: true });
}

async function untilHeld(): Promise<void> {
  let said = "";
  for (const endMs = performance.now() + START_MS; performance.now() < endMs; await sleep(200)) {
    said = await fetch(`http://127.0.0.1:${arbiterPort}/v1/services/m`).then(
      async (answer) => await answer.text(),
      (error: unknown) => String(error),
    );
    if (said.includes('"held"')) return;
  }
  throw new Error(`the service isn't held: ${said}`);
}

function measure(
  name: string,
  child: ChildProcess | undefined,
): { name: string; pids: number[]; before: number[] } {
  const pid = child?.pid ?? 0;
  const pids = [pid, ...guardsOf(pid)];
  return { name, pids, before: pids.map(ticks) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
