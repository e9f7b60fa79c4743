/** Starts the test's daemon as a real process, and ends what is still there when a test is over. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("library-program.ts", import.meta.url));

export interface Line {
  readonly did: string;
  readonly atMs: number;
  readonly [more: string]: unknown;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class DaemonProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly name: string;
  readonly lines: Line[] = [];
  stderr = "";
  exit: Exit | null = null;
  readonly ended: Promise<Exit>;

  constructor(child: ChildProcess, url: string, name: string) {
    this.child = child;
    this.url = url;
    this.name = name;
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("{")) this.lines.push(lineIn(JSON.parse(line)));
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  did(what: string): Line[] {
    return this.lines.filter(({ did }) => did === what);
  }
}

/** A folder and the processes of one test. */
export class Bench {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), "arbiter-library-"));
  readonly #started: DaemonProcess[] = [];

  /** Started, and not waited for. */
  async spawn(
    name: string,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<DaemonProcess> {
    const port = args.includes("--port") ? Number(args[args.indexOf("--port") + 1]) : await freePort();
    const asked = [
      ...(args.includes("--name") ? [] : ["--name", name]),
      ...(args.includes("--role") || args.includes("--config") ? [] : ["--role", "master"]),
      ...(args.includes("--port") ? [] : ["--port", String(port)]),
      ...(args.includes("--state-dir") ? [] : ["--state-dir", this.folder]),
    ];
    const child = spawn(process.execPath, [PROGRAM, ...asked, ...args], {
      env: { ...process.env, ARBITER_TOKEN_FILE: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const daemon = new DaemonProcess(child, `http://127.0.0.1:${port}`, name);
    this.#started.push(daemon);
    return daemon;
  }

  /** Started, and answering. */
  async start(
    name: string,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<DaemonProcess> {
    const daemon = await this.spawn(name, args, env);
    await until(`${name} answers`, async () => {
      if (daemon.exit !== null) throw new Error(`${name} ended: ${daemon.stderr}`);
      return await fetch(`${daemon.url}/health`).then(
        (response) => response.ok,
        () => false,
      );
    });
    return daemon;
  }

  /**
   * The arguments of a daemon with a short `kill_grace`, so that `demote` has time in a short lease
   * also on a machine that is busy with other tests.
   */
  patient(name: string, role: "master" | "spare"): string[] {
    const file = path.join(this.folder, `${name}.cfg`);
    const lines = [`scheduler_name ${name}`, "address 127.0.0.1", `spare ${role === "spare" ? 1 : 0}`];
    writeFileSync(file, `${[...lines, "kill_grace 60ms"].join("\n")}\n`);
    return ["--config", file, "--role", role];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#started) {
      if (daemon.exit !== null) continue;
      daemon.child.kill("SIGKILL");
      daemon.child.kill("SIGCONT");
      await daemon.ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits for a fact; the limit is only there so that a test that fails ends. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`It never came true that ${what}.`);
    await sleep(10);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

export function portOf(server: Server): number {
  const bound = server.address();
  if (typeof bound !== "object" || bound === null) throw new Error("The server doesn't listen at a port.");
  return bound.port;
}

function lineIn(value: unknown): Line {
  if (typeof value === "object" && value !== null && "did" in value && "atMs" in value) {
    const { did, atMs } = value;
    if (typeof did === "string" && typeof atMs === "number") return { ...value, did, atMs };
  }
  throw new Error(`The program wrote a line that it shouldn't: ${JSON.stringify(value)}`);
}
