/**
 * The demonstration's cluster: an arbiter, a master and a spare, as three real processes, each
 * started by the command that a person would type. What they say is handed on line by line.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { hasEnded, runningDaemons } from "../src/launcher/pid-file.ts";

const ROOT = dirname(import.meta.dirname);
const PROGRAM = join(ROOT, "bin", "arbiter.js");
const ARBITER_PORT = 7770;
const SCHEDULER_PORT = 7768;
/** After that a daemon that was asked to stop is killed. */
const STOP_TIMEOUT_MS = 12_000;

export const MASTER = "scheduler-master";
export const SPARE = "scheduler-slave";
const ARBITER = "arbiter-master";

/** The files as they stand in the README. */
export const FILES: Readonly<Record<string, string>> = {
  [`${ARBITER}.cfg`]: `arbiter_name        ${ARBITER}\naddress             127.0.0.3\n`,
  [`${MASTER}.cfg`]: `scheduler_name      ${MASTER}\naddress             127.0.0.1\nspare               0\n`,
  [`${SPARE}.cfg`]: `scheduler_name      ${SPARE}\naddress             127.0.0.2\nspare               1\n`,
};

interface Listener {
  /** A line of a process's standard output. */
  said(name: string, line: string): void;
  /** A process ended that nobody here had asked to. */
  ended(name: string, how: string): void;
}

export class DemoCluster {
  readonly folder: string;
  readonly #listener: Listener;
  readonly #processes = new Map<string, ChildProcess>();
  /** What went wrong usually stands in the last lines of standard error. */
  readonly #errors = new Map<string, string>();
  #isEnding = false;
  /** The folder is this one's, and with it what runs there. */
  #isOwner = false;

  constructor(folder: string, listener: Listener) {
    this.folder = folder;
    this.#listener = listener;
  }

  get config(): string {
    return join(this.folder, "etc", "arbiter");
  }

  get steps(): string {
    return join(this.folder, "steps.log");
  }

  /** Below the state folder, for other commands that are to find these processes. */
  get #state(): string {
    return join(this.folder, "var");
  }

  async prepare(useFreePorts: boolean): Promise<void> {
    if (existsSync(this.folder)) {
      const [running] = runningDaemons(this.#state);
      if (running !== undefined)
        throw new Error(
          `A demonstration runs in ${this.folder} already (pid ${running.pid}). End it with Ctrl-C there, or name another --folder.`,
        );
      rmSync(this.folder, { recursive: true });
    }
    this.#isOwner = true;
    mkdirSync(this.config, { recursive: true });
    const ports = await portsFor(useFreePorts);
    for (const [file, text] of Object.entries(FILES)) {
      const port = ports.get(file);
      const line = port === undefined ? "" : `port                ${port}\n`;
      writeFileSync(join(this.config, file), text + line);
    }
    writeFileSync(this.steps, "");
  }

  startArbiter(): string {
    return this.#start(ARBITER, ["start", "--config", this.config]);
  }

  startDaemon(name: string): string {
    const role = name === MASTER ? "master" : "spare";
    const file = join(this.config, `${name}.cfg`);
    const work = ["sh", join(import.meta.dirname, "demo-work.sh"), this.steps];
    return this.#start(name, ["daemon", "--role", role, "--config", file, "--", ...work]);
  }

  /** Returns the command as a person would type it. */
  #start(name: string, args: readonly string[]): string {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#processes.set(name, child);
    this.#errors.set(name, "");
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (!this.#isEnding) this.#listener.said(name, line);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors.set(name, `${this.#errors.get(name)}${text}`.slice(-2000));
    });
    child.once("exit", (code, signal) => {
      if (!this.#isEnding) this.#listener.ended(name, signal ?? `exit code ${code}`);
    });
    return ["arbiter", ...args.map((arg) => (arg.startsWith("/") ? shortPath(arg) : arg))].join(" ");
  }

  pidOf(name: string): number {
    const pid = this.#processes.get(name)?.pid;
    if (pid === undefined) throw new Error(`${name} was not started`);
    return pid;
  }

  errorsOf(name: string): string {
    return this.#errors.get(name) ?? "";
  }

  /** Each of the three answers, and one of the two daemons is active. */
  async isComplete(): Promise<void> {
    const states = new Set<unknown>();
    while (states.size < 2) {
      states.clear();
      for (const { url } of runningDaemons(this.#state)) states.add(await stateAt(url));
      await sleep(50);
    }
  }

  /** Also those that a person has started again by hand in this folder. */
  async end(): Promise<void> {
    if (!this.#isOwner) return;
    this.#isEnding = true;
    const strangers = runningDaemons(this.#state).filter(({ pid }) =>
      [...this.#processes.values()].every((child) => child.pid !== pid),
    );
    for (const { pid } of strangers) process.kill(pid, "SIGTERM");
    // Daemons first: one that is alone without an arbiter waits for its lease's end.
    await Promise.all([MASTER, SPARE].map(async (name) => await this.#stop(name)));
    while (!strangers.every((daemon) => hasEnded(daemon))) await sleep(50);
    await this.#stop(ARBITER);
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #stop(name: string): Promise<void> {
    const child = this.#processes.get(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await once(child, "exit");
    clearTimeout(timer);
  }
}

async function stateAt(url: string): Promise<unknown> {
  try {
    const health: unknown = await (await fetch(`${url}/health`)).json();
    return typeof health === "object" && health !== null && "state" in health ? health.state : null;
  } catch {
    return null;
  }
}

export function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}

/** The usual ports need no line in the files; where one of them is taken, all get a free one. */
async function portsFor(useFreePorts: boolean): Promise<ReadonlyMap<string, number>> {
  const places = [
    [`${ARBITER}.cfg`, "127.0.0.3", ARBITER_PORT],
    [`${MASTER}.cfg`, "127.0.0.1", SCHEDULER_PORT],
    [`${SPARE}.cfg`, "127.0.0.2", SCHEDULER_PORT],
  ] as const;
  const usual = await Promise.all(places.map(async ([, host, port]) => await portAt(host, port)));
  if (!useFreePorts && usual.every((port) => port !== null)) return new Map();
  const ports = new Map<string, number>();
  for (const [file, host] of places) ports.set(file, (await portAt(host, 0)) ?? 0);
  return ports;
}

async function portAt(host: string, port: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
    const bound = server.address();
    return typeof bound === "object" && bound !== null ? bound.port : null;
  } catch {
    return null;
  } finally {
    server.close();
  }
}
