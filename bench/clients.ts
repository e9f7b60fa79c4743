/**
 * What clients notice of a move: a stream of requests through `cluster.got`, and at the same time one
 * through HAProxy, while the service is moved by plan, killed and frozen.
 *
 * npm run bench:clients -- [--rounds N] [--only WORD] [--write]
 *
 * Real processes: an arbiter, two library daemons that serve HTTP, HAProxy with the configuration of
 * docs/clients.md. `--write` puts the table into docs/performance.md.
 */
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import got from "got";
import { ClientsRig, DAEMONS, SERVICE } from "../test/processes/clients-rig.ts";
import type { DaemonName } from "../test/processes/clients-rig.ts";
import { until } from "../test/processes/library-processes.ts";
import { startProxy } from "../test/processes/proxies.ts";
import type { Profile } from "./cluster.ts";
import { figuresOf, milliseconds, rangeText, tableText } from "./figures.ts";
import { writeInto } from "./write-into.ts";

interface Case {
  readonly what: string;
  readonly profile: Profile;
  readonly target: string;
  readonly cause: (rig: ClientsRig, holder: DaemonName) => Promise<void>;
}

/** Each user sends its next request so long after its last answer. */
const PAUSE_MS = 2;
const USERS = 4;
const SETTINGS: Readonly<Record<Profile, readonly string[]>> = { default: [], fast: ["profile = fast"] };

const planned = async (rig: ClientsRig, holder: DaemonName): Promise<void> =>
  await rig.order(holder === DAEMONS[0] ? "switchover" : "failback");
const killed = async (rig: ClientsRig, holder: DaemonName): Promise<void> => await rig.kill(holder);
const frozen = async (rig: ClientsRig, holder: DaemonName): Promise<void> => {
  rig.process(holder).kill("SIGSTOP");
};
const CASES: readonly Case[] = [
  { what: "planned move", profile: "default", target: "0 failed", cause: planned },
  { what: "`kill -9` of the holder", profile: "default", target: "0 failed", cause: killed },
  { what: "SIGSTOP of the holder", profile: "default", target: "0 failed", cause: frozen },
];

/** Users that ask one after the other, each for itself. */
class Users {
  requests = 0;
  failed = 0;
  longestMs = 0;
  lastFrom = "";
  lastFailure = "";
  #isOver = false;
  readonly #all: Promise<void>[];

  constructor(ask: () => Promise<{ readonly name: string }>) {
    this.#all = Array.from({ length: USERS }, async () => await this.#one(ask));
  }

  async #one(ask: () => Promise<{ readonly name: string }>): Promise<void> {
    let lastAnswerMs = performance.now();
    while (!this.#isOver) {
      this.requests += 1;
      try {
        this.lastFrom = (await ask()).name;
        this.longestMs = Math.max(this.longestMs, performance.now() - lastAnswerMs);
        lastAnswerMs = performance.now();
      } catch (error) {
        this.failed += 1;
        this.lastFailure = error instanceof Error ? error.message : String(error);
      }
      await sleep(PAUSE_MS);
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#all);
  }
}

interface Seen {
  readonly requests: number;
  readonly failed: number;
  readonly longestMs: number;
}

async function round(rig: ClientsRig, proxy: string, { cause }: Case): Promise<readonly [Seen, Seen]> {
  const holder = await rig.settled({ restarts: true });
  const other = DAEMONS.find((name) => name !== holder) ?? holder;
  const cluster = rig.connect();
  const client = cluster.got(SERVICE);
  const both = [
    new Users(async () => await client.get("who").json<{ name: string }>()),
    new Users(
      async () =>
        await got(`${proxy}/who`, { retry: { limit: 0 }, timeout: { request: 10_000 } }).json<{
          name: string;
        }>(),
    ),
  ];
  await sleep(500);
  await cause(rig, holder);
  await until(`${other} answers all`, () => both.every(({ lastFrom }) => lastFrom === other), 30_000);
  await sleep(500);
  for (const users of both) await users.end();
  cluster.close();
  await restore(rig, holder);
  const [first] = both;
  if (first !== undefined && first.failed > 0) process.stderr.write(`  the library: ${first.lastFailure}\n`);
  const [library, proxied] = both.map(({ requests, failed, longestMs }) => ({ requests, failed, longestMs }));
  if (library === undefined || proxied === undefined) throw new Error("two kinds of users were started");
  return [library, proxied];
}

/** What was frozen wakes up, what has ended is started again. */
async function restore(rig: ClientsRig, name: DaemonName): Promise<void> {
  const child = rig.process(name);
  child.kill("SIGCONT");
  await sleep(500);
  if (child.exitCode !== null || child.signalCode !== null) rig.startDaemon(name);
  // A loss counts against a daemon for half a second here.
  await sleep(700);
}

async function measure(measured: Case, rounds: number): Promise<string[][]> {
  await using rig = await ClientsRig.start({ cluster: SETTINGS[measured.profile] });
  const proxy = await startProxy(rig, "haproxy");
  const seen: (readonly [Seen, Seen])[] = [];
  for (let index = 0; index < rounds; index += 1) {
    const both = await round(rig, proxy, measured);
    seen.push(both);
    process.stderr.write(
      `  ${both.map(({ failed, longestMs }) => `${failed} failed, ${milliseconds(longestMs)} ms`).join(" | ")}\n`,
    );
  }
  return ["`cluster.got`", "HAProxy"].map((through, index) => {
    const own = seen.flatMap((both) => both[index] ?? []);
    return [
      measured.what,
      measured.profile,
      through,
      String(own.reduce((sum, { requests }) => sum + requests, 0)),
      String(own.reduce((sum, { failed }) => sum + failed, 0)),
      rangeText(figuresOf(own.map(({ longestMs }) => longestMs))),
      index === 0 ? measured.target : "",
    ];
  });
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    write: { type: "boolean", default: false },
  },
});
const rows: string[][] = [];
for (const measured of CASES) {
  if (!`${measured.what} ${measured.profile}`.includes(values.only)) continue;
  process.stderr.write(`${measured.what}, ${measured.profile}\n`);
  rows.push(...(await measure(measured, Number(values.rounds))));
}
const table = [
  `${values.rounds} rounds each, ${USERS} users through each way at the same time; ${cpus().length} cores, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)} at the end. Milliseconds, median (least–most) over the rounds.\n\n`,
  tableText(
    ["what", "profile", "through", "requests", "failed", "longest wait for an answer", "to reach"],
    rows,
  ),
].join("");
process.stdout.write(table);
if (values.write)
  writeInto(join(import.meta.dirname, "..", "docs", "performance.md"), "bench:clients", table);
