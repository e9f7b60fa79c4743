/**
 * examples/shared-spare as a user runs it, with free ports: one spare holds two services at once, with two
 * programs that nobody here wrote. What happens to the one is nothing to the other.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runningMembers } from "../../src/launcher/process-group.ts";
import { freePort } from "./library-processes.ts";
import { makeFolder, parseObject, textOf, until } from "./launcher-workshop.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/shared-spare");
const CLI = fileURLToPath(new URL("launcher-cli.ts", import.meta.url));
const isThere = spawnSync("sh", ["-c", "command -v redis-server && command -v python3"]).status === 0;
if (!isThere && process.env["CI"] !== undefined) throw new Error("redis-server or python3 isn't installed");
if (!isThere) console.log("skipped, a spare of two services: redis-server or python3 isn't installed");

const folder = makeFolder();
const daemons = new Map<string, ChildProcess>();
let arbiterPort = 0;

function run(name: string, ...words: readonly string[]): void {
  const child = spawn(process.execPath, [CLI, ...words], {
    cwd: folder,
    stdio: "ignore",
    env: { ...process.env, ARBITER_CONFIG: "", ARBITER_TOKEN_FILE: "", ARBITER_URL: "" },
  });
  daemons.set(name, child);
}

beforeAll(async () => {
  cpSync(EXAMPLE, folder, { recursive: true });
  arbiterPort = await freePort();
  const ports = new Map<string, number>();
  for (const port of ["7811", "7812", "7813", "6390", "8390"]) ports.set(port, await freePort());
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), "utf8");
    const own = text.replaceAll(/\b(?:781[123]|6390|8390)\b/gu, (port) => String(ports.get(port)));
    writeFileSync(
      join(folder, file),
      file === "arbiter.cfg"
        ? own.replace("[cluster]", "[cluster]\nfailback = manual") + `port = ${arbiterPort}\n`
        : own,
    );
  }
});

afterAll(async () => {
  for (const child of daemons.values()) child.kill("SIGTERM");
  for (const child of daemons.values()) {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  rmSync(folder, { recursive: true, force: true });
});

async function heldBy(service: string, daemon: string): Promise<number> {
  let seen = "";
  for (const endMs = performance.now() + 30_000; performance.now() < endMs; await sleep(30)) {
    const url = `http://127.0.0.1:${arbiterPort}/v1/services/${service}`;
    seen = await fetch(url).then(
      async (answer) => await answer.text(),
      (error: unknown) => String(error),
    );
    if (!seen.startsWith("{")) continue;
    const { holder, phase, epoch } = parseObject(seen);
    if (holder === daemon && phase === "held") return Number(epoch);
  }
  throw new Error(`${service} isn't held by ${daemon}: ${seen}`);
}

function groupsOf(daemon: string): number[] {
  const record = textOf(join(folder, "var", daemon, "groups.json"));
  return [...record.matchAll(/"pgid":(\d+)/gu)].map((match) => Number(match[1]));
}

/** The program of a service under this launcher; 0: none. */
function programOf(daemon: string, service: string): number {
  const word = service === "cache" ? "redis-server" : "http.server";
  return groupsOf(daemon).find((pid) => textOf(`/proc/${pid}/cmdline`).includes(word)) ?? 0;
}

function isWell(service: string): boolean {
  const env = { ...process.env, ARBITER_SERVICE: service };
  return spawnSync("sh", ["healthy.sh"], { cwd: folder, env }).status === 0;
}

test.runIf(isThere)(
  "a spare holds both, each on its own; what ends the one leaves the other alone",
  async () => {
    run("arbiter", "start", "--config", ".");
    for (const name of ["cache", "pages", "app-spare"]) run(name, "daemon", "--config", ".", "--name", name);
    await heldBy("cache", "cache");
    const pagesBefore = await heldBy("pages", "pages");
    process.kill(programOf("cache", "cache"), "SIGKILL");
    await heldBy("cache", "app-spare");
    // The other master has lost nothing.
    expect(await heldBy("pages", "pages")).toBe(pagesBefore);
    daemons.get("pages")?.kill("SIGTERM");
    const pagesEpoch = await heldBy("pages", "app-spare");
    const [cache, pages] = [programOf("app-spare", "cache"), programOf("app-spare", "pages")];
    expect(cache).toBeGreaterThan(1);
    expect(pages).toBeGreaterThan(1);
    expect(isWell("cache") && isWell("pages")).toBe(true);
    process.kill(cache, "SIGKILL");
    await heldBy("cache", "cache");
    expect(isWell("cache")).toBe(true);
    // Neither moved nor restarted.
    expect(await heldBy("pages", "app-spare")).toBe(pagesEpoch);
    expect(programOf("app-spare", "pages")).toBe(pages);
    const groups = groupsOf("app-spare");
    daemons.get("app-spare")?.kill("SIGKILL");
    await until("nothing of the spare runs", () => groups.every((pgid) => runningMembers(pgid).length === 0));
  },
  90_000,
);
