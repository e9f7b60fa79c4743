/**
 * How long a command takes from Enter to the prompt: the built program, each command many times,
 * against an arbiter on this machine. `npm run bench:commands [-- RUNS]`.
 *
 * Beside the wall clock stands the processor's time of the process: on a busy machine only that
 * says something of the program.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PROGRAM = join(import.meta.dirname, "../bin/arbiter.js");
const runs = Number(process.argv[2] ?? 20);

function run(argv: readonly string[], script = PROGRAM): { wallMs: number; cpuMs: number } {
  const cpu = childCpuMs();
  const beganMs = performance.now();
  spawnSync(process.execPath, [script, ...argv], { stdio: "ignore" });
  return { wallMs: performance.now() - beganMs, cpuMs: childCpuMs() - cpu };
}

/** Of all children that have ended: none but the one that is measured ends meanwhile. */
function childCpuMs(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // cutime and cstime, in hundredths of a second.
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

function median(values: readonly number[], share = 0.5): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

const folder = mkdtempSync(join(tmpdir(), "arbiter-bench-"));
const port = await freePort();
writeFileSync(
  join(folder, "arbiter.cfg"),
  `[cluster]\nname = bench\nstate_dir = ${folder}/state\n[arbiter.one]\naddress = 127.0.0.1\nport = ${port}\n` +
    `[daemon.web]\ntype = web\nport = 1\n[daemon.web-spare]\ntype = web\nport = 2\nspare = 1\n`,
);
const arbiter = spawn(process.execPath, [PROGRAM, "start", "--config", folder], { stdio: "ignore" });
try {
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 200 && run(["leader", "--url", url]).wallMs > 0; tries += 1) {
    const answer = await fetch(`${url}/leader`).catch(() => null);
    if (answer?.ok === true) break;
    await sleep(100);
  }
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ["arbiter --help", ["--help"]],
    ["arbiter status --url URL", ["status", "--url", url]],
    ["arbiter status --config DIR", ["status", "--config", folder]],
    ["arbiter events --url URL", ["events", "--url", url]],
    ["arbiter config check DIR", ["config", "check", folder]],
    ["arbiter completion bash", ["completion", "bash"]],
  ];
  const empty = join(folder, "empty.js");
  writeFileSync(empty, "");
  const all = [
    ["node, an empty file", [], empty] as const,
    ...rows.map(([a, b]) => [a, b, PROGRAM] as const),
  ];
  process.stdout.write(`${runs} runs each: median (95th percentile), milliseconds\n`);
  for (const [title, argv, script] of all) {
    const times = Array.from({ length: runs }, () => run(argv, script));
    const walls = times.map(({ wallMs }) => wallMs);
    const cpus = times.map(({ cpuMs }) => cpuMs);
    process.stdout.write(
      `${title.padEnd(30)} wall ${median(walls)} (${median(walls, 0.95)})  processor ${median(cpus)} (${median(cpus, 0.95)})\n`,
    );
  }
} finally {
  arbiter.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
}
