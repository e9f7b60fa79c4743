/** Several arbiters, each with a folder of its own, on one store: what the tests of keeping them the same share. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Status } from "../../src/arbiter/status.ts";
import { ScriptedDaemon } from "./arbiter-daemon.ts";
import { ArbiterProcess, freePort, membersOf } from "./arbiter-rig.ts";

export const SERVICE = "scheduler-master";

export interface Machine {
  readonly name: string;
  readonly url: string;
  readonly config: string;
  process: ArbiterProcess | null;
}

export class SyncRig {
  readonly root: string = mkdtempSync(path.join(tmpdir(), "arbiter-sync-"));
  readonly machines: Machine[] = [];
  readonly daemons: ScriptedDaemon[] = [];

  /** The same files on each; all daemons run. */
  static async create(names: readonly string[], cluster: string): Promise<SyncRig> {
    const rig = new SyncRig();
    const files: Record<string, string> = {
      "arbiter.cfg": `[cluster]\nname = test\narbiter_lease = 1s\nprofile = fast\nfailback_delay = 300ms\n${cluster}\n[store]\nurl = sqlite:${path.join(rig.root, "store.db")}\n`,
    };
    for (const [at, name] of names.entries()) {
      const port = await freePort();
      files[`daemons/${name}.cfg`] =
        `arbiter_name  ${name}\naddress  127.0.0.1\nport  ${port}\nspare  ${at === 0 ? 0 : 1}\n`;
      const config = path.join(rig.root, name, "etc", "arbiter");
      rig.machines.push({ name, url: `http://127.0.0.1:${port}`, config, process: null });
    }
    for (const role of ["master", "spare"] as const) {
      const daemon = new ScriptedDaemon(`scheduler-${role}`, role, await freePort());
      files[`daemons/${daemon.name}.cfg`] = daemonFile(daemon);
      rig.daemons.push(daemon);
      await daemon.start();
    }
    for (const machine of rig.machines)
      for (const [file, content] of Object.entries(files)) rig.write(machine, file, content);
    return rig;
  }

  machine(name: string): Machine {
    const found = this.machines.find((machine) => machine.name === name);
    if (found === undefined) throw new Error(`there is no machine ${name}`);
    return found;
  }

  async start(name: string, config?: string): Promise<ArbiterProcess> {
    const machine = this.machine(name);
    machine.process = new ArbiterProcess(config ?? machine.config, name, {});
    await machine.process.ready();
    return machine.process;
  }

  async stop(name: string, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const machine = this.machine(name);
    await machine.process?.stop(signal);
    machine.process = null;
  }

  write({ config }: Pick<Machine, "config">, file: string, content: string): void {
    mkdirSync(path.dirname(path.join(config, file)), { recursive: true });
    writeFileSync(path.join(config, file), content);
  }

  /** The configuration files of a machine, path to content. */
  files(name: string): Record<string, string> {
    const { config } = this.machine(name);
    const found = readdirSync(config, { recursive: true, withFileTypes: true });
    const files: Record<string, string> = {};
    for (const entry of found) {
      const file = path.relative(config, path.join(entry.parentPath, entry.name));
      if (entry.isFile() && !file.startsWith("."))
        files[file] = readFileSync(path.join(config, file), "utf8");
    }
    return files;
  }

  async get(name: string, target: string): Promise<Record<string, unknown>> {
    return membersOf(await (await fetch(this.machine(name).url + target)).text());
  }

  async text(name: string, target: string): Promise<string> {
    return (await fetch(this.machine(name).url + target)).text();
  }

  async post(name: string, target: string, body: object): Promise<{ status: number; text: string }> {
    const answer = await fetch(this.machine(name).url + target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.status, text: await answer.text() };
  }

  /** As `code subject`, of the arbiter that is asked. */
  async problems(name: string): Promise<readonly string[]> {
    const { problems } = await this.get(name, "/v1/status");
    const list: readonly unknown[] = Array.isArray(problems) ? problems : [];
    return list.filter(isProblem).map(({ code, subject }) => `${code} ${subject}`);
  }

  /** Types of the log's events. */
  async log(name: string): Promise<readonly string[]> {
    const { events } = await this.get(name, "/v1/events?after=0&limit=1000");
    const list: readonly unknown[] = Array.isArray(events) ? events : [];
    return list.filter(isTyped).map(({ type }) => type);
  }

  async leader(name: string): Promise<unknown> {
    return (await this.get(name, "/leader"))["leader"];
  }

  async close(): Promise<void> {
    for (const { name, process } of this.machines) if (process !== null) await this.stop(name, "SIGKILL");
    for (const daemon of this.daemons) await daemon.crash();
    rmSync(this.root, { recursive: true, force: true });
  }
}

export function daemonFile({ name, role, port }: ScriptedDaemon, extra = ""): string {
  return `scheduler_name  ${name}\naddress  127.0.0.1\nport  ${port}\nspare  ${role === "spare" ? 1 : 0}\n${extra}`;
}

function isProblem(value: unknown): value is Status["problems"][number] {
  return typeof value === "object" && value !== null && "code" in value && "subject" in value;
}

function isTyped(value: unknown): value is { readonly type: string } {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
