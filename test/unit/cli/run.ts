/**
 * Runs the program as a user would: a process, its two outputs, its exit code. The environment is
 * made afresh, so that no configuration or token of the machine that tests gets in.
 */
import { join } from "node:path";
import { execa } from "execa";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const PROGRAM = join(import.meta.dirname, "program.ts");

export async function arbiter(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const result = await execa(process.execPath, [PROGRAM, ...argv], {
    cwd: options.cwd ?? "/",
    env: { PATH: process.env["PATH"] ?? "", ...options.env },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    timeout: 15_000,
  });
  return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
}
