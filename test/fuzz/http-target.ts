/**
 * Raw bytes against the two real servers, each in this process: broken requests, half a request and
 * a closed connection, several at once, bodies of every kind. Whatever is answered is HTTP, never an
 * internal error; errors are problem+json; the servers go on answering. In half of the worlds a
 * token is wanted that nobody has: then nothing may change, whatever is sent.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ROUTES } from "../../src/arbiter/http/routes.ts";
import { runArbiter } from "../../src/arbiter/main.ts";
import { runDaemon } from "../../src/daemon/runtime.ts";
import type { Workload } from "../../src/daemon/workload.ts";
import type { Random } from "../../src/simulator/random.ts";
import { eventually, freePort } from "../processes/arbiter-rig.ts";
import { listIn } from "../processes/security-rig.ts";
import { mutateJson, mutateText } from "./mutate.ts";
import { ARBITER_PROMISE_REQUEST, ASSIGNMENT, PROMISE_REQUEST, REPORT } from "./samples.ts";
import { Broken, check, shown, type Target, type World } from "./target.ts";

/** Sent at once, each over a connection of its own. */
const AT_ONCE = 24;
/** A request that wants more bytes is never answered: so long is waited before it is cut off. */
const PATIENCE_MS = 40;
const WORDS = [
  "\r\n",
  "\r\n\r\n",
  "HTTP/1.1",
  "HTTP/9.9",
  "GET ",
  "TRACE ",
  "CONNECT ",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "host: x\r\n",
  "host: \r\n",
  "content-length: 0\r\n",
  "content-length: -1\r\n",
  "content-length: 99999999999\r\n",
  "content-length: 5\r\n",
  "transfer-encoding: chunked\r\n",
  "transfer-encoding: gzip, chunked\r\n",
  "content-type: text/plain\r\n",
  "content-type: application/json; charset=utf-16\r\n",
  "content-encoding: gzip\r\n",
  "expect: 100-continue\r\n",
  "upgrade: websocket\r\nconnection: upgrade\r\n",
  "upgrade: h2c\r\n",
  "authorization: Bearer x\r\n",
  "origin: http://evil.example\r\n",
  "sec-fetch-site: cross-site\r\n",
  "arbiter-min-version: 99999999999999999\r\n",
  "last-event-id: -1\r\n",
  "range: bytes=0-1\r\n",
  "/%ff",
  "/../../",
  "//",
  "/v1/services/%00/switchover",
  "?after=-1&limit=1e9",
  "?after[]=1",
  "\0",
  `x: ${"y".repeat(17_000)}\r\n`,
];

const SAMPLES = {
  assignment: { ...ASSIGNMENT, to: "daemon" },
  promise: { ...PROMISE_REQUEST, to: "daemon" },
  report: { ...REPORT, name: "scheduler-master" },
  move: { to: "scheduler-slave", force: true, evenIfAlive: false, by: "fuzz" },
  drill: { to: "scheduler-slave", holdMs: 1_000, by: "fuzz" },
  pause: { forMs: 1_000, reason: "fuzz", by: "fuzz" },
  maintenance: { on: true, reason: "fuzz" },
  map: { version: 3, services: {} },
  sentMap: { version: 3, clusterId: "cluster-1", term: 1, services: {} },
  leader: { to: "arbiter-master", by: "fuzz" },
  rollback: { version: 1, by: "fuzz" },
  join: { name: "late", type: "web", address: "127.0.0.1", port: 80, role: "spare", lease: "2s", by: "fuzz" },
  leave: { force: true, by: "fuzz" },
  published: { namespace: "jobs", key: "etl", value: { rows: [1] }, idempotencyKey: "one", by: "fuzz" },
  opinion: { daemons: ["scheduler-master", "scheduler-slave"] },
  arbiterPromise: ARBITER_PROMISE_REQUEST,
  by: { by: "fuzz" },
} as const;
type Sample = keyof typeof SAMPLES;

type Line = readonly [method: string, path: string, body: Sample | null];

const DAEMON_LINES: readonly Line[] = [
  ["PUT", "/v1/assignment", "assignment"],
  ["POST", "/v1/promise", "promise"],
  ["PUT", "/v1/map", "map"],
  ["GET", "/v1/map", null],
  ["GET", "/health", null],
  ["GET", "/active/x", null],
  ["GET", "/waiting", null],
  ["GET", "/metrics", null],
];

const BODIES: Readonly<Record<string, Sample>> = {
  "/v1/services/{service}/switchover": "move",
  "/v1/services/{service}/failover": "move",
  "/v1/services/{service}/failback": "move",
  "/v1/services/{service}/drill": "drill",
  "/v1/services/{service}/pause": "pause",
  "/v1/services/{service}/resume": "by",
  "/v1/pause": "pause",
  "/v1/resume": "by",
  "/v1/daemons/{daemon}/maintenance": "maintenance",
  "/v1/reload": "by",
  "/v1/reports": "report",
  "/v1/map": "sentMap",
  "/v1/arbiters/promise": "arbiterPromise",
  "/v1/arbiters/opinion": "opinion",
  "/v1/events": "published",
  "/v1/alerts/test": "by",
  "/v1/config/rollback": "rollback",
  "/v1/leader": "leader",
  "/v1/leader/claim": "by",
  "/v1/daemons": "join",
  "/v1/daemons/{daemon}": "leave",
};
/** Of a daemon that joins, the arbiter would look for the address that stands there: any, after a mutation. */
const WITH_TOKEN_ALONE: ReadonlySet<string> = new Set(["/v1/daemons"]);

/** Every route that there is; one without a sample body is an error of this file. */
function arbiterLines(isClosed: boolean): readonly Line[] {
  return ROUTES.filter(
    ({ method, path: route }) => isClosed || method !== "post" || !WITH_TOKEN_ALONE.has(route),
  ).map(({ method, path: route }): Line => {
    const target = route
      .replace("{service}", "scheduler-master")
      .replace("{daemon}", "scheduler-slave")
      .replace("{file}", "main.js");
    if (method === "get") return ["GET", target, null];
    const sample = BODIES[route];
    if (sample === undefined) throw new Error(`the fuzzer has no body for ${method} ${route}`);
    return [method.toUpperCase(), target, sample];
  });
}

function requestText(random: Random, lines: readonly Line[]): string {
  const [method, target, sample] = random.pick(lines);
  const body = sample === null ? "" : bodyText(random, SAMPLES[sample]);
  const length = random.chance(0.1) ? random.whole(0, 200) : Buffer.byteLength(body);
  const head =
    `${method} ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
    (sample === null ? "" : `content-type: application/json\r\ncontent-length: ${length}\r\n`) +
    `connection: ${random.chance(0.7) ? "close" : "keep-alive"}\r\n\r\n`;
  const text = `${head}${body}`;
  return random.chance(0.6) ? mutateText(random, text, WORDS) : text;
}

/** Now and then one member is nested deeper than any recursion goes. */
function bodyText(random: Random, sample: object): string {
  if (!random.chance(0.03)) return JSON.stringify(mutateJson(random, sample));
  const depth = random.whole(1_000, 30_000);
  const deep = `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const members = Object.entries(sample).map(([name, value]) => [name, JSON.stringify(value)] as const);
  const at = random.pick(members.map(([name]) => name));
  return `{${members.map(([name, text]) => `"${name}":${name === at ? deep : text}`).join(",")}}`;
}

/** Everything that came back. */
async function exchange(port: number, text: string, cutAt: number | null): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(cutAt === null ? text : text.slice(0, cutAt), "latin1");
    if (cutAt !== null) socket.destroySoon();
  });
  socket.setEncoding("latin1");
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  socket.on("data", (chunk: string) => (answer += chunk));
  socket.on("error", () => {});
  socket.on("close", () => resolve(answer));
  return promise;
}

/** Exported for its test: what may come back from these servers, whatever was sent. */
export function checkAnswer(answer: string, request: string): number | null {
  if (answer === "") return null;
  const match = /^HTTP\/1\.[01] (\d{3}) /u.exec(answer);
  check(match !== null, () => `no HTTP: ${shown(answer)} to ${shown(request)}`);
  const status = Number(match?.[1]);
  check(status !== 500 && status !== 502, () => `an internal error: ${shown(answer)} to ${shown(request)}`);
  if (status >= 400 && answer.includes("\r\n\r\n{")) {
    check(/content-type: application\/problem\+json/iu.test(answer), () => `no problem: ${shown(answer)}`);
  }
  return status;
}

interface Server {
  readonly port: number;
  readonly lines: readonly Line[];
  /** A token is wanted. */
  readonly isClosed: boolean;
  /** What must not change by anything that was refused. */
  essence(): Promise<unknown>;
  close(): Promise<void>;
}

function worldOf(server: Server): World {
  let waiting: Promise<number | null>[] = [];
  return {
    async run(random): Promise<void> {
      const text = requestText(random, server.lines);
      const cutAt = random.chance(0.1) ? random.whole(0, text.length) : null;
      waiting.push(exchange(server.port, text, cutAt).then((answer) => checkAnswer(answer, text)));
      if (waiting.length < AT_ONCE) return;
      const before = await server.essence();
      await Promise.all(waiting);
      waiting = [];
      const after = await server.essence();
      if (!server.isClosed) return;
      check(isDeepStrictEqual(after, before), () => `changed without a token: ${shown([before, after])}`);
    },
    async close(): Promise<void> {
      try {
        await Promise.all(waiting);
        await server.essence();
      } finally {
        await server.close();
      }
    },
  };
}

async function json(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url);
  check(response.status === 200, () => `${url} answers ${response.status}`);
  const value: unknown = await response.json();
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function tokenIn(folder: string): string {
  const file = path.join(folder, "cluster.token");
  writeFileSync(file, `${"0123456789abcdef".repeat(4)}\n`, { mode: 0o600 });
  return file;
}

const IDLE: Workload = {
  launched: true,
  prepare: async () => {},
  activate: async () => {},
  demote: async () => {},
  leaseSet: () => {},
  fence: () => {},
  close: async () => {},
};

export const daemonHttp: Target = {
  name: "daemon-http",
  share: 4,
  block: 2_400,
  async open(random): Promise<World> {
    const folder = mkdtempSync(path.join(tmpdir(), "arbiter-fuzz-daemon-"));
    const isClosed = random.chance(0.5);
    const daemon = await runDaemon(
      {
        name: "daemon",
        type: "scheduler",
        role: "master",
        host: "127.0.0.1",
        port: 0,
        stateDir: folder,
        signals: false,
        tokenFile: isClosed ? tokenIn(folder) : null,
        logger: { info: () => {}, warn: () => {}, error: () => {} },
      },
      IDLE,
    );
    return worldOf({
      port: daemon.port,
      lines: DAEMON_LINES,
      isClosed,
      async essence(): Promise<unknown> {
        const { clusterId, term, state, services, seenEpochs } = await json(`${daemon.url}/health`);
        return { clusterId, term, state, services, seenEpochs };
      },
      async close(): Promise<void> {
        await daemon.stop("the test is over");
        rmSync(folder, { recursive: true, force: true });
      },
    });
  },
};

export const arbiterHttp: Target = {
  name: "arbiter-http",
  share: 3,
  block: 2_400,
  async open(random): Promise<World> {
    const folder = mkdtempSync(path.join(tmpdir(), "arbiter-fuzz-arbiter-"));
    const isClosed = random.chance(0.5);
    const config = path.join(folder, "etc", "arbiter");
    mkdirSync(config, { recursive: true });
    const port = await freePort();
    const nobody = await freePort();
    writeFileSync(
      path.join(config, "all.cfg"),
      `${isClosed ? `[security]\ntoken_file = ${tokenIn(folder)}\n` : ""}[cluster]\nname = fuzz\n[arbiter]\nname = arbiter-master\naddress = 127.0.0.1\nport = ${port}\n` +
        `[scheduler]\nname = scheduler-master\naddress = 127.0.0.1\nport = ${nobody}\n` +
        `[scheduler scheduler-slave]\naddress = 127.0.0.2\nport = ${nobody}\nspare = 1\n`,
    );
    const said: string[] = [];
    const ready = Promise.withResolvers<undefined>();
    const log = { info: () => {}, warn: () => {}, error: (text: string) => void said.push(text) };
    const options = { configPath: config, log, env: {}, onReady: () => ready.resolve(undefined) };
    const ended = runArbiter(options).catch((error: unknown) => ready.reject(error));
    await ready.promise;
    const url = `http://127.0.0.1:${port}`;
    // Its first configuration is in the store: from now on nothing changes by itself.
    await eventually(async () => (await json(`${url}/v1/config`))["version"], 1);
    return worldOf({
      port,
      lines: arbiterLines(isClosed),
      isClosed,
      async essence(): Promise<unknown> {
        const { services, daemons, term, config: inForce } = await json(`${url}/v1/status`);
        return {
          term,
          inForce,
          services: listIn({ services }, "services").map(({ name, holder, epoch, phase, pause }) => ({
            name,
            holder,
            epoch,
            phase,
            pause,
          })),
          maintenance: listIn({ daemons }, "daemons").map(({ maintenance }) => maintenance),
        };
      },
      async close(): Promise<void> {
        // As an operator's Ctrl-C; nobody else in this process listens to it.
        process.emit("SIGINT");
        await ended;
        rmSync(folder, { recursive: true, force: true });
        if (said.length > 0) throw new Broken(`the arbiter complains: ${said.slice(0, 5).join("\n")}`);
      },
    });
  },
};
