/**
 * Events a second: published by several clients over HTTP, each acknowledged once it is durable, and
 * followed by several readers, on SQLite and on etcd.
 *
 * npm run bench:events -- [--seconds N] [--readers N] [--write]
 *
 * A publisher has an address of its own (127.0.0.2 and up), since an arbiter takes 500 events a second
 * from one address. `--write` puts the table into docs/performance.md.
 */
import { Agent, request } from "node:http";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isEtcdMissing, newEtcd } from "../test/contract/server-etcd.ts";
import { ClientsRig } from "../test/processes/clients-rig.ts";
import { until } from "../test/processes/library-processes.ts";
import { figuresOf, rangeText, tableText } from "./figures.ts";
import { writeInto } from "./write-into.ts";

const PUBLISHERS = 16;
/** Requests that one publisher has under way. */
const TOGETHER = 8;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    readers: { type: "string", default: "10" },
    write: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const readers = Number(values.readers);

interface Published {
  readonly seq: number;
  readonly sentAtMs: number;
  readonly acknowledgedAtMs: number;
}

function publish(url: URL, agent: Agent, number: number): Promise<number | null> {
  const body = JSON.stringify({ key: `key-${number % 100}`, value: { number }, namespace: "bench" });
  const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  const asked = request(url, { method: "POST", agent, headers }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    response.once("end", () => {
      const seq = /"event":(\d+)/u.exec(text)?.[1];
      resolve(
        response.statusCode === 200 || response.statusCode === 201 || response.statusCode === 202
          ? Number(seq)
          : null,
      );
    });
  });
  asked.once("error", reject);
  asked.end(body);
  return promise;
}

async function measure(name: string, store: readonly string[]): Promise<string[]> {
  await using rig = await ClientsRig.start({ cluster: store });
  const arrived: Map<number, number>[] = [];
  const abort = new AbortController();
  const following = Array.from({ length: readers }, async () => {
    const own = new Map<number, number>();
    arrived.push(own);
    const cluster = rig.connect();
    for await (const { seq, type } of cluster.events({ signal: abort.signal })) {
      if (type === "published") own.set(seq, performance.now());
    }
  });
  const url = new URL("/v1/events", rig.arbiterUrls[0]);
  const agents = Array.from(
    { length: PUBLISHERS },
    (_, index) => new Agent({ keepAlive: true, maxSockets: TOGETHER, localAddress: `127.0.0.${index + 2}` }),
  );
  // The readers are there before the first event.
  await until("the readers follow", async () => {
    await publish(url, agents[0] ?? new Agent(), -1);
    return arrived.length === readers && arrived.every((own) => own.size > 0);
  });
  const published: Published[] = [];
  let refused = 0;
  let number = 0;
  const fromMs = performance.now();
  const endMs = fromMs + seconds * 1000;
  const one = async (agent: Agent): Promise<void> => {
    while (performance.now() < endMs) {
      number += 1;
      const sentAtMs = performance.now();
      const seq = await publish(url, agent, number);
      if (seq === null) refused += 1;
      else published.push({ seq, sentAtMs, acknowledgedAtMs: performance.now() });
    }
  };
  await Promise.all(
    agents.flatMap((agent) => Array.from({ length: TOGETHER }, async () => await one(agent))),
  );
  const tookMs = performance.now() - fromMs;
  await until(
    "every reader has every event",
    () => arrived.every((own) => published.every(({ seq }) => own.has(seq))),
    60_000,
  );
  const lastMs = Math.max(...arrived.flatMap((own) => published.map(({ seq }) => own.get(seq) ?? 0)));
  abort.abort();
  await Promise.all(following);
  for (const agent of agents) agent.destroy();
  const followed = arrived.flatMap((own) =>
    published.map(({ seq, sentAtMs }) => (own.get(seq) ?? Number.NaN) - sentAtMs),
  );
  const perSecond = (count: number, ms: number): string => String(Math.round((count * 1000) / ms));
  return [
    name,
    String(published.length),
    String(refused),
    perSecond(published.length, tookMs),
    perSecond(published.length * readers, lastMs - fromMs),
    rangeText(figuresOf(published.map(({ sentAtMs, acknowledgedAtMs }) => acknowledgedAtMs - sentAtMs))),
    rangeText(figuresOf(followed)),
  ];
}

const rows = [await measure("SQLite", [])];
if (isEtcdMissing()) {
  process.stderr.write("etcd isn't installed (apt-get install etcd-server): left out\n");
} else {
  const etcd = await newEtcd();
  try {
    rows.push(await measure("etcd", ["[store]", "type = etcd", `url = ${etcd.url("bench")}`]));
  } finally {
    await etcd.remove();
  }
}
const table = [
  `${seconds} seconds, ${PUBLISHERS} publishers with ${TOGETHER} requests under way each, ${readers} readers; ${cpus().length} cores, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)} at the end. Milliseconds, median (least–most).\n\n`,
  tableText(
    [
      "store",
      "events",
      "refused",
      "appended a second",
      "deliveries a second",
      "until it is durable",
      "until a reader has it",
    ],
    rows,
  ),
].join("");
process.stdout.write(table);
if (values.write) writeInto(join(import.meta.dirname, "..", "docs", "performance.md"), "bench:events", table);
