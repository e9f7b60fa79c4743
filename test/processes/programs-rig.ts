/**
 * One arbiter, and for each program a master on 127.0.0.1 and a spare on 127.0.0.2, as a user would start
 * them: a folder of `.cfg` files, `arbiter start`, `arbiter daemon`. While it runs, the kernel is asked again
 * and again who of the programs lives: both at once is what must never be seen.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isRunning, readStat } from "../../src/launcher/process-group.ts";
import { freePort } from "./library-processes.ts";
import { makeFolder, parseObject, until } from "./launcher-workshop.ts";

const CLI = fileURLToPath(new URL("launcher-cli.ts", import.meta.url));
export const PLACES = { master: "127.0.0.1", spare: "127.0.0.2" } as const;
export type Place = keyof typeof PLACES;

export interface Program {
  readonly name: string;
  /** Writes what the program needs into its folder, and says how it is run and judged. */
  readonly setUp: (at: {
    readonly folder: string;
    readonly address: string;
    readonly port: number;
  }) => string;
}

export class Rig {
  readonly folder: string = makeFolder();
  /** Seen by the kernel at one instant: the programs of master and spare. Must stay empty. */
  readonly overlaps: string[] = [];
  readonly #ports = new Map<string, number>();
  readonly #launchers = new Map<string, ChildProcess>();
  #arbiterPort = 0;
  #isOver = false;
  #watching: Promise<void> | null = null;
  /** Of every process that this rig started. */
  said = "";

  async start(programs: readonly Program[]): Promise<void> {
    this.#arbiterPort = await freePort();
    const defaults =
      "[cluster]\nfailback = manual\nfailure_timeout = 1s\nstop_timeout = 3s\nhook_timeout = 1s\n";
    writeFileSync(
      join(this.folder, "arbiter.cfg"),
      `${defaults}[arbiter]\nname = a\nport = ${this.#arbiterPort}\n`,
    );
    for (const program of programs) {
      const port = await freePort();
      this.#ports.set(program.name, port);
      for (const place of ["master", "spare"] as const) await this.#write(program, place, port);
    }
    this.#run(["start", "--config", "."]);
    for (const { name } of programs)
      for (const place of ["master", "spare"] as const) this.launch(name, place);
    this.#watching = this.#watch(programs);
  }

  async #write(program: Program, place: Place, port: number): Promise<void> {
    const folder = this.folderOf(program.name, place);
    mkdirSync(folder);
    const address = PLACES[place];
    const text = program.setUp({ folder, address, port });
    const name = place === "master" ? program.name : `${program.name}-spare`;
    const own = await freePort();
    this.#ports.set(`${program.name} ${place}`, own);
    const head = `[${program.name}]\nname = ${name}\naddress = ${address}\nport = ${own}\n`;
    const spare = `spare = ${place === "spare" ? 1 : 0}\ncwd = ${folder}\n`;
    writeFileSync(join(this.folder, `${program.name}-${place}.cfg`), `${head}${spare}${text}`);
  }

  folderOf(program: string, place: Place): string {
    return join(this.folder, `${program}-${place}`);
  }

  portOf(program: string): number {
    return this.#ports.get(program) ?? 0;
  }

  launch(program: string, place: Place): void {
    const file = `${program}-${place}.cfg`;
    this.#launchers.set(file, this.#run(["daemon", "--role", place, "--config", file]));
  }

  launcher(program: string, place: Place): ChildProcess {
    const child = this.#launchers.get(`${program}-${place}.cfg`);
    if (child === undefined) throw new Error(`${program} was never launched`);
    return child;
  }

  #run(words: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [CLI, ...words], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ARBITER_CONFIG: "", ARBITER_TOKEN_FILE: "", ARBITER_URL: "" },
    });
    this.#launchers.set(words.join(" "), child);
    const hear = (chunk: Buffer): void => {
      this.said = (this.said + chunk.toString()).slice(-200_000);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    return child;
  }

  /** Who runs in the program's folder there: it and what it started, wherever it went. */
  processes(program: string, place: Place): number[] {
    return this.#below(this.folderOf(program, place));
  }

  #below(folder: string): number[] {
    return readdirSync("/proc")
      .filter((entry) => /^\d+$/u.test(entry))
      .map(Number)
      .filter((pid) => {
        try {
          const cwd = readlinkSync(`/proc/${pid}/cwd`);
          return cwd === folder || cwd.startsWith(`${folder}/`);
        } catch {
          return false;
        }
      })
      .filter((pid) => {
        const stat = readStat(pid);
        return stat !== null && isRunning(stat);
      });
  }

  async #watch(programs: readonly Program[]): Promise<void> {
    while (!this.#isOver) {
      for (const { name } of programs) {
        const [master, spare] = [this.processes(name, "master"), this.processes(name, "spare")];
        // Asked one after the other: what was seen first must still be there.
        if (master.length === 0 || spare.length === 0) continue;
        if (this.processes(name, "master").length > 0)
          this.overlaps.push(`${name}: ${master.join()} and ${spare.join()}`);
      }
      await sleep(100);
    }
  }

  async holder(program: string): Promise<{ place: Place; epoch: number; phase: string } | null> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#arbiterPort}/v1/services/${program}`);
      if (!answer.ok) return null;
      const { holder, epoch, phase } = parseObject(await answer.text());
      return { place: holder === program ? "master" : "spare", epoch: Number(epoch), phase: String(phase) };
    } catch {
      return null;
    }
  }

  /** Waits until the daemon there could take the service. */
  async waits(program: string, place: Place): Promise<void> {
    const url = `http://${PLACES[place]}:${this.#ports.get(`${program} ${place}`)}/waiting`;
    const endMs = performance.now() + 40_000;
    for (;;) {
      const status = await fetch(url).then(
        async (answer) => {
          await answer.text();
          return answer.status;
        },
        () => 0,
      );
      if (status === 200) return;
      if (performance.now() > endMs)
        throw new Error(`${program}'s ${place} doesn't wait: ${url} answers ${status}`);
      await sleep(50);
    }
  }

  /** Waits until the service is held there, and gives its epoch. */
  async held(program: string, place: Place): Promise<number> {
    let epoch = 0;
    const endMs = performance.now() + 40_000;
    for (;;) {
      const holder = await this.holder(program);
      epoch = holder?.epoch ?? 0;
      if (holder?.place === place && holder.phase === "held") return epoch;
      if (performance.now() > endMs)
        throw new Error(
          `${program} isn't held by its ${place}: ${JSON.stringify(holder)}\n${this.said.slice(-3000)}`,
        );
      await sleep(30);
    }
  }

  async events(): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${this.#arbiterPort}/v1/events?after=0&limit=1000`);
    return await answer.text();
  }

  /** Ends all in good order, and says what is left of the programs. */
  async end(): Promise<number[]> {
    this.#isOver = true;
    await this.#watching;
    const children = [...new Set(this.#launchers.values())];
    for (const child of children) {
      child.kill("SIGCONT");
      child.kill("SIGTERM");
    }
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      }),
    );
    const own = new Set(children.map(({ pid }) => pid));
    const left = this.#below(this.folder).filter((pid) => !own.has(pid));
    for (const pid of left) process.kill(pid, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
    return left;
  }

  text(file: string): string {
    try {
      return readFileSync(join(this.folder, file), "utf8");
    } catch {
      return "";
    }
  }
}

export { until };
