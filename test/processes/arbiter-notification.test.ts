/**
 * The notification service of the example, while its servers are killed at random: every event that was
 * acknowledged arrives at every consumer, once, in order.
 *
 * Short by default; `NOTIFY_SECONDS=300 npx vitest run test/processes/arbiter-notification.test.ts` goes on
 * for longer, and `NOTIFY_SEED` repeats what was done to whom.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { Random } from "../chaos/random.ts";
import { isMysqlMissing, newMysql } from "../contract/server-mysql.ts";
import type { MysqlServer } from "../contract/server-mysql.ts";
import { eventually, freePort } from "./arbiter-rig.ts";

const EXAMPLE = new URL("../../examples/notification-service/", import.meta.url);
const ARBITER = fileURLToPath(new URL("arbiter-run.ts", import.meta.url));
const IMPORTS = fileURLToPath(new URL("library-source-imports.ts", import.meta.url));
const SECONDS = Number(process.env["NOTIFY_SECONDS"] ?? "10");
const SEED = Number(process.env["NOTIFY_SEED"] ?? Date.now() % 1_000_000);
const ARBITERS = ["notify-1", "notify-2", "notify-3"] as const;
const PRODUCERS = ["producer-1", "producer-2"] as const;
const CONSUMERS = ["consumer-1", "consumer-2"] as const;

/** One that is started again whenever it has been killed. */
class Member {
  readonly name: string;
  readonly #start: () => ChildProcess;
  child: ChildProcess;
  errors = "";

  constructor(name: string, start: () => ChildProcess) {
    this.name = name;
    this.#start = start;
    this.child = this.#run();
  }

  #run(): ChildProcess {
    const child = this.#start();
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.errors = `${this.errors}${text}`.slice(-4_000);
    });
    return child;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }

  async restart(afterMs: number): Promise<void> {
    await this.end("SIGKILL");
    await sleep(afterMs);
    this.child = this.#run();
  }

  /** Frozen like a machine that stalls. */
  async freeze(forMs: number): Promise<void> {
    this.child.kill("SIGSTOP");
    await sleep(forMs);
    this.child.kill("SIGCONT");
  }
}

let folder = "";
let server: MysqlServer | null = null;
let members: Member[] = [];
afterEach(async () => {
  for (const member of members) await member.end("SIGKILL");
  members = [];
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

function linesOf(file: string): readonly string[] {
  const whole = path.join(folder, file);
  if (!existsSync(whole)) return [];
  return readFileSync(whole, "utf8").split("\n").slice(0, -1);
}

/** What a producer was told: step and number. */
function acknowledged(name: string): readonly (readonly [step: number, seq: number])[] {
  return linesOf(name).map((line) => {
    const [step, seq] = line.split(" ").map(Number);
    return [step ?? Number.NaN, seq ?? Number.NaN] as const;
  });
}

async function startAll(mysql: MysqlServer): Promise<void> {
  const etc = path.join(folder, "etc");
  mkdirSync(etc);
  const ports = await Promise.all(ARBITERS.map(() => freePort()));
  const sections = ARBITERS.map(
    (name, index) =>
      `[arbiter ${name}]\naddress = 127.0.0.1\nport = ${ports[index]}\nspare = ${index === 0 ? 0 : 1}\n`,
  );
  writeFileSync(path.join(etc, "arbiters.cfg"), sections.join("\n"));
  writeFileSync(
    path.join(etc, "arbiter.cfg"),
    `[cluster]\nname = notifications\narbiter_lease = 1s\n[store]\ntype = mysql\nurl_file = store.url\n`,
  );
  writeFileSync(path.join(etc, "store.url"), mysql.url("notify"));
  const env = {
    ...process.env,
    ARBITER_URL: ports.map((port) => `http://127.0.0.1:${port}`).join(","),
    PAUSE_MS: "10",
  };
  const run = (args: readonly string[]): ChildProcess =>
    spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
  const program = (name: string): string => fileURLToPath(new URL(`${name}.ts`, EXAMPLE));
  members = [
    ...ARBITERS.map((name) => new Member(name, () => run([ARBITER, etc, name]))),
    ...PRODUCERS.map(
      (name) => new Member(name, () => run(["--import", IMPORTS, program("producer"), name, name])),
    ),
    ...CONSUMERS.map((name) => new Member(name, () => run(["--import", IMPORTS, program("consumer"), name]))),
  ];
}

describe.skipIf(isMysqlMissing())("examples/notification-service", () => {
  it(
    "while servers, producers and consumers are killed at random, each acknowledged event arrives once, in order",
    async () => {
      folder = mkdtempSync(path.join(tmpdir(), "arbiter-notification-"));
      const mysql = await newMysql();
      server = mysql;
      await startAll(mysql);
      await eventually(() => PRODUCERS.every((name) => acknowledged(name).length > 10), true, 60_000).catch(
        (error: unknown) => {
          throw new Error(members.map(({ name, errors }) => `${name}: ${errors}`).join("\n"), {
            cause: error,
          });
        },
      );
      const done = await chaos(mysql);
      const producers = members.filter(({ name }) => name.startsWith("producer"));
      for (const producer of producers) expect(producer.isRunning).toBe(true);
      // In good order: each hears the answer to its last step.
      await Promise.all(producers.map((producer) => producer.end("SIGTERM")));
      const last = Math.max(...PRODUCERS.flatMap((name) => acknowledged(name).map(([, seq]) => seq)));
      for (const name of CONSUMERS) {
        await eventually(() => Number(linesOf(name).at(-1)?.split(" ")[0]) >= last, true, 60_000);
      }
      const story = `seed ${SEED}, ${SECONDS} s: ${done.join(", ")}`;
      try {
        process.stderr.write(`${judge()}; ${story}\n`);
      } catch (error) {
        throw new Error(story, { cause: error });
      }
    },
    (SECONDS + 180) * 1_000,
  );
});

/** One at a time falls, often enough that some step is always on its way. */
async function chaos(mysql: MysqlServer): Promise<readonly string[]> {
  const random = new Random(SEED);
  const untilMs = performance.now() + SECONDS * 1_000;
  const done: string[] = [];
  for (let round = 0; performance.now() < untilMs; round++) {
    const member = random.one(members);
    // The database in the middle of the run at the least.
    if (round % 6 === 3) {
      done.push("mariadb killed");
      await mysql.kill();
      await sleep(random.between(0, 800));
      await mysql.start();
    } else if (member.name.startsWith("notify") && random.chance(0.25)) {
      done.push(`${member.name} frozen`);
      await member.freeze(random.between(500, 2_500));
    } else {
      done.push(`${member.name} killed`);
      await member.restart(random.between(0, 600));
    }
    await sleep(random.between(0, 500));
  }
  return done;
}

function judge(): string {
  const [first = [], ...others] = CONSUMERS.map((name) => linesOf(name));
  // Every consumer has read the same, in the same order.
  for (const other of others) expect(other).toEqual(first);
  const numbers = first.map((line) => Number(line.split(" ")[0]));
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  for (const name of PRODUCERS) {
    const told = acknowledged(name);
    expect(told.map(([step]) => step)).toEqual(told.map((_, index) => index + 1));
    const read = first
      .map((line) => line.split(" "))
      .filter(([, key]) => key === name)
      .map(([seq, , value = "{}"]) => `${JSON.stringify(JSON.parse(value))} ${seq}`);
    // Each step once, in the order of the steps, under the number that the producer was told.
    expect(read).toEqual(told.map(([step, seq]) => `{"step":${step}} ${seq}`));
  }
  const total = PRODUCERS.reduce((sum, name) => sum + acknowledged(name).length, 0);
  return `${total} events acknowledged, each read once by ${CONSUMERS.length} consumers`;
}
