/**
 * A cluster for those who use it: arbiters, a master and a spare that serve HTTP, all real
 * processes on loopback, in a folder of their own. Ended by pid with the test.
 */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { connect } from "../../src/client.ts";
import type { Cluster } from "../../src/client.ts";
import { freePort, until } from "./library-processes.ts";

const DAEMON = fileURLToPath(new URL("clients-program.ts", import.meta.url));
const ARBITER = fileURLToPath(new URL("arbiter-run.ts", import.meta.url));
/** So that an example's `import "arbiter-ha"` gets the sources. */
const IMPORTS = fileURLToPath(new URL("library-source-imports.ts", import.meta.url));
const COMMAND = fileURLToPath(new URL("../unit/cli/program.ts", import.meta.url));
export const SERVICE = "scheduler-master";
export const DAEMONS = ["scheduler-master", "scheduler-slave"] as const;
export type DaemonName = (typeof DAEMONS)[number];

export interface ClientsRigOptions {
  /** Lines of [cluster]. (Default: leases of a second, nothing moves back by itself.) */
  readonly cluster?: readonly string[];
  readonly arbiters?: number;
  readonly program?: string;
  /** Type of the daemons. (Default: scheduler.) */
  readonly type?: string;
  /** For the daemons, besides this process's. */
  readonly env?: Readonly<Record<string, string>>;
}

export class ClientsRig {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), "arbiter-clients-"));
  readonly arbiterUrls: string[] = [];
  readonly ports: Map<string, number> = new Map();
  readonly output: Map<string, string> = new Map();
  readonly #processes = new Map<string, ChildProcess>();
  readonly #others = new Set<string>();
  readonly #clusters: Cluster[] = [];
  readonly #program: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor({ program, env }: ClientsRigOptions) {
    this.#program = program ?? DAEMON;
    this.#env = env ?? {};
  }

  static async start(options: ClientsRigOptions = {}): Promise<ClientsRig> {
    const rig = new ClientsRig(options);
    try {
      await rig.#write(options);
      for (let index = 0; index < (options.arbiters ?? 1); index += 1) rig.startArbiter(index);
      for (const name of DAEMONS) rig.startDaemon(name);
      await rig.settled();
      return rig;
    } catch (error) {
      await rig[Symbol.asyncDispose]();
      throw error;
    }
  }

  get config(): string {
    return path.join(this.folder, "etc", "arbiter");
  }

  urlOf(name: DaemonName): string {
    return `http://127.0.0.1:${this.ports.get(name) ?? 0}`;
  }

  connect(addresses: string | readonly string[] = this.arbiterUrls): Cluster {
    const cluster = connect(addresses);
    this.#clusters.push(cluster);
    return cluster;
  }

  startArbiter(index: number): ChildProcess {
    return this.#spawn(`arbiter-${index}`, [ARBITER, this.config, `arbiter-${index}`]);
  }

  startDaemon(name: DaemonName): ChildProcess {
    const role = name === DAEMONS[0] ? "master" : "spare";
    return this.#spawn(name, [this.#program, "--role", role, "--config", this.config, "--name", name]);
  }

  /** Anything else that the test runs beside it. */
  spawnOther(name: string, command: string, args: readonly string[]): ChildProcess {
    this.#others.add(name);
    return this.#keep(name, spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] }));
  }

  process(name: string): ChildProcess {
    const child = this.#processes.get(name);
    if (child === undefined) throw new Error(`${name} was not started`);
    return child;
  }

  /** Name of the arbiter that leads. */
  async leader(): Promise<string> {
    let found = "";
    await until("an arbiter leads", async () => {
      for (const [index, url] of this.arbiterUrls.entries()) {
        if ((await fetch(`${url}/leader`).catch(() => null))?.ok === true) found = `arbiter-${index}`;
      }
      return found !== "";
    });
    return found;
  }

  async kill(name: string, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.process(name);
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  /** Asked again while the daemon that it is to go to counts as one that has just failed. */
  async order(verb: "switchover" | "failback"): Promise<void> {
    let refusal = "";
    await until(`${verb} is accepted: ${refusal}`, async () => {
      const response = await fetch(`${this.arbiterUrls[0]}/v1/services/${SERVICE}/${verb}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      refusal = await response.text();
      if (!response.ok && response.status !== 409) throw new Error(`${verb} was refused: ${refusal}`);
      return response.ok;
    });
  }

  /** What `arbiter resolve` prints. */
  async resolveByCommand(): Promise<string> {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [COMMAND, "resolve", SERVICE, "--config", this.config],
      { env: { ...process.env, ARBITER_TOKEN_FILE: "", ARBITER_URL: "" } },
    );
    return stdout;
  }

  /** The one that says of itself that it is active on a valid lease; null: none does. */
  async active(): Promise<DaemonName | null> {
    for (const name of DAEMONS) {
      const isActive = await fetch(`${this.urlOf(name)}/active`, { signal: AbortSignal.timeout(500) }).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isActive) return name;
    }
    return null;
  }

  /** One is active, the other waits, and an arbiter knows it. */
  async settled({ restarts = false }: { readonly restarts?: boolean } = {}): Promise<DaemonName> {
    let found: DaemonName | null = null;
    const isSettled = async (): Promise<boolean> => {
      // A daemon that the machine stalled for longer than its lease has ended itself.
      if (restarts) for (const name of DAEMONS) if (this.#hasEnded(name)) this.startDaemon(name);
      found = await this.active();
      if (found === null) return false;
      const other = DAEMONS.find((name) => name !== found) ?? found;
      const signal = AbortSignal.timeout(500);
      const answer = await fetch(`${this.urlOf(other)}/waiting`, { signal }).catch(() => null);
      return answer?.ok === true && (await this.#knows(found));
    };
    try {
      await until("the cluster settles", isSettled, 30_000);
    } catch (error) {
      const said = [...this.output].map(([name, text]) => `${name}:\n${text}`).join("\n");
      throw new Error(said, { cause: error });
    }
    return found ?? DAEMONS[0];
  }

  #hasEnded(name: string): boolean {
    const { exitCode, signalCode } = this.process(name);
    return exitCode !== null || signalCode !== null;
  }

  async #knows(holder: DaemonName): Promise<boolean> {
    for (const url of this.arbiterUrls) {
      const response = await fetch(`${url}/v1/services/${SERVICE}`, {
        signal: AbortSignal.timeout(500),
      }).catch(() => null);
      if (response?.ok !== true) continue;
      const text = await response.text();
      if (text.includes(`"holder":"${holder}"`) && text.includes('"phase":"held"')) return true;
    }
    return false;
  }

  async #write({ cluster, arbiters = 1, type = "scheduler" }: ClientsRigOptions): Promise<void> {
    mkdirSync(path.join(this.config, "daemons"), { recursive: true });
    const lines = cluster ?? ["lease = 1s", "check_interval = 100ms", "timeout = 80ms"];
    const write = (file: string, ...content: string[]): void =>
      writeFileSync(path.join(this.config, file), `${content.join("\n")}\n`);
    write(
      "arbiter.cfg",
      "[cluster]",
      "failback = manual",
      "failure_timeout = 500ms",
      "arbiter_lease = 1s",
      ...lines,
    );
    for (let index = 0; index < arbiters; index += 1) {
      const port = await freePort();
      this.arbiterUrls.push(`http://127.0.0.1:${port}`);
      write(
        `daemons/arbiter-${index}.cfg`,
        `arbiter_name arbiter-${index}`,
        "address 127.0.0.1",
        `port ${port}`,
        `spare ${index === 0 ? 0 : 1}`,
      );
    }
    for (const [index, name] of DAEMONS.entries()) {
      const port = await freePort();
      this.ports.set(name, port);
      write(
        `daemons/${name}.cfg`,
        `${type}_name ${name}`,
        "address 127.0.0.1",
        `port ${port}`,
        `spare ${index}`,
        "kill_grace 60ms",
      );
    }
  }

  #spawn(name: string, args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, ["--import", IMPORTS, ...args], {
      env: { ...process.env, ARBITER_TOKEN_FILE: "", ARBITER_URL: "", ...this.#env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return this.#keep(name, child);
  }

  #keep(name: string, child: ChildProcess): ChildProcess {
    this.#processes.set(name, child);
    const note = (text: string): void => {
      this.output.set(name, (this.output.get(name) ?? "") + text);
    };
    child.stdout?.setEncoding("utf8").on("data", note);
    child.stderr?.setEncoding("utf8").on("data", note);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cluster of this.#clusters) cluster.close();
    for (const [name, child] of this.#processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      // What has children of its own has to end them: nginx that is killed leaves its workers behind.
      if (this.#others.has(name)) child.kill("SIGTERM");
      else child.kill("SIGKILL");
      child.kill("SIGCONT");
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(timer);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
