/**
 * The cluster that is put under stress: one arbiter and two services, each with a master and a
 * spare. One is a program under launchers, the other a daemon built on the library. All of them
 * are real processes, started as a user starts them; whatever ends is started again after a moment,
 * as systemd would do it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { WORKLOAD, workloadEnvironment } from "../../bench/workload.ts";
import { type Gap, Judge } from "./judge.ts";
import { belongsTo, MARKER_VARIABLE, parentOf, processesOf, runs, wordsOf } from "./leftovers.ts";
import type { Random } from "./random.ts";

export type Kind = "program" | "library";
export const KINDS: readonly Kind[] = ["program", "library"];

/** A service is called after its master. */
export const SERVICE: Readonly<Record<Kind, string>> = { program: "worker-1", library: "scheduler-1" };
const DAEMONS: Readonly<Record<Kind, readonly [string, string]>> = {
  program: ["worker-1", "worker-2"],
  library: ["scheduler-1", "scheduler-2"],
};
export const ARBITER = "arbiter";
const NAMES = [ARBITER, ...DAEMONS.program, ...DAEMONS.library] as const;

const COMMAND_LINE = join(import.meta.dirname, "..", "processes", "launcher-cli.ts");
const LIBRARY_PROGRAM = join(import.meta.dirname, "library-program.ts");
const SETTLE_LIMIT_MS = 30_000;
const END_LIMIT_MS = 15_000;
/** A loss after a shorter hold makes the daemon back off: rounds begin after it. */
const LONG_HOLD_MS = 1050;

interface Status {
  readonly services: readonly { name: string; holder: string | null; phase: string }[];
  readonly daemons: readonly { name: string; state: string; healthy: boolean }[];
  readonly problems: readonly unknown[];
}

export interface ClusterOptions {
  /** (Default: fast) */
  readonly profile?: "fast" | "normal";
  /** More lines of `[cluster]`. */
  readonly settings?: readonly string[];
  /** What runs the arbiter, and gets the folder of its configuration. (Default: `arbiter start --config`) */
  readonly arbiter?: readonly string[];
}

export class Cluster {
  readonly folder: string = mkdtempSync(join(tmpdir(), "arbiter-chaos-"));
  readonly marker: string;
  readonly judges: Readonly<Record<Kind, Judge>>;
  readonly hangFile: string = join(this.folder, "hang");
  readonly #random: Random;
  readonly #settings: readonly string[];
  readonly #arbiter: readonly string[];
  readonly #processes = new Map<string, ChildProcess>();
  readonly #restarts = new Set<Promise<void>>();
  #url = "";
  #isEnding = false;
  restarts = 0;
  /** When the last one that was started again answered (`performance.now()`). */
  backAtMs = 0;
  readonly #urls = new Map<string, string>();

  constructor(marker: string, random: Random, options: ClusterOptions = {}) {
    this.marker = marker;
    this.#random = random;
    this.#settings = [`profile = ${options.profile ?? "fast"}`, ...(options.settings ?? [])];
    this.#arbiter = options.arbiter ?? [COMMAND_LINE, "start", "--config"];
    this.judges = {
      program: new Judge(SERVICE.program, this.#log("program")),
      library: new Judge(SERVICE.library, this.#log("library")),
    };
  }

  /** `prepare` gets the folders in which state will be kept. */
  async start(prepare: (stateFolders: readonly string[]) => void): Promise<void> {
    for (const folder of this.stateFolders) mkdirSync(folder, { recursive: true });
    prepare(this.stateFolders);
    await this.#writeConfiguration();
    this.#start(ARBITER);
    for (const kind of KINDS) for (const name of DAEMONS[kind]) this.#start(name);
    if (!(await this.settled(() => {}))) throw new Error(`no service came up; see ${this.folder}`);
  }

  get stateFolders(): string[] {
    return NAMES.map((name) => this.stateFolderOf(name));
  }

  stateFolderOf(name: string): string {
    return join(this.folder, "state", name);
  }

  /** What it has said so far. */
  saidBy(name: string): string {
    return readFileSync(join(this.folder, `${name}.log`), "utf8");
  }

  /** Launcher, library daemon or arbiter. */
  pidOf(name: string): number {
    return this.#processes.get(name)?.pid ?? 0;
  }

  holderOf(kind: Kind): { readonly name: string; readonly pid: number } {
    const holder = this.judges[kind].holder;
    if (holder === null) throw new Error(`${SERVICE[kind]}: nobody has acted yet`);
    return holder;
  }

  spareOf(kind: Kind): string {
    const { name } = this.holderOf(kind);
    const [master, spare] = DAEMONS[kind];
    return name === master ? spare : master;
  }

  /** Guards of a launcher; a hook in progress has one of its own. */
  guardsOf(name: string): number[] {
    const launcher = this.pidOf(name);
    return processesOf(this.marker, this.folder).filter(
      (pid) => parentOf(pid) === launcher && wordsOf(pid).endsWith(`arbiter-guard ${name}`),
    );
  }

  /** Still one of ours: a number that was read a while ago may be somebody else's by now. */
  owns(pid: number): boolean {
    return pid > 1 && runs(pid) && belongsTo(pid, this.marker, this.folder);
  }

  async order(kind: Kind): Promise<void> {
    const url = `${this.#url}/v1/services/${SERVICE[kind]}/switchover`;
    const headers = { "content-type": "application/json" };
    // Refused or unanswered: then nothing moves, which is an outcome too.
    await fetch(url, { method: "POST", headers, body: "{}", signal: AbortSignal.timeout(5000) }).catch(
      () => null,
    );
  }

  /** What `arbiter explain` says of its last move. */
  async explained(kind: Kind): Promise<string> {
    const words = [COMMAND_LINE, "explain", SERVICE[kind], "--moves", "1", "--url", this.#url];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    return await text(child.stdout);
  }

  /** Each service held for a while, and both daemons in order. False: not within the limit. */
  async settled(onGap: (kind: Kind, gap: Gap) => void): Promise<boolean> {
    const endMs = performance.now() + SETTLE_LIMIT_MS;
    const since = new Map<string, { readonly holder: string; readonly atMs: number }>();
    while (performance.now() < endMs) {
      const status = await this.status();
      const inOrder = status !== null && status.problems.length === 0 && hasSpares(status);
      for (const kind of KINDS) onGap(kind, this.judges[kind].read());
      for (const name of Object.values(SERVICE)) {
        const found = status?.services.find((service) => service.name === name);
        const holder = found?.holder ?? "";
        if (!inOrder || found?.phase !== "held") since.delete(name);
        else if (since.get(name)?.holder !== holder) since.set(name, { holder, atMs: performance.now() });
      }
      const times = [...since.values()];
      if (times.length === KINDS.length && times.every(({ atMs }) => performance.now() - atMs > LONG_HOLD_MS))
        return true;
      await sleep(50);
    }
    return false;
  }

  async status(): Promise<Status | null> {
    try {
      const answer = await fetch(`${this.#url}/v1/status`, { signal: AbortSignal.timeout(1000) });
      const body: unknown = await answer.json();
      return isStatus(body) ? body : null;
    } catch {
      return null;
    }
  }

  /** Ends all in good order; gives who was still there afterwards, before they were killed too. */
  async end(): Promise<string[]> {
    this.#isEnding = true;
    await Promise.all(this.#restarts);
    for (const pid of processesOf(this.marker, this.folder)) signal(pid, "SIGCONT");
    const children = [...this.#processes.values()].filter((child) => !hasEnded(child));
    for (const child of children) child.kill("SIGTERM");
    const endMs = performance.now() + END_LIMIT_MS;
    while (children.some((child) => !hasEnded(child)) && performance.now() < endMs) await sleep(20);
    // A guard ends within a moment of its launcher.
    let left = processesOf(this.marker, this.folder);
    for (let i = 0; i < 50 && left.length > 0; i += 1) {
      await sleep(20);
      left = left.filter((pid) => runs(pid));
    }
    const said = left.map((pid) => `${pid} (${wordsOf(pid)})`);
    for (const pid of left) signal(pid, "SIGKILL");
    return said;
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #log(kind: Kind): string {
    return join(this.folder, `${kind}.acts`);
  }

  async #writeConfiguration(): Promise<void> {
    const config = join(this.folder, "etc");
    mkdirSync(join(config, "daemons"), { recursive: true });
    const ports = await freePorts(NAMES.length);
    this.#url = `http://127.0.0.1:${ports[0]}`;
    for (const [at, name] of NAMES.entries()) {
      const health = name === ARBITER ? "healthz" : "health";
      this.#urls.set(name, `http://127.0.0.1:${ports[at]}/${health}`);
    }
    const cluster = [...this.#settings, "failback = manual", "failure_timeout = 1s", "arbiter_lease = 1s"];
    writeFileSync(
      join(config, "arbiter.cfg"),
      `[cluster]\n${[...cluster, `state_dir = ${join(this.folder, "state")}`].join("\n")}\n`,
    );
    for (const [at, name] of NAMES.entries()) {
      const [type = ""] = name.split("-");
      const lines = [`${type}_name ${name}`, "address 127.0.0.1", `port ${ports[at]}`];
      if (name !== ARBITER) lines.push(`spare ${name.endsWith("2") ? 1 : 0}`);
      writeFileSync(join(config, "daemons", `${name}.cfg`), `${lines.join("\n")}\n`);
    }
  }

  #start(name: string): void {
    const kind: Kind = name.startsWith("scheduler") ? "library" : "program";
    const config = ["--config", join(this.folder, "etc"), "--name", name];
    const role = ["--role", name.endsWith("2") ? "spare" : "master"];
    const words =
      name === ARBITER
        ? [...this.#arbiter, join(this.folder, "etc")]
        : kind === "library"
          ? [LIBRARY_PROGRAM, ...role, ...config]
          : [COMMAND_LINE, "daemon", ...role, ...config, "--", "perl", WORKLOAD];
    const output = openSync(join(this.folder, `${name}.log`), "a");
    // Should this process itself be killed, nothing of the cluster stays.
    const child = spawn("setpriv", ["--pdeathsig=KILL", process.execPath, ...words], {
      stdio: ["ignore", output, output],
      // A session of its own, as each service of an init system has it: the scheduler shares by them.
      detached: true,
      env: {
        ...workloadEnvironment(this.#log(kind)),
        CHAOS_HANG: this.hangFile,
        [MARKER_VARIABLE]: this.marker,
      },
    });
    this.#processes.set(name, child);
    child.once("exit", () => {
      if (!this.#isEnding) this.#startAgain(name);
    });
  }

  #startAgain(name: string): void {
    const restart = sleep(this.#random.between(0, 400)).then(() => {
      this.#restarts.delete(restart);
      this.restarts += 1;
      if (this.#isEnding) return;
      this.#start(name);
      void this.#noteAnswer(name, this.pidOf(name));
    });
    this.#restarts.add(restart);
  }

  /** How long a start takes is the machine's doing, and no part of any bound. */
  async #noteAnswer(name: string, pid: number): Promise<void> {
    while (!this.#isEnding && this.pidOf(name) === pid) {
      const answers = await fetch(this.#urls.get(name) ?? "", { signal: AbortSignal.timeout(500) }).then(
        ({ status }) => status === 200,
        () => false,
      );
      if (answers) {
        this.backAtMs = Math.max(this.backAtMs, performance.now());
        return;
      }
      await sleep(20);
    }
  }
}

/** A process that is gone is no error: a fault may have been faster. */
export function signal(pid: number, name: NodeJS.Signals): void {
  if (pid <= 1) return;
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function hasSpares({ daemons }: Status): boolean {
  const waiting = daemons.filter(({ state, healthy }) => healthy && state === "waiting").length;
  const active = daemons.filter(({ state, healthy }) => healthy && state === "active").length;
  return waiting === KINDS.length && active === KINDS.length;
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

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, "listening");
    const bound = server.address();
    if (typeof bound === "object" && bound !== null) ports.push(bound.port);
  }
  for (const server of servers) server.close();
  return ports;
}
