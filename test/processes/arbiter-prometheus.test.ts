/**
 * What is shipped for Prometheus, in Debian's own: promtool takes rules and metrics, every question of the
 * dashboard is one, nothing fires while all is well, and every alert fires when what it is about happens
 * to real arbiters, with nothing changed in the rules but their patience.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { ArbiterProcess, eventually, freePort, Rig } from "./arbiter-rig.ts";
import { alertsIn, memberOf, Prometheus, RULES, writeTargets } from "./prometheus-server.ts";

const DASHBOARD = new URL("../../etc/grafana/arbiter.json", import.meta.url);
const LIBRARY_DAEMON = fileURLToPath(new URL("library-program.ts", import.meta.url));
const isThere = ["prometheus", "promtool"].every((name) => existsSync(`/usr/bin/${name}`));
const WHY = "Prometheus is not installed (Debian: apt-get install prometheus)";
if (!isThere) {
  if (process.env["CI"] === "true") throw new Error(WHY);
  process.stderr.write(`Skipped: ${WHY}.\n`);
}

const SERVICE = "scheduler-master";
/** Above the quarter of a second that the rule minds, below the half between two scrapes. */
const STALL_MS = 320;
let rig: Rig;
/** Another cluster's arbiter, which nobody meant to scrape under this job. */
let stray: Rig;
let master: ScriptedDaemon;
let spare: ScriptedDaemon;
let prometheus: Prometheus;
/** Of the alerts' webhook, as long as it is open. */
let receiver: Server;
const others: (ChildProcess | ArbiterProcess)[] = [];

async function start(): Promise<void> {
  rig = await Rig.create();
  stray = await Rig.create();
  const takesAlerts = await freePort();
  receiver = createServer((_request, response) => response.end()).listen(takesAlerts, "127.0.0.1");
  rig.writeCluster(
    `check_interval = 100ms\ntimeout = 80ms\nlease = 1s\n[alerts]\nwebhook = http://127.0.0.1:${takesAlerts}/\n`,
  );
  master = await rig.addDaemon("scheduler-master", "master");
  spare = await rig.addDaemon("scheduler-slave", "spare");
  for (const daemon of [master, spare, await rig.addDaemon("scheduler-two", "master")]) await daemon.start();
  const second = await rig.addArbiter("arbiter-2");
  await rig.spawn("arbiter-master").ready();
  await eventually(() => rig.held(SERVICE), `${SERVICE}@1 held`);
  prometheus = await Prometheus.start(rig.folder, [`127.0.0.1:${rig.port}`]);
  await startDrifted(second);
}

/** The second arbiter reads a folder of its own, which says the same at first. */
async function startDrifted(port: number): Promise<void> {
  const folder = path.join(rig.folder, "etc", "arbiter-2");
  cpSync(rig.config, folder, { recursive: true });
  const other = new ArbiterProcess(folder, "arbiter-2", {});
  others.push(other);
  await other.ready();
  writeTargets(rig.folder, [`127.0.0.1:${rig.port}`, `127.0.0.1:${port}`]);
}

async function stop(): Promise<void> {
  closeReceiver();
  await prometheus.stop();
  for (const one of others) {
    const child = one instanceof ArbiterProcess ? one.child : one;
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  await stray.close();
  await rig.close();
}

function closeReceiver(): void {
  receiver.close();
  receiver.closeAllConnections();
}

/** A daemon of the library whose own health check says no. */
async function unhealthyDaemon(): Promise<string> {
  const port = await freePort();
  const argv = [LIBRARY_DAEMON, "--role", "spare", "--name", "ill", "--port", String(port)];
  const child = spawn(process.execPath, argv, {
    cwd: rig.folder,
    env: { ...process.env, HABIT: "ill" },
    stdio: "ignore",
  });
  others.push(child);
  return `127.0.0.1:${port}`;
}

/** The store answers nobody meanwhile. */
async function withStoreLocked(during: () => Promise<void>): Promise<void> {
  const database = new DatabaseSync(path.join(rig.stateDir, "arbiter.db"), { timeout: 5_000 });
  database.exec("BEGIN EXCLUSIVE");
  try {
    await during();
  } finally {
    database.exec("ROLLBACK");
    database.close();
  }
}

/** Its machine stops for moments, again and again: no scrape passes without one. */
async function withStalls(during: () => Promise<void>): Promise<void> {
  const pid = rig.arbiters[0]?.child.pid ?? 0;
  const over = new AbortController();
  const stalls = (async (): Promise<void> => {
    while (!over.signal.aborted) {
      process.kill(pid, "SIGSTOP");
      await sleep(STALL_MS);
      process.kill(pid, "SIGCONT");
      await sleep(STALL_MS / 3);
    }
  })();
  try {
    await during();
  } finally {
    over.abort();
    await stalls;
  }
}

async function unplannedMoves(count: number): Promise<void> {
  for (let move = 0; move < count; move += 1) {
    const holder = (await rig.held(SERVICE)).startsWith("scheduler-slave") ? spare : master;
    const { epoch = 0 } = holder.held ?? {};
    await holder.crash();
    await holder.start();
    await eventually(
      async () => {
        const found = (await rig.status()).services.find(({ name }) => name === SERVICE);
        return found?.phase === "held" && found.epoch > epoch;
      },
      true,
      30_000,
    );
    // Each is to be scraped: what rises between two looks counts as one rise all the same.
    await sleep(600);
  }
}

/** The spare takes the service in a drill, and turns out to be unwell with it. */
async function failedDrill(): Promise<void> {
  await eventually(() => master.held?.service, SERVICE, 30_000);
  const begun = async (): Promise<number> =>
    (await rig.post(`/v1/services/${SERVICE}/drill`, { by: "anna", holdMs: 10_000 })).status;
  await eventually(begun, 202, 30_000);
  await eventually(() => spare.held?.service, SERVICE, 30_000);
  spare.healthy = false;
  await eventually(() => master.held?.service, SERVICE, 30_000);
  spare.healthy = true;
}

describe.runIf(isThere)("Prometheus", () => {
  beforeAll(start, 90_000);
  afterAll(stop);

  it("promtool finds nothing wrong with the rules, nor with what arbiters say", async () => {
    const rules = await execa("promtool", ["check", "rules", RULES], { reject: false });
    expect([rules.exitCode, rules.stdout]).toEqual([0, expect.stringMatching(/SUCCESS: \d+ rules found/u)]);
    const { text } = await rig.get("/metrics");
    const metrics = await execa("promtool", ["check", "metrics"], { input: text, reject: false });
    expect([metrics.exitCode, metrics.stderr]).toEqual([0, ""]);
  });

  it("each question of the dashboard is one that Prometheus understands", async () => {
    const dashboard = readFileSync(DASHBOARD, "utf8");
    const questions = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/gu)].map(([, json = ""]) =>
      String(JSON.parse(json)),
    );
    expect(questions.length).toBeGreaterThan(20);
    for (const question of questions) {
      const plain = question.replaceAll("$job", ".*").replaceAll("$__rate_interval", "1m");
      const answer = await prometheus.asked(`query?query=${encodeURIComponent(plain)}`);
      expect([plain, memberOf(answer, "status")]).toEqual([plain, "success"]);
    }
  });

  it("nothing fires while all is well; then every alert does, as what it is about happens", async () => {
    const all = alertsIn(readFileSync(RULES, "utf8"));
    const fired = new Set<string>();
    const untilFired = async (...names: readonly string[]): Promise<void> => {
      await prometheus.untilFired(names);
      for (const name of names) fired.add(name);
    };
    // So many scrapes that whatever fires without a cause would have by now.
    const scraped = "query?query=min(count_over_time(up[1m]))";
    await eventually(
      async () => /"value":\[[\d.]+,"([6-9]|\d\d)"\]/u.test(JSON.stringify(await prometheus.asked(scraped))),
      true,
      30_000,
    );
    expect([...(await prometheus.firing())]).toEqual([]);

    // Each order waits for the store, for longer than half a second; most of the commits that were scraped are these.
    for (let time = 0; time < 3; time += 1) {
      const order = rig.post("/v1/resume", { by: "anna" });
      await withStoreLocked(() => sleep(900));
      await order;
    }
    await untilFired("ArbiterStoreSlow");

    await unplannedMoves(6);
    await untilFired("ArbiterMoves");
    await withStalls(() => untilFired("ArbiterLate", "ArbiterLoopDelay"));

    closeReceiver();
    const ill = await unhealthyDaemon();
    stray.writeCluster();
    await stray.start();
    const targets: unknown = JSON.parse(readFileSync(path.join(rig.folder, "targets.json"), "utf8"));
    const known = JSON.stringify(targets).match(/127\.0\.0\.1:\d+/gu) ?? [];
    writeTargets(rig.folder, [...known, ill, `127.0.0.1:${stray.port}`]);
    const drifted = path.join(rig.folder, "etc", "arbiter-2", "arbiter.cfg");
    writeFileSync(
      drifted,
      readFileSync(drifted, "utf8").replace("failback_delay = 300ms", "failback_delay = 301ms"),
    );
    await failedDrill();
    master.leaseRemainingMs = 50;
    await untilFired(
      "ArbiterDrill",
      "ArbiterPoolExhausted",
      "ArbiterTwoLead",
      "ArbiterDaemonUnhealthy",
      "ArbiterConfigDrift",
      "ArbiterSpareNotReady",
      "ArbiterDegraded",
      "ArbiterLeaseShort",
    );

    await withStoreLocked(async () => {
      await spare.crash();
      await untilFired("ArbiterStoreDown", "ArbiterEventsUnwritten");
    });
    await master.crash();
    await untilFired(
      "ArbiterServiceWithoutHolder",
      "ArbiterServicesNotHeld",
      "ArbiterChecksFail",
      "ArbiterUndelivered",
    );
    for (const one of others) if (one instanceof ArbiterProcess) await one.stop("SIGKILL");
    await rig.arbiters[0]?.stop("SIGKILL");
    await stray.arbiters[0]?.stop("SIGKILL");
    await untilFired("ArbiterDown", "ArbiterNobodyLeads");
    expect(all.filter((name) => !fired.has(name))).toEqual([]);
  }, 300_000);
});
