/** The stores that arbiters can share, each on its real server. */
import { join } from "node:path";
import { isEtcdMissing, newEtcd, newEtcdMembers } from "../contract/server-etcd.ts";
import { isMysqlMissing, newMysql } from "../contract/server-mysql.ts";
import { isPostgresMissing, newPostgres } from "../contract/server-postgres.ts";
import { isZookeeperMissing, newZookeeper } from "../contract/server-zookeeper.ts";
import type { StoreServer } from "../contract/store-server.ts";

export const ENGINES = ["sqlite", "postgres", "mysql", "etcd", "etcd-three", "zookeeper"] as const;
export type EngineName = (typeof ENGINES)[number];

/** What a store is taken away by, and given back. */
export interface SharedStore {
  /** At which ports it answers on the loopback; none: it is a file. */
  readonly ports: readonly number[];
  /** As arbiters name it, where `at` says how each port is reached. */
  url(at: (port: number) => string): string;
  kill(): Promise<void>;
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

/** Whether to leave it out, which has been said then. */
export function isEngineMissing(engine: EngineName): boolean {
  switch (engine) {
    case "sqlite":
      return false;
    case "postgres":
      return isPostgresMissing();
    case "mysql":
      return isMysqlMissing();
    case "etcd":
    case "etcd-three":
      return isEtcdMissing();
    case "zookeeper":
      return isZookeeperMissing();
  }
}

/** Null for the file, which nothing takes away. */
export async function startStore(engine: EngineName, folder: string): Promise<SharedStore> {
  switch (engine) {
    case "sqlite":
      return fileStore(join(folder, "arbiters.db"));
    case "postgres":
      return ofServers([await newPostgres()]);
    case "mysql":
      return ofServers([await newMysql()]);
    case "etcd":
      return ofServers([await newEtcd()]);
    case "etcd-three":
      return ofServers(await newEtcdMembers(3));
    case "zookeeper":
      return ofServers([await newZookeeper()]);
  }
}

function fileStore(path: string): SharedStore {
  const nothing = (): Promise<void> => Promise.resolve();
  const never = (): void => {
    throw new Error("a file can't be frozen");
  };
  return {
    ports: [],
    url: () => `sqlite:${path}`,
    kill: nothing,
    start: nothing,
    freeze: never,
    thaw: never,
    remove: nothing,
  };
}

function ofServers(servers: readonly StoreServer[]): SharedStore {
  const each = async (act: (server: StoreServer) => Promise<void>): Promise<void> => {
    await Promise.all(servers.map((server) => act(server)));
  };
  return {
    ports: servers.map(({ port }) => port),
    url: (at) => {
      const places = servers.map(({ port }) => at(port)).join(",");
      return (servers[0]?.url("arbiters") ?? "").replace(`127.0.0.1:${servers[0]?.port}`, places);
    },
    kill: () => each((server) => server.kill()),
    start: () => each((server) => server.start()),
    freeze: () => servers.forEach((server) => server.freeze()),
    thaw: () => servers.forEach((server) => server.thaw()),
    remove: () => each((server) => server.remove()),
  };
}
