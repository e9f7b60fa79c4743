/**
 * The cluster that is measured: one arbiter, a master and a spare on loopback, each a real process
 * started as a user would start it, in a folder of its own. Ended by pid, whatever happens.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ActLog } from "./acts.ts";
import { WORKLOAD, workloadEnvironment } from "./workload.ts";

/** How the work is supervised: a program under a launcher, or a daemon built on the library. */
export type Kind = "program" | "library";
export type Profile = "default" | "fast";

const ROOT = join(import.meta.dirname, "..");
const PROGRAM = join(ROOT, "bin", "arbiter.js");
export const MASTER = "scheduler-master";
/** Called after its master. */
const SERVICE = MASTER;
const NAMES = [MASTER, "scheduler-slave"] as const;
const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 3000;
/** A loss counts against a daemon for so long; the next round begins after it. */
const FAILURE_TIMEOUT_MS = 1000;

interface Status {
  readonly services: readonly { name: string; holder: string | null; phase: string; epoch: number }[];
  readonly daemons: readonly { name: string; state: string; healthy: boolean }[];
  readonly problems: readonly unknown[];
}

export class Cluster {
  readonly log: ActLog;
  readonly #folder = mkdtempSync(join(tmpdir(), "arbiter-bench-"));
  /** The work's own lines don't wait for a disk: what is measured is not how long that takes. */
  readonly #memory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "arbiter-bench-"));
  readonly #kind: Kind;
  readonly #processes = new Map<string, ChildProcess>();
  #url = "";
  #isKept = false;
  /** Processes that ended though nothing was done to them: their own watch saw them stall. */
  endedAlone = 0;

  private constructor(kind: Kind) {
    this.#kind = kind;
    this.log = new ActLog(join(this.#memory, "acts.log"));
  }

  static async start(kind: Kind, profile: Profile): Promise<Cluster> {
    const cluster = new Cluster(kind);
    try {
      await cluster.#writeConfiguration(profile);
      cluster.#spawn("arbiter", [PROGRAM, "start", "--config", cluster.#config]);
      for (const name of NAMES) cluster.startDaemon(name);
      await cluster.settled();
      return cluster;
    } catch (error) {
      await cluster.end();
      throw error;
    }
  }

  get #config(): string {
    return join(this.#folder, "etc", "arbiter");
  }

  async #writeConfiguration(profile: Profile): Promise<void> {
    const [arbiterPort, masterPort, slavePort] = await freePorts(3);
    this.#url = `http://127.0.0.3:${arbiterPort}`;
    const daemons = join(this.#config, "daemons");
    mkdirSync(daemons, { recursive: true });
    const settings = [
      ...(profile === "fast" ? ["profile = fast"] : []),
      // Nothing moves between the rounds but what is measured.
      "failback = manual",
      `failure_timeout = ${FAILURE_TIMEOUT_MS}ms`,
    ];
    writeFileSync(join(this.#config, "arbiter.cfg"), ["[cluster]", ...settings, ""].join("\n"));
    writeFileSync(
      join(daemons, "arbiter.cfg"),
      ["arbiter_name  arbiter", "address  127.0.0.3", `port  ${arbiterPort}`, ""].join("\n"),
    );
    for (const [name, address, port, spare] of [
      [NAMES[0], "127.0.0.1", masterPort, 0],
      [NAMES[1], "127.0.0.2", slavePort, 1],
    ] as const) {
      const lines = [
        `scheduler_name  ${name}`,
        `address  ${address}`,
        `port  ${port}`,
        `spare  ${spare}`,
        "",
      ];
      writeFileSync(join(daemons, `${name}.cfg`), lines.join("\n"));
    }
  }

  startDaemon(name: string): void {
    const asked = ["--config", this.#config, "--name", name];
    const role = ["--role", name === NAMES[0] ? "master" : "spare"];
    this.#spawn(
      name,
      this.#kind === "library"
        ? [join(import.meta.dirname, "library-daemon.ts"), ...role, ...asked]
        : [PROGRAM, "daemon", ...role, ...asked, "--", "perl", WORKLOAD],
    );
  }

  #spawn(name: string, args: readonly string[]): void {
    const output = openSync(join(this.#folder, `${name}.log`), "a");
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", output, output],
      env: workloadEnvironment(this.log.path),
    });
    this.#processes.set(name, child);
  }

  /** Process id of the launcher or the library daemon. */
  pidOf(name: string): number {
    const pid = this.#processes.get(name)?.pid;
    if (pid === undefined) throw new Error(`${name} was not started`);
    return pid;
  }

  /** The one that the work itself shows as active: its name, and the process that works. */
  async worker(): Promise<{ readonly name: string; readonly pid: number }> {
    for (;;) {
      const last = this.log.acts().at(-1);
      if (last !== undefined) return last;
      await sleep(20);
    }
  }

  async order(verb: "switchover" | "failback"): Promise<void> {
    const answer = await fetch(`${this.#url}/v1/services/${SERVICE}/${verb}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    if (!answer.ok) throw new Error(`${verb} was refused: ${await answer.text()}`);
  }

  /** Starts again what a round has ended, and waits until everything is in order. */
  async restore(ended: string | null): Promise<void> {
    const child = ended === null ? undefined : this.#processes.get(ended);
    if (ended !== null && child !== undefined && (await hasEnded(child))) this.startDaemon(ended);
    await sleep(FAILURE_TIMEOUT_MS);
    await this.settled();
    await sleep(200);
    this.log.forget();
    await sleep(200);
  }

  /** Held, and the other one could take it. */
  async settled(): Promise<void> {
    const endMs = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      this.#restartFallen();
      const status = await this.#status();
      if (status !== null && isSettled(status)) return;
      if (performance.now() > endMs) throw new Error(`the cluster does not settle: ${await this.trouble()}`);
      await sleep(50);
    }
  }

  #restartFallen(): void {
    for (const name of NAMES) {
      const child = this.#processes.get(name);
      if (child === undefined || (child.exitCode === null && child.signalCode === null)) continue;
      this.endedAlone += 1;
      this.startDaemon(name);
    }
  }

  async #status(): Promise<Status | null> {
    try {
      const body: unknown = await (await fetch(`${this.#url}/v1/status`)).json();
      return isStatus(body) ? body : null;
    } catch {
      return null;
    }
  }

  /** For whoever looks into a round that went wrong. */
  async trouble(): Promise<string> {
    this.#isKept = true;
    return `${JSON.stringify(await this.#status(), null, 1)}\nIts logs are kept in ${this.#folder}`;
  }

  async end(): Promise<void> {
    const children = [...this.#processes.values()].filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    );
    for (const child of children) {
      child.kill("SIGCONT");
      child.kill("SIGTERM");
    }
    await Promise.all(children.map((child) => endOf(child)));
    rmSync(this.#memory, { recursive: true, force: true });
    if (!this.#isKept) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** As far as it is looked at here. */
function isStatus(body: unknown): body is Status {
  return (
    typeof body === "object" &&
    body !== null &&
    "services" in body &&
    "daemons" in body &&
    "problems" in body &&
    [body.services, body.daemons, body.problems].every((list) => Array.isArray(list))
  );
}

function isSettled(status: Status): boolean {
  const service = status.services.find(({ name }) => name === SERVICE);
  return (
    service?.phase === "held" &&
    status.problems.length === 0 &&
    status.daemons.every(({ state, healthy }) => healthy && (state === "active" || state === "waiting")) &&
    status.daemons.some(({ state }) => state === "waiting")
  );
}

/** Waits for its end; a frozen one that woke up may also go on, and wait. */
async function hasEnded(child: ChildProcess): Promise<boolean> {
  const endMs = performance.now() + END_TIMEOUT_MS;
  while (child.exitCode === null && child.signalCode === null && performance.now() < endMs) await sleep(20);
  return child.exitCode !== null || child.signalCode !== null;
}

/** In good order, or else by force. */
async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await once(child, "exit");
  clearTimeout(timer);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, "listening");
    const bound = server.address();
    if (typeof bound === "object" && bound !== null) ports.push(bound.port);
    server.close();
  }
  return ports;
}
