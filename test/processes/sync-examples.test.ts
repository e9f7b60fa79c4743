/** The two examples with several arbiters, as a user runs them: one command each, on addresses of their own. */
import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import path from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";

const EXAMPLES = path.join(import.meta.dirname, "../../examples");
/** The program from its sources: what `bin/arbiter.js` starts once it is built. */
const PROGRAM = path.join(import.meta.dirname, "launcher-cli.ts");
/** Twice as long as on a busy machine. */
const TIMEOUT_MS = 180_000;

async function run(example: string): Promise<{ readonly code: number | undefined; readonly text: string }> {
  const env = {
    PATH: `${path.dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    // All of 127.0.0.0/8 is this machine: nobody else listens there.
    NET: `127.${randomInt(1, 255)}.${randomInt(1, 255)}`,
    ARBITER_BIN: PROGRAM,
  };
  const script = path.join(EXAMPLES, example, "run.sh");
  const options = { env, extendEnv: false, all: true, reject: false, timeout: TIMEOUT_MS } as const;
  const { exitCode, all } = await execa("sh", [script], options);
  return { code: exitCode, text: all };
}

/** Who did the work at which epoch: the last lines. */
function workers(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => /^\s+\d+ (web-\d \d)$/u.exec(line)?.[1] ?? "");
  return lines.filter((line) => line !== "");
}

function hasEtcd(): boolean {
  try {
    execFileSync("etcd", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    if (process.env["CI"] === undefined)
      process.stdout.write("skipped: etcd is not installed (Debian: etcd-server)\n");
    return process.env["CI"] !== undefined;
  }
}

test.concurrent(
  "examples/two-arbiters",
  async () => {
    const { code, text } = await run("two-arbiters");
    expect(text).toContain("web-1 url=");
    expect(text).toMatch(/the same: this folder and that of one/u);
    expect(workers(text)).toEqual(["web-1 1", "web-2 2"]);
    expect(code).toBe(0);
  },
  TIMEOUT_MS,
);

test.skipIf(!hasEtcd()).concurrent(
  "examples/etcd-cluster",
  async () => {
    const { code, text } = await run("etcd-cluster");
    expect(text).toMatch(/web-1 did \d+ pieces of work in 3 s meanwhile/u);
    expect(workers(text)).toEqual(["web-1 1", "web-2 2"]);
    expect(code).toBe(0);
  },
  TIMEOUT_MS,
);
