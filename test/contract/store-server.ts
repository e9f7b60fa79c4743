/**
 * Real servers for the tests: started on free ports with a data folder of their own, as an
 * unprivileged user, and frozen, killed and started again at will.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** A server that a suite runs against. */
export interface StoreServer {
  readonly port: number;
  /** The store's url; `port` where the server is reached through something else. */
  url(prefix: string, port?: number): string;
  start(): Promise<void>;
  /** As a crash of the machine: no process of it gets another instruction. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Where the packages put a program; null: it isn't installed. */
export function findProgram(name: string, folders: readonly string[] = []): string | null {
  const all = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin", ...folders];
  for (const folder of all) if (existsSync(join(folder, name))) return join(folder, name);
  return null;
}

/** Whether to skip, with the reason printed; where everything must be there, an error instead. */
export function isMissing(programs: Readonly<Record<string, string | null>>, debianPackage: string): boolean {
  const missing = Object.entries(programs).filter(([, path]) => path === null);
  if (missing.length === 0) return false;
  const why = `${missing.map(([name]) => name).join(", ")} not found: apt-get install ${debianPackage}`;
  if (process.env["CI"] === "true") throw new Error(`A server that the tests need is missing. ${why}`);
  console.warn(`Skipped: ${why}`);
  return true;
}

/** Servers refuse to run as root; this user owns nothing else. */
const NOBODY = process.getuid?.() === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : {};

function idOf(which: "-u" | "-g"): number {
  return Number(execFileSync("id", [which, "nobody"], { encoding: "utf8" }));
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("No free port.");
  return address.port;
}

/** A folder that the servers' user may write. */
export function serverFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `arbiter-${name}-`));
  give(folder);
  return folder;
}

export function give(path: string, mode = 0o700): void {
  chmodSync(path, mode);
  if (NOBODY.uid !== undefined && NOBODY.gid !== undefined) chownSync(path, NOBODY.uid, NOBODY.gid);
}

/** Runs a program to its end, as the servers' user. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly input?: string },
): string {
  const { cwd, input } = options;
  const done = spawnSync(command, args, {
    cwd,
    input: input ?? "",
    encoding: "utf8",
    ...NOBODY,
    timeout: 60_000,
  });
  if (done.status === 0) return done.stdout;
  throw new Error(`${command} ${args.join(" ")} ended with ${done.status}: ${done.stdout} ${done.stderr}`);
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Resolves once it answers; rejects while it doesn't. */
  ready(): Promise<void>;
}

const START_WITHIN_MS = 30_000;

export class ServerProcess {
  readonly #command: ServerCommand;
  #child: ChildProcess | null = null;
  #said = "";

  constructor(command: ServerCommand) {
    this.#command = command;
  }

  async start(): Promise<void> {
    const { command, args, cwd, env } = this.#command;
    const child = spawn(command, args, {
      cwd,
      env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      ...NOBODY,
    });
    this.#child = child;
    this.#said = "";
    const hear = (text: Buffer): void => {
      this.#said = `${this.#said}${text.toString()}`.slice(-5_000);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const until = Date.now() + START_WITHIN_MS;
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`${command} ended at once: ${this.#said}`);
      }
      try {
        await this.#command.ready();
        return;
      } catch (error) {
        if (Date.now() > until) {
          await this.kill();
          throw new Error(`${command} did not answer: ${this.#said}`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  get said(): string {
    return this.#said;
  }

  freeze(): void {
    this.#signal("SIGSTOP");
  }

  thaw(): void {
    this.#signal("SIGCONT");
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.pid === undefined) return;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    const family = familyOf(child.pid);
    if (signal === "SIGKILL") for (const pid of family) send(pid, "SIGKILL");
    else child.kill("SIGTERM");
    await exited;
    // Its children are gone, too, before another one may use the same folder.
    while (family.some((pid) => existsSync(`/proc/${pid}`))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#command.command} does not run.`);
    for (const member of familyOf(pid)) send(member, signal);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Ended in this moment.
  }
}

/** A process and all that it has started: a server may work in children that lead their own sessions. */
function familyOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/u.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // Ended in this moment.
    }
  }
  const family = [root];
  for (const member of family) {
    for (const [pid, parent] of parents) if (parent === member) family.push(pid);
  }
  return family;
}

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Another authority, which has signed nothing. */
  readonly otherCa: string;
}

/** An authority and a certificate for 127.0.0.1, which clients may show, too. */
export function makeCertificates(folder: string): Certificates {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    runProgram("openssl", args, { cwd: folder });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  for (const name of ["ca", "other"]) {
    openssl(
      "req",
      "-x509",
      ...key,
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
      "-keyout",
      at(`${name}.key`),
      "-out",
      at(`${name}.pem`),
    );
  }
  openssl(
    "req",
    ...key,
    "-subj",
    "/CN=server",
    "-addext",
    "subjectAltName=IP:127.0.0.1,DNS:store.example",
    "-keyout",
    at("server.key"),
    "-out",
    at("server.csr"),
  );
  openssl(
    "x509",
    "-req",
    "-in",
    at("server.csr"),
    "-CA",
    at("ca.pem"),
    "-CAkey",
    at("ca.key"),
    "-CAcreateserial",
    "-days",
    "2",
    "-copy_extensions",
    "copy",
    "-out",
    at("server.pem"),
  );
  return { ca: at("ca.pem"), cert: at("server.pem"), key: at("server.key"), otherCa: at("other.pem") };
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
