/**
 * What a launcher and its guard cost while their program runs: memory (proportional set size, what is shared
 * counted by shares) and processor time at the default interval, with a real arbiter that checks them. Two
 * launchers, one active with `health_tcp`, one waiting. Beside them, over the same minutes, the floor: a Node
 * process that does nothing but answer as many requests of that size and open as many connections.
 *
 * `npm run bench:launcher [MINUTES]`: the median of so many (default 5). What it is to be held against: 75 MB,
 * 0.5 % of one core.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { figuresOf, type Figures } from "./figures.ts";
import { GUARD_NAME } from "../src/launcher/guard-script.ts";
import { readStat, wordsOf } from "../src/launcher/process-group.ts";

const MINUTES = Number(process.argv[2] ?? 5);
const ARBITER = join(import.meta.dirname, "../bin/arbiter.js");
const MOST_MB = 75;
const MOST_PERCENT = 0.5;
/** A start compiles and allocates, and at a few calls a second that takes minutes; what is told is the cost of going on. */
const SETTLE_MS = 180_000;
const MINUTE_MS = 60_000;
/** As often as the holder of a lease of two seconds is checked. */
const CHECK_EVERY_MS = 333;
/** An assignment has so many bytes, and so has its answer. */
const BODY = JSON.stringify({ text: "x".repeat(700) });
const FLOOR = `
const [port, program] = process.argv.slice(1).map(Number);
require("node:http").createServer((request, response) => {
  let text = "";
  request.on("data", (chunk) => (text += chunk));
  request.on("end", () => {
    const answer = JSON.stringify(JSON.parse(text));
    response.sendDate = false;
    response.writeHead(200, { "content-type": "application/json", "content-length": answer.length });
    response.end(answer);
  });
}).listen(port, "127.0.0.1");
setInterval(() => {
  const socket = require("node:net").connect(program, "127.0.0.1", () => socket.destroy());
  socket.on("error", () => {});
}, 500);
process.on("SIGTERM", () => process.exit(0));`;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
/** Of each process, over one minute. */
type Percents = ReadonlyMap<number, number>;
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

/** Milliseconds that all threads have run. */
function ranMs(pid: number): number {
  const runs = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]),
  );
  return sum(runs) / 1e6;
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
const floorPort = await freePort();
const floor = spawn(process.execPath, ["-e", FLOOR, String(floorPort), String(programPort)], {
  stdio: "ignore",
});
children.push(floor);
const asking = setInterval(ask, CHECK_EVERY_MS, floorPort);
try {
  await untilHeld();
  await sleep(SETTLE_MS);
  const active = pidsOf(children[1]);
  const waiting = pidsOf(children[2]);
  const minutes: Percents[] = [];
  while (minutes.length < MINUTES) {
    const before = [...active, ...waiting, ...pidsOf(floor)].map((pid) => [pid, ranMs(pid)] as const);
    await sleep(MINUTE_MS);
    minutes.push(new Map(before.map(([pid, ms]) => [pid, ((ranMs(pid) - ms) / MINUTE_MS) * 100])));
  }
  const floorPercent = show("the floor", pidsOf(floor), minutes);
  const isTooMuch = [show("active", active, minutes), show("waiting", waiting, minutes)].some(
    (percent) => percent > MOST_PERCENT,
  );
  const times = percentOf(active, minutes).median / floorPercent;
  process.stdout.write(`active costs ${times.toFixed(2)} times the floor\n`);
  process.exitCode = isTooMuch || [active, waiting].some((pids) => mbOf(pids) > MOST_MB) ? 1 : 0;
} finally {
  clearInterval(asking);
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

function ask(port: number): void {
  const headers = { "content-type": "application/json", "content-length": BODY.length };
  const asked = request({ port, host: "127.0.0.1", method: "PUT", agent, headers }, (answer) =>
    answer.resume(),
  );
  asked.on("error", () => {});
  asked.end(BODY);
}

/** A launcher and its guard. */
function pidsOf(child: ChildProcess | undefined): number[] {
  const pid = child?.pid ?? 0;
  return [pid, ...guardsOf(pid)];
}

function mbOf(pids: readonly number[]): number {
  return sum(pids.map((pid) => pssKb(pid) / 1024));
}

function percentOf(pids: readonly number[], minutes: readonly Percents[]): Figures {
  return figuresOf(minutes.map((minute) => sum(pids.map((pid) => minute.get(pid) ?? 0))));
}

/** Prints a line; returns the median of the whole. */
function show(name: string, pids: readonly number[], minutes: readonly Percents[]): number {
  const [all, guard] = [percentOf(pids, minutes), percentOf(pids.slice(1), minutes)];
  const percent = `${all.median.toFixed(2)} % of a core (${all.least.toFixed(2)} to ${all.most.toFixed(2)})`;
  const ofGuard = pids.length > 1 ? `, the guard ${guard.median.toFixed(2)}` : "";
  process.stdout.write(`${name.padEnd(10)} ${mbOf(pids).toFixed(1)} MB PSS   ${percent}${ofGuard}\n`);
  return all.median;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
