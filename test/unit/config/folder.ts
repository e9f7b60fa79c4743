/** A configuration folder for one test, written from texts, and what loading it says. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Loaded, loadConfiguration, type Problem } from "../../../src/config/index.ts";

export class Folder implements AsyncDisposable {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }

  static async of(files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<Folder> {
    const folder = new Folder(await mkdtemp(join(tmpdir(), "arbiter-config-")));
    for (const [name, content] of Object.entries(files)) await folder.write(name, content);
    return folder;
  }

  async write(name: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.path, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }

  async load(name = ".", env: Readonly<Record<string, string>> = {}): Promise<Loaded> {
    return loadConfiguration(join(this.path, name), { env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Loads files that exist only for this. */
export async function loadFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Loaded> {
  await using folder = await Folder.of(files);
  const loaded = await folder.load(".", env);
  return loaded;
}

/** `severity file:line:column` and the text, for short comparisons. */
export function said(loaded: Pick<Loaded, "problems">, severity?: Problem["severity"]): string[] {
  return loaded.problems
    .filter((problem) => severity === undefined || problem.severity === severity)
    .map(
      (problem) => `${problem.severity} ${problem.file}:${problem.line}:${problem.column} ${problem.text}`,
    );
}

/** A spare on another host, so that a test's master has one and nothing is said of it. */
export const SPARE = "scheduler_name  other\naddress  127.0.0.9\nspare  1\n";
export const MASTER = "scheduler_name  other\naddress  127.0.0.9\n";
