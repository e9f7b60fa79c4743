/**
 * Several arbiters that share a store, and a service with a master and a spare, all of them real
 * processes, started as a user starts them. What ends is started again by the one who ended it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../../src/arbiter/status.ts";
import { WORKLOAD, workloadEnvironment } from "../../bench/workload.ts";
import { freePorts } from "../chaos/cluster.ts";
import { Judge } from "../chaos/judge.ts";
import { startStore, type EngineName, type SharedStore } from "./engines.ts";
import { loopback, makeHosts, type Places } from "./places.ts";

export const MASTER = "worker-1";
export const SPARE = "worker-2";
/** Of arbiters and daemons alike: short, and yet long enough for a busy machine. */
export const LEASE_MS = 1_000;
const COMMAND_LINE = join(import.meta.dirname, "..", "processes", "launcher-cli.ts");
const SETTLE_LIMIT_MS = 40_000;

export interface ClusterOptions {
  readonly engine: EngineName;
  readonly arbiters: number;
  readonly onHosts: boolean;
}

export class ArbitersCluster {
  readonly folder: string = mkdtempSync(join(tmpdir(), "arbiter-many-"));
  readonly arbiters: readonly string[];
  readonly judge: Judge;
  readonly places: Places;
  readonly #options: ClusterOptions;
  readonly #ports = new Map<string, number>();
  readonly #processes = new Map<string, ChildProcess>();
  #store: SharedStore | null = null;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.arbiters = Array.from({ length: options.arbiters }, (_, at) => `arbiter-${at + 1}`);
    this.judge = new Judge(MASTER, join(this.folder, "acts"));
    this.places = options.onHosts ? makeHosts([...this.arbiters, MASTER, SPARE]) : loopback;
  }

  get store(): SharedStore {
    if (this.#store === null) throw new Error("the cluster has not been started");
    return this.#store;
  }

  async start(): Promise<void> {
    const store = await startStore(this.#options.engine, this.folder);
    this.#store = store;
    const places = new Map<number, string>();
    for (const port of store.ports) places.set(port, await this.places.reach(port));
    await this.#configure(store.url((port) => places.get(port) ?? ""));
    for (const name of [...this.arbiters, MASTER, SPARE]) this.run(name);
    await this.settled();
  }

  run(name: string): void {
    const config = ["--config", join(this.folder, "etc"), "--name", name];
    const words = this.arbiters.includes(name)
      ? ["start", ...config]
      : ["daemon", "--role", name === SPARE ? "spare" : "master", ...config, "--", "perl", WORKLOAD];
    const command = [
      ...this.places.enter(name),
      "setpriv",
      "--pdeathsig=KILL",
      process.execPath,
      COMMAND_LINE,
    ];
    const output = openSync(join(this.folder, `${name}.log`), "a");
    const [first = "", ...rest] = [...command, ...words];
    const child = spawn(first, rest, {
      stdio: ["ignore", output, output],
      detached: true,
      env: workloadEnvironment(join(this.folder, "acts")),
    });
    this.#processes.set(name, child);
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.#processes.get(name)?.kill(signal);
  }

  /** Ends it and waits until it has ended. */
  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#processes.get(name);
    if (child === undefined || hasEnded(child)) return;
    child.kill(signal);
    await once(child, "exit");
  }

  urlOf(name: string): string {
    return `http://${this.places.addressOf(name)}:${this.#ports.get(name)}`;
  }

  /** Who says of itself that it leads; null: nobody. */
  async leader(among: readonly string[] = this.arbiters): Promise<string | null> {
    const leading = await Promise.all(among.map((name) => answerOf(`${this.urlOf(name)}/leader`, 500)));
    return among.find((_, at) => leading[at]?.status === 200) ?? null;
  }

  /** Waits for another leader than that one, and says how long it took. */
  async leaderAfter(last: string): Promise<number> {
    const beganMs = performance.now();
    // One that is frozen would keep each look waiting.
    const others = this.arbiters.filter((name) => name !== last);
    while (performance.now() - beganMs < SETTLE_LIMIT_MS) {
      if ((await this.leader(others)) !== null) return performance.now() - beganMs;
      await sleep(10);
    }
    throw new Error(`no other arbiter leads after ${last}; see ${this.folder}`);
  }

  async status(name: string): Promise<Status | null> {
    const body = (await answerOf(`${this.urlOf(name)}/v1/status`, 3_000))?.body;
    return isStatus(body) ? body : null;
  }

  /** Any arbiter will do; null: it took the order. */
  async order(name: string, path: string): Promise<string | null> {
    const answer = await answerOf(this.urlOf(name) + path, 12_000, "POST");
    return answer?.status === 202 ? null : JSON.stringify(answer);
  }

  /** Held, nothing wrong, and every arbiter says the same. */
  async settled(): Promise<Status> {
    const endMs = performance.now() + SETTLE_LIMIT_MS;
    for (;;) {
      const all = await Promise.all(this.arbiters.map((name) => this.status(name)));
      const [first] = all;
      const views = new Set(all.map((status) => JSON.stringify(viewOf(status))));
      const isWell = first?.services[0]?.phase === "held" && first.problems.length === 0;
      if (isWell && views.size === 1 && hasSpare(first)) return first;
      if (performance.now() > endMs)
        throw new Error(`it did not settle; see ${this.folder}: ${JSON.stringify(all, null, 1)}`);
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#processes.values()) child.kill("SIGCONT");
    await Promise.all([MASTER, SPARE, ...this.arbiters].map((name) => this.end(name, "SIGTERM")));
    await this.#store?.remove();
    this.places.close();
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #configure(storeUrl: string): Promise<void> {
    const config = join(this.folder, "etc");
    mkdirSync(join(config, "daemons"), { recursive: true });
    writeFileSync(join(this.folder, "token"), `${"t".repeat(40)}\n`, { mode: 0o600 });
    writeFileSync(join(this.folder, "store.url"), `${storeUrl}\n`, { mode: 0o600 });
    const lines = [
      "[cluster]",
      `arbiter_lease = ${LEASE_MS}ms`,
      `lease = ${LEASE_MS}ms`,
      "check_interval = 150ms",
      "timeout = 140ms",
      "failback = manual",
      "failure_timeout = 1s",
      `state_dir = ${join(this.folder, "state")}`,
      "[store]",
      `url_file = ${join(this.folder, "store.url")}`,
      "[security]",
      `token_file = ${join(this.folder, "token")}`,
    ];
    writeFileSync(join(config, "arbiter.cfg"), `${lines.join("\n")}\n`);
    const names = [...this.arbiters, MASTER, SPARE];
    const ports = await freePorts(names.length);
    for (const [at, name] of names.entries()) {
      this.#ports.set(name, ports[at] ?? 0);
      const [type = ""] = name.split("-");
      const isSpare = name === SPARE || (this.arbiters.includes(name) && name !== this.arbiters[0]);
      const member = [
        `${type}_name ${name}`,
        `address ${this.places.addressOf(name)}`,
        `port ${ports[at]}`,
        `spare ${isSpare ? 1 : 0}`,
      ];
      writeFileSync(join(config, "daemons", `${name}.cfg`), `${member.join("\n")}\n`);
    }
  }
}

const TOKEN = { authorization: `Bearer ${"t".repeat(40)}` };

async function answerOf(
  url: string,
  timeoutMs: number,
  method = "GET",
): Promise<{ readonly status: number; readonly body: unknown } | null> {
  try {
    const answer = await fetch(url, { method, headers: TOKEN, signal: AbortSignal.timeout(timeoutMs) });
    const body: unknown = await answer.json();
    return { status: answer.status, body };
  } catch {
    return null;
  }
}

function viewOf(status: Status | null): unknown {
  if (status === null) return null;
  const { leader, term, version, services, arbiters } = status;
  return [
    leader,
    term,
    version,
    services.map(({ holder, epoch, phase }) => [holder, epoch, phase]),
    arbiters,
  ];
}

function hasSpare({ daemons }: Status): boolean {
  return daemons.some(({ state, healthy }) => healthy && state === "waiting");
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function isStatus(body: unknown): body is Status {
  return typeof body === "object" && body !== null && "services" in body && "problems" in body;
}
