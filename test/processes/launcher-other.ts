/** A launcher in a process of its own (launcher-process.ts), as a test drives it. */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { LaunchSpec } from "../../src/core/model.ts";
import { holdersOf, readStat } from "../../src/launcher/process-group.ts";
import { parseObject, until } from "./launcher-workshop.ts";

export type Said = Readonly<Record<string, unknown>>;

export class OtherLauncher {
  readonly process: ChildProcess;
  readonly said: Said[] = [];
  text = "";
  constructor(folder: string, command: readonly string[], more: Partial<LaunchSpec> = {}, env: object = {}) {
    const script = join(import.meta.dirname, "launcher-process.ts");
    this.process = spawn(process.execPath, [script, folder, JSON.stringify(more), ...command], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    this.process.stdout?.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      const lines = this.text.split("\n");
      this.text = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("@")) this.said.push(parseObject(line.slice(1)));
    });
  }
  get pid(): number {
    return this.process.pid ?? 0;
  }
  order(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }
  has(what: string): Said | undefined {
    return this.said.findLast((one) => one["what"] === what);
  }
  async wait(what: string, limitMs?: number): Promise<Said> {
    await until(`the launcher says "${what}"`, () => this.has(what) !== undefined, limitMs);
    return this.has(what) ?? { what };
  }
  /** Activates and gives the program's group. */
  async activate(epoch: number, leaseMs: number): Promise<number> {
    await this.wait("ready");
    this.order(`activate ${epoch} ${leaseMs}`);
    return Number((await this.wait("active"))["group"]);
  }
  /** Whoever holds the lock besides launcher and program: the guard. */
  guardPid(folder: string, group: number): number {
    const others = holdersOf(join(folder, "launcher.lock")).filter((pid) => pid !== this.pid);
    return others.find((pid) => readStat(pid)?.pgid !== group) ?? 0;
  }
}
