/**
 * How long the stores take: a commit as a failover makes it (one row, one event), a leader's beat,
 * and commits that come together. Each engine on this machine's own disk, one after another, with
 * the server's defaults for durability; beside them what a single sync to that disk costs.
 *
 * `npm run bench:stores`; engines whose server isn't installed are left out, and said.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "../src/store/contract.ts";
import { openStore } from "../src/store/open.ts";
import { isEtcdMissing, newEtcd, newEtcdMembers } from "../test/contract/server-etcd.ts";
import { isMysqlMissing, newMysql } from "../test/contract/server-mysql.ts";
import { isPostgresMissing, newPostgres } from "../test/contract/server-postgres.ts";
import { isZookeeperMissing, newZookeeper } from "../test/contract/server-zookeeper.ts";
import { commit, event, leadershipRecord, serviceRow } from "../test/contract/store-samples.ts";
import { milliseconds, tableText } from "./figures.ts";

const COMMITS = 500;
const WARM = 100;
const TOGETHER = 32;

interface Place {
  readonly name: string;
  open(): Promise<{ readonly store: Store; remove(): Promise<void> }>;
}

interface Result {
  readonly name: string;
  readonly commitMs: readonly number[];
  readonly beatMs: readonly number[];
  readonly perSecond: number;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await run();
  return performance.now() - beganMs;
}

async function measure(place: Place): Promise<Result> {
  const opened = await place.open();
  const { store } = opened;
  try {
    let record = leadershipRecord();
    await store.campaign(null, record);
    // A hundred services, so that the store isn't empty.
    const rows = Array.from({ length: 100 }, (_, index) => serviceRow({ service: `service-${index}` }));
    await store.commit(commit({ changes: rows.map((row) => ({ row, expectedEpoch: 0 })) }));
    let epoch = 1;
    const move = async (): Promise<void> => {
      const row = serviceRow({ service: `service-${epoch % 100}`, epoch: 1 + Math.ceil(epoch / 100) });
      await store.commit(
        commit({
          changes: [{ row, expectedEpoch: Math.ceil(epoch / 100) }],
          events: [event("moved", { epoch })],
        }),
      );
      epoch++;
    };
    const beat = async (): Promise<void> => {
      const next = { ...record, beat: record.beat + 1 };
      await store.campaign(record, next);
      record = next;
    };
    for (let i = 0; i < WARM; i++) await move();
    const commitMs: number[] = [];
    const beatMs: number[] = [];
    // In turn, so that a slow moment of the machine strikes both.
    for (let i = 0; i < COMMITS; i++) {
      commitMs.push(await timed(move));
      if (i % 5 === 0) beatMs.push(await timed(beat));
    }
    const rounds = 10;
    const ms = await timed(async () => {
      for (let i = 0; i < rounds; i++) {
        await Promise.all(
          Array.from({ length: TOGETHER }, () => store.commit(commit({ events: [event("together")] }))),
        );
      }
    });
    return { name: place.name, commitMs, beatMs, perSecond: (rounds * TOGETHER * 1_000) / ms };
  } finally {
    await opened.remove();
  }
}

async function onServer(
  server: { url(prefix: string): string; remove(): Promise<void> },
  url: string = server.url("bench"),
): Promise<{ readonly store: Store; remove(): Promise<void> }> {
  const store = await openStore(url, { stateDir: "/nonexistent" });
  const remove = async (): Promise<void> => {
    await store.close();
    await server.remove();
  };
  return { store, remove };
}

const places: Place[] = [
  {
    name: "sqlite",
    open: async () => {
      const stateDir = mkdtempSync(join(tmpdir(), "arbiter-bench-"));
      const store = await openStore("sqlite:arbiter.db", { stateDir });
      const remove = async (): Promise<void> => {
        await store.close();
        rmSync(stateDir, { recursive: true, force: true });
      };
      return { store, remove };
    },
  },
];
if (!isPostgresMissing()) places.push({ name: "postgres", open: async () => onServer(await newPostgres()) });
if (!isMysqlMissing()) places.push({ name: "mysql (MariaDB)", open: async () => onServer(await newMysql()) });
if (!isEtcdMissing()) {
  places.push({ name: "etcd, one member", open: async () => onServer(await newEtcd()) });
  places.push({
    name: "etcd, three members on this machine",
    open: async () => {
      const members = await newEtcdMembers(3);
      const hosts = members.map(({ port }) => `127.0.0.1:${port}`).join(",");
      const remove = async (): Promise<void> => {
        for (const member of members) await member.remove();
      };
      const [first] = members;
      if (first === undefined) throw new Error("No member.");
      return onServer({ url: (prefix) => first.url(prefix), remove }, `etcd://${hosts}?prefix=bench`);
    },
  });
}
if (!isZookeeperMissing())
  places.push({ name: "zookeeper, one server", open: async () => onServer(await newZookeeper()) });

/** What one small write and its sync cost on the disk that all of them use. */
function syncTimes(): number[] {
  const folder = mkdtempSync(join(tmpdir(), "arbiter-bench-"));
  const fd = openSync(join(folder, "sync"), "w");
  const times: number[] = [];
  // Room that is there already, as databases write to: only the data has to reach the disk.
  writeSync(fd, Buffer.alloc(COMMITS * 512));
  fdatasyncSync(fd);
  for (let i = 0; i < COMMITS; i++) {
    const beganMs = performance.now();
    writeSync(fd, Buffer.alloc(512, i), 0, 512, i * 512);
    fdatasyncSync(fd);
    times.push(performance.now() - beganMs);
  }
  closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
  return times;
}

const results: Result[] = [];
const syncMs = syncTimes();
for (const place of places) {
  process.stderr.write(`${place.name} …\n`);
  results.push(await measure(place));
}
const head = [
  "store",
  "commit, median",
  "commit, 99th percentile",
  "beat, median",
  "32 at once, commits per second",
];
const rows = results.map(({ name, commitMs, beatMs, perSecond }) => [
  name,
  `${milliseconds(quantile(commitMs, 0.5))} ms`,
  `${milliseconds(quantile(commitMs, 0.99))} ms`,
  `${milliseconds(quantile(beatMs, 0.5))} ms`,
  String(Math.round(perSecond)),
]);
const sync = `${milliseconds(quantile(syncMs, 0.5))} ms (99th percentile ${milliseconds(quantile(syncMs, 0.99))} ms)`;
process.stdout.write(tableText(head, rows));
process.stdout.write(
  `\n${COMMITS} commits each, one at a time, on ${cpus().length} processor cores; one sync of 512 bytes to this disk: ${sync}.\n`,
);
