/**
 * The stores that are servers, real ones, with a value that somebody has damaged: what stands under a
 * key of etcd, in a node of ZooKeeper, in a column of MariaDB or PostgreSQL. As with SQLite, each call
 * gives what was written or rejects with the store's one clear error, and once the value is
 * whole again, so is the store.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { Client } from "pg";
import type { Random } from "../../src/simulator/random.ts";
import { openStore } from "../../src/store/open.ts";
import { loadLibrary } from "../../src/store/zookeeper-connection.ts";
import { isEtcdMissing, newEtcd } from "../contract/server-etcd.ts";
import { isMysqlMissing, newMysql } from "../contract/server-mysql.ts";
import { isPostgresMissing, newPostgres } from "../contract/server-postgres.ts";
import { isZookeeperMissing, newZookeeper } from "../contract/server-zookeeper.ts";
import type { StoreServer } from "../contract/store-server.ts";
import { badText, fill, useIt } from "./store-target.ts";
import { check, shown, type Target, type World } from "./target.ts";

const PREFIX = "fuzz";

/** A value of the store, as the server's own tools see it. */
interface Place {
  readonly name: string;
  read(): Promise<Buffer>;
  write(value: Buffer): Promise<void>;
}

interface Access {
  places(): Promise<readonly Place[]>;
  close(): Promise<void>;
}

/** Bytes that are no text, a text that is nearly right, or nothing at all. */
function damaged(random: Random, good: Buffer): Buffer {
  if (random.chance(0.1)) return Buffer.alloc(0);
  if (good.length === 0 || random.chance(0.7)) return Buffer.from(badText(random, good.toString("utf8")));
  const bytes = Buffer.from(good);
  for (let left = random.whole(1, 8); left > 0; left -= 1)
    bytes[random.whole(0, bytes.length - 1)] = random.whole(0, 255);
  return bytes;
}

function target(
  name: string,
  isMissing: () => boolean,
  newServer: () => Promise<StoreServer>,
  access: (server: StoreServer) => Promise<Access>,
): Target {
  return {
    name,
    share: 0.2,
    block: 1_000,
    isMissing,
    async open(): Promise<World> {
      const server = await newServer();
      const store = await openStore(server.url(PREFIX), { stateDir: "/nonexistent", callTimeoutMs: 3_000 });
      await fill(store);
      const values = await access(server);
      return {
        async run(random): Promise<void> {
          const place = random.pick(await values.places());
          const good = await place.read();
          const bad = damaged(random, good);
          const what = (): string => `${name}: ${place.name} = ${shown(bad.toString("latin1"))}`;
          try {
            await place.write(bad);
          } catch {
            // The server takes no such value in this place.
            return;
          }
          try {
            await useIt(store, what);
          } finally {
            await restore(place, good);
          }
          const { rows } = await store.load();
          check(rows.length === 1, () => `it doesn't recover from ${what()}`);
        },
        async close(): Promise<void> {
          await values.close();
          await store.close();
          await server.remove();
        },
      };
    },
  };
}

/** The way back has to be found also where this connection of our own was lost for a moment. */
async function restore(place: Place, good: Buffer): Promise<void> {
  for (let left = 20; ; left -= 1) {
    try {
      await place.write(good);
      return;
    } catch (error) {
      // There was nothing: the store has trimmed it, as it should.
      if (good.length === 0) return;
      if (left === 0) throw error;
      await sleep(200);
    }
  }
}

async function etcdAccess({ port }: StoreServer): Promise<Access> {
  const ask = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const url = `http://127.0.0.1:${port}/v3/kv/${path}`;
    const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
    const json: unknown = await answer.json();
    check(answer.ok, () => `etcd says ${shown(json)}`);
    return typeof json === "object" && json !== null ? { ...json } : {};
  };
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const range = { key: base64(`${PREFIX}/`), range_end: base64(`${PREFIX}0`) };
  return {
    async places(): Promise<readonly Place[]> {
      const { kvs } = await ask("range", { ...range, keys_only: true });
      const list: unknown[] = Array.isArray(kvs) ? kvs : [];
      return list.map((kv): Place => {
        const key = String(membersOf(kv)["key"]);
        return {
          name: Buffer.from(key, "base64").toString("utf8"),
          read: async () => {
            const found = await ask("range", { key });
            return Buffer.from(firstText(found["kvs"], "value"), "base64");
          },
          write: async (value) => void (await ask("put", { key, value: value.toString("base64") })),
        };
      });
    },
    close: async () => {},
  };
}

/** A member of a list's first object, as text; empty: there is none. */
function firstText(list: unknown, name: string): string {
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  const value = membersOf(first)[name];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

async function zookeeperAccess({ port }: StoreServer): Promise<Access> {
  const library = await loadLibrary();
  const client = library.createClient(`127.0.0.1:${port}`);
  client.connect();
  await once(client, "connected");
  const children = async (at: string): Promise<string[]> =>
    await new Promise((resolve) => {
      client.getChildren(at, (_, names) => resolve(names ?? []));
    });
  const below = async (at: string): Promise<string[]> => {
    const found: string[] = [at];
    for (const name of await children(at)) found.push(...(await below(`${at}/${name}`)));
    return found;
  };
  return {
    async places(): Promise<readonly Place[]> {
      return (await below(`/${PREFIX}`)).map((path): Place => ({
        name: path,
        read: async () =>
          await new Promise((resolve) => {
            client.getData(path, (_, data) => resolve(data ?? Buffer.alloc(0)));
          }),
        write: async (value) =>
          await new Promise((resolve, reject) => {
            client.setData(path, value, (error) =>
              error === null ? resolve() : reject(new Error(String(error))),
            );
          }),
      }));
    },
    close: async () => {
      client.close();
    },
  };
}

/** Columns of the tables that both engines have; each has one row that is looked at, or a few. */
const COLUMNS = [
  ["state", "leadership"],
  ["state", "settings"],
  ["state", "revision"],
  ["state", "last_event"],
  ["services", "content"],
  ["services", "epoch"],
  ["configurations", "content"],
  ["configurations", "version"],
  ["events", "content"],
  ["events", "at_wall_ms"],
] as const;

type Run = (sql: string, values: readonly string[]) => Promise<unknown>;

/** `mark`: how the engine writes the place of a value. */
function columnsOf(run: Run, mark: string): readonly Place[] {
  return COLUMNS.map(([table, column]): Place => {
    const from = `${PREFIX}_${table}`;
    // The log grows with each input: the oldest entry stays the same.
    const where = table === "events" ? ` WHERE seq = 1` : "";
    return {
      name: `${table}.${column}`,
      async read(): Promise<Buffer> {
        const rows = await run(`SELECT ${column} AS value FROM ${from}${where}`, []);
        return Buffer.from(firstText(rows, "value"));
      },
      write: async (value) =>
        void (await run(`UPDATE ${from} SET ${column} = ${mark}${where}`, [value.toString("utf8")])),
    };
  });
}

async function mysqlAccess(server: StoreServer): Promise<Access> {
  const connection = await createConnection({ uri: server.url(PREFIX).replace(/\?.*$/u, "") });
  const run: Run = async (sql, values) => {
    const [rows] = await connection.query(sql, [...values]);
    return rows;
  };
  return {
    places: async () => columnsOf(run, "?"),
    close: async () => await connection.end(),
  };
}

async function postgresAccess(server: StoreServer): Promise<Access> {
  const client = new Client({ connectionString: server.url(PREFIX).replace(/\?.*$/u, "") });
  await client.connect();
  const run: Run = async (sql, values) => (await client.query(sql, [...values])).rows;
  return {
    places: async () => columnsOf(run, "$1"),
    close: async () => await client.end(),
  };
}

export const storeServers: readonly Target[] = [
  target("store-etcd", isEtcdMissing, newEtcd, etcdAccess),
  target("store-zookeeper", isZookeeperMissing, newZookeeper, zookeeperAccess),
  target("store-mysql", isMysqlMissing, newMysql, mysqlAccess),
  target("store-postgres", isPostgresMissing, newPostgres, postgresAccess),
];
