/**
 * What users install: the packed tarball, put into an empty project elsewhere, and run there. It
 * finds what the checkout hides: a file that isn't packed, a dependency that is only for development,
 * a program that needs TypeScript.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const run = promisify(execFile);
/** The Node that runs this test first, as `npm run` has it. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}` };
let folder = "";

const arbiter = async (...args: string[]): Promise<string> => {
  const { stdout } = await run(join(folder, "node_modules", ".bin", "arbiter"), args, { cwd: folder, env });
  return stdout;
};

/** What it prints on standard output as an ECMAScript module of the project. */
async function evaluate(source: string): Promise<string> {
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", source], { cwd: folder, env });
  return stdout.trim();
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "arbiter-package-"));
  // Without its scripts: `prepare` would build, and others use dist/ at this moment.
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], { cwd: ROOT, env });
  const [tarball = ""] = readdirSync(folder);
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  const install = [
    "install",
    "--no-audit",
    "--no-fund",
    "--omit=dev",
    "--prefer-offline",
    join(folder, tarball),
  ];
  await run("npm", install, { cwd: folder, env });
}, 300_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("it brings no TypeScript to run, no tests and no benchmarks", () => {
  const packed = readdirSync(join(folder, "node_modules", "arbiter-ha"));
  expect(packed).toEqual(expect.arrayContaining(["bin", "dist", "docs", "etc", "LICENSE", "README.md"]));
  for (const name of ["src", "test", "bench", "scripts", ".ci"]) expect(packed).not.toContain(name);
});

test("its program says who it is, and what it can do", async () => {
  const manifest = readFileSync(join(ROOT, "package.json"), "utf8");
  expect(manifest).toContain(`"version": "${(await arbiter("--version")).trim()}"`);
  expect(await arbiter("--help")).toContain("switchover");
});

test("its modules can be imported, with what they promise", async () => {
  expect(await evaluate(`import { defineDaemon } from "arbiter-ha"; console.log(typeof defineDaemon)`)).toBe(
    "function",
  );
  expect(await evaluate(`import { connect } from "arbiter-ha/client"; console.log(typeof connect)`)).toBe(
    "function",
  );
  expect(await evaluate(`import { fence } from "arbiter-ha/fence"; console.log(typeof fence)`)).toBe(
    "function",
  );
});

test("init, then start: a sample that runs, and ends when it is told to", { timeout: 60_000 }, async () => {
  const sample = join(folder, "etc", "arbiter");
  await arbiter("init", sample);
  const file = join(sample, "daemons", "arbiter-master.cfg");
  const text = readFileSync(file, "utf8");
  expect(text).toContain("port = 7770");
  // The usual port may be taken on the machine that tests; everything else stays as it is.
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  writeFileSync(file, text.replace("port = 7770", `port = ${port}`));
  expect(await arbiter("config", "check", "--config", sample)).not.toContain("error");
  const program = join(folder, "node_modules", ".bin", "arbiter");
  const started = spawn(program, ["start", "--config", sample, "--json"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const ready: unknown = JSON.parse(await firstValue(started));
    expect(ready).toMatchObject({ name: "arbiter-master", pid: started.pid, url });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  } finally {
    started.kill("SIGTERM");
    if (started.exitCode === null) await once(started, "exit");
  }
  expect(started.exitCode).toBe(0);
});

/** The one JSON value that it prints once it runs. */
async function firstValue(child: ChildProcess): Promise<string> {
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  while (!isJson(text)) {
    if (child.exitCode !== null) throw new Error(`the arbiter ended with ${child.exitCode}: ${text}`);
    await sleep(20);
  }
  return text;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  server.close();
  return typeof bound === "object" && bound !== null ? bound.port : 0;
}
