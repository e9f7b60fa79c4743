/**
 * Who floods an arbiter must not make it lose sight of its daemons: thousands of unasked reports,
 * broken requests and dawdlers arrive while two daemons go on being checked. What counts is the
 * number of checks that failed (none), not how fast anything was.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { eventually, membersOf, Rig } from "./arbiter-rig.ts";

const FLOOD = fileURLToPath(new URL("./security-flood-program.ts", import.meta.url));
const rigs: Rig[] = [];

afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
});

/** With a time-out that a busy test machine keeps; the flood lasts longer than one interval. */
const PATIENT = "check_interval = 500ms\ntimeout = 450ms\nlease = 6s\n";

async function cluster(): Promise<Rig> {
  const rig = await Rig.create();
  rigs.push(rig);
  rig.write("arbiter.cfg", `[cluster]\nname = test\n${PATIENT}`);
  rig.write(
    "daemons/arbiter-master.cfg",
    `arbiter_name  arbiter-master\naddress  127.0.0.1\nport  ${rig.port}\nspare  0\n`,
  );
  const master = await rig.addDaemon("scheduler-master", "master");
  const spare = await rig.addDaemon("scheduler-spare", "spare");
  await master.start();
  await spare.start();
  await rig.start();
  await eventually(async () => await rig.held("scheduler-master"), "scheduler-master@1 held");
  return rig;
}

/** All causes together. */
async function failedChecks(rig: Rig): Promise<number> {
  const { text } = await rig.get("/metrics");
  return [...text.matchAll(/^arbiter_check_failures_total\{[^}]*\} (\d+)$/gmu)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

function checksOf(rig: Rig): readonly number[] {
  return rig.daemons.map(({ assignments }) => assignments.length);
}

test("5,000 unasked reports delay no check, and only those of one daemon are cut short", async () => {
  const rig = await cluster();
  const before = checksOf(rig);
  const failed = await failedChecks(rig);
  const { stdout } = await promisify(execFile)(process.execPath, [FLOOD, rig.url, "5000", "scheduler-spare"]);
  const statuses = membersOf(stdout);
  expect(Object.values(statuses).reduce((sum: number, n) => sum + Number(n), 0)).toBe(5_000);
  // What is no report of anybody is read for a while, and then no more.
  const strangers = Number(statuses["400"]) + Number(statuses["404"]);
  expect(strangers).toBeGreaterThanOrEqual(100);
  expect(strangers).toBeLessThan(1_000);
  // 40 at once and 20 a second are taken, whatever the flood is.
  expect(Number(statuses["429"])).toBeGreaterThan(1_000);
  // Each daemon was checked again, during it or after.
  await eventually(() => checksOf(rig).every((now, at) => now > (before[at] ?? 0)), true);
  expect(await failedChecks(rig)).toBe(failed);
  expect(await rig.held("scheduler-master")).toBe("scheduler-master@1 held");
  const refused = (await rig.events()).filter(({ type }) => type === "security.refused");
  // A flood of requests is no flood of events.
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThan(30);
  expect(refused[0]?.text).toMatch(/POST \/v1\/reports from 127\.0\.0\.1 .*429 \(scheduler-spare\)/u);
}, 60_000);

test("connections that say nothing, half a request or nonsense delay no check", async () => {
  const rig = await cluster();
  const before = checksOf(rig);
  const failed = await failedChecks(rig);
  const sockets: Socket[] = [];
  const open = async (text: string): Promise<void> => {
    const socket = connect(rig.port, "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    socket.write(text);
  };
  for (let round = 0; round < 60; round += 1) {
    await open("");
    await open("POST /v1/reports HTTP/1.1\r\nhost: x\r\n");
    await open(
      "POST /v1/reports HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n{",
    );
    await open(`GET /v1/status HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(40_000)}\r\n\r\n`);
    await open("\u0016\u0003\u0001 not for you\r\n\r\n".repeat(50));
  }
  await eventually(() => checksOf(rig).every((now, at) => now > (before[at] ?? 0) + 2), true);
  expect(await failedChecks(rig)).toBe(failed);
  expect(await rig.held("scheduler-master")).toBe("scheduler-master@1 held");
  for (const socket of sockets) socket.destroy();
}, 60_000);
