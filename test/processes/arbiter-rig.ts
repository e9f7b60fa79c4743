/**
 * What the arbiter's process tests share: a folder with a real configuration, free ports, the real
 * process, and requests to it. Everything that a test starts is ended with it, by its pid.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inspect, isDeepStrictEqual } from "node:util";
import type { Status } from "../../src/arbiter/status.ts";
import type { LoggedEvent } from "../../src/core/model.ts";
import { ScriptedDaemon } from "./arbiter-daemon.ts";

const RUNNER = fileURLToPath(new URL("./arbiter-run.ts", import.meta.url));

export async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}

/** An arbiter process with what it said. */
export class ArbiterProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  output = "";
  errors = "";
  #url: Promise<string>;

  constructor(configPath: string, name: string | null, env: Record<string, string>) {
    this.child = spawn(process.execPath, [RUNNER, configPath, ...(name === null ? [] : [name])], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ready = Promise.withResolvers<string>();
    // Nobody may be waiting for it.
    ready.promise.catch(() => {});
    this.#url = ready.promise;
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
      const url = /^ready (\S+)$/mu.exec(this.output)?.[1];
      if (url !== undefined) ready.resolve(url);
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.errors += text;
    });
    const exited = Promise.withResolvers<number | null>();
    this.exited = exited.promise;
    this.child.once("close", (code) => {
      ready.reject(new Error(`the arbiter ended with ${code} before it was ready:\n${this.errors}`));
      exited.resolve(code);
    });
  }

  /** Resolves to its URL once it runs. */
  ready(): Promise<string> {
    return this.#url;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}

export class Rig {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), "arbiter-process-"));
  readonly config: string = path.join(this.folder, "etc", "arbiter");
  readonly port: number;
  readonly arbiters: ArbiterProcess[] = [];
  readonly daemons: ScriptedDaemon[] = [];

  private constructor(port: number) {
    this.port = port;
    mkdirSync(path.join(this.config, "daemons"), { recursive: true });
  }

  static async create(): Promise<Rig> {
    return new Rig(await freePort());
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get stateDir(): string {
    return path.join(this.folder, "var");
  }

  write(file: string, content: string): void {
    writeFileSync(path.join(this.config, file), content);
  }

  /** An arbiter's file, and the cluster's with fast settings. */
  writeCluster(extra = ""): void {
    this.write(
      "arbiter.cfg",
      `[cluster]\nname = test\narbiter_lease = 1s\nprofile = fast\nfailback_delay = 300ms\n${extra}\n`,
    );
    this.write(
      "daemons/arbiter-master.cfg",
      `arbiter_name  arbiter-master\naddress  127.0.0.1\nport  ${this.port}\nspare  0\n`,
    );
  }

  /** The file of another arbiter, which goes second; gives its port. */
  async addArbiter(name: string): Promise<number> {
    const port = await freePort();
    this.write(`daemons/${name}.cfg`, `arbiter_name  ${name}\naddress  127.0.0.1\nport  ${port}\nspare  1\n`);
    return port;
  }

  async addDaemon(name: string, role: "master" | "spare"): Promise<ScriptedDaemon> {
    const daemon = new ScriptedDaemon(name, role, await freePort());
    this.daemons.push(daemon);
    this.writeDaemon(daemon);
    return daemon;
  }

  writeDaemon({ name, role, address, port }: ScriptedDaemon, extra = ""): void {
    this.write(
      `daemons/${name}.cfg`,
      `scheduler_name  ${name}\naddress  ${address}\nport  ${port}\nspare  ${role === "spare" ? 1 : 0}\n${extra}`,
    );
  }

  spawn(name: string | null = null, env: Record<string, string> = {}): ArbiterProcess {
    const arbiter = new ArbiterProcess(this.config, name, env);
    this.arbiters.push(arbiter);
    return arbiter;
  }

  async start(): Promise<ArbiterProcess> {
    const arbiter = this.spawn();
    await arbiter.ready();
    return arbiter;
  }

  async close(): Promise<void> {
    for (const arbiter of this.arbiters) {
      if (arbiter.child.exitCode === null && arbiter.child.signalCode === null) await arbiter.stop("SIGKILL");
    }
    for (const daemon of this.daemons) await daemon.crash();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async get(path_: string, headers: Record<string, string> = {}): Promise<Answer> {
    return answerOf(await fetch(this.url + path_, { headers }));
  }

  async post(path_: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return answerOf(
      await fetch(this.url + path_, {
        method: "POST",
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  }

  async status(): Promise<Status> {
    const { body, text } = await this.get("/v1/status");
    if (isStatus(body)) return body;
    throw new Error(`this is no status: ${text}`);
  }

  /** Events after this number, as the log has them. */
  async events(after = 0, limit = 1_000): Promise<readonly (LoggedEvent & { readonly at: string })[]> {
    const { body } = await this.get(`/v1/events?after=${after}&limit=${limit}`);
    return Array.isArray(body["events"]) ? body["events"].filter((event) => isEvent(event)) : [];
  }

  /** Who holds the service and in which phase, as `holder@epoch phase`. */
  async held(service: string): Promise<string> {
    const { services } = await this.status();
    const found = services.find(({ name }) => name === service);
    return found === undefined ? "unknown" : `${found.holder ?? "nobody"}@${found.epoch} ${found.phase}`;
  }
}

/** Asks until the answer is as expected; else an error with the last one. */
export async function eventually<T>(
  ask: () => Promise<T> | T,
  expected: T,
  timeoutMs = 15_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await ask();
    if (isDeepStrictEqual(found, expected)) return;
    if (performance.now() > deadlineMs) {
      throw new Error(`after ${timeoutMs} ms: ${inspect(found)}, not ${inspect(expected)}`);
    }
    await sleep(10);
  }
}

function isStatus(body: object): body is Status {
  return "services" in body && "problems" in body && "config" in body;
}

function isEvent(value: unknown): value is LoggedEvent & { readonly at: string } {
  return typeof value === "object" && value !== null && "seq" in value && "at" in value;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly type: string | null;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const type = response.headers.get("content-type");
  return { status: response.status, headers: response.headers, type, text, body: membersOf(text) };
}

/** The members of a JSON object; none of anything else. */
export function membersOf(text: string): Record<string, unknown> {
  if (!text.startsWith("{")) return {};
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null ? { ...value } : {};
}
