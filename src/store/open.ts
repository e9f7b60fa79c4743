/**
 * From the url of `[store]` to an open store. The url says which engine and where; what an engine
 * needs beyond that has a default here.
 */
import { isAbsolute, resolve } from "node:path";
import { ArbiterError } from "../protocol/errors.ts";
import type { Store } from "./contract.ts";
import { readLocation, withoutSecrets, type LocationForm } from "./location.ts";
import { openSqliteStore } from "./sqlite.ts";

export interface OpenStoreOptions {
  /** Relative paths start here. */
  readonly stateDir: string;
  /** For how long another process's lock is waited for. (Default: 1000) */
  readonly busyTimeoutMs?: number;
  /** A call without an answer by then is given up, its outcome unknown. (Default: 5000) */
  readonly callTimeoutMs?: number;
}

/** Half of the default `arbiter_lease`: a beat that waits longer is lost anyway. */
const BUSY_TIMEOUT_MS = 1_000;
const CALL_TIMEOUT_MS = 5_000;

const LATER: ReadonlySet<string> = new Set(["quorum"]);
const SQLITE_FORM =
  "sqlite:PATH, with PATH relative to the state folder or absolute, for example sqlite:var/arbiter.db";

const POSTGRES: LocationForm = {
  defaultPort: 5432,
  severalHosts: false,
  example: "postgres://USER:PASSWORD@HOST:5432/DATABASE",
};

const MYSQL: LocationForm = {
  defaultPort: 3306,
  severalHosts: false,
  example: "mysql://USER:PASSWORD@HOST:3306/DATABASE",
};

const ETCD: LocationForm = {
  defaultPort: 2379,
  severalHosts: true,
  example: "etcd://USER:PASSWORD@HOST1:2379,HOST2:2379,HOST3:2379",
};

const ZOOKEEPER: LocationForm = {
  defaultPort: 2181,
  severalHosts: true,
  example: "zookeeper://USER:PASSWORD@HOST1:2181,HOST2:2181,HOST3:2181/PATH",
};

type Engine = (url: string, options: Required<OpenStoreOptions>) => Promise<Store>;

const ENGINES: Readonly<Record<string, Engine>> = {
  sqlite: openSqlite,
  postgres: openPostgres,
  mysql: openMysql,
  etcd: openEtcd,
  zookeeper: openZookeeper,
};

/** Rejects with an `ArbiterError` for a url that can't be used, with `StoreUnavailable` for a store that can't. */
export async function openStore(url: string, options: OpenStoreOptions): Promise<Store> {
  const engine = url.slice(0, Math.max(url.indexOf(":"), 0));
  const open = Object.hasOwn(ENGINES, engine) ? ENGINES[engine] : undefined;
  if (open !== undefined) {
    return open(url, {
      stateDir: options.stateDir,
      busyTimeoutMs: options.busyTimeoutMs ?? BUSY_TIMEOUT_MS,
      callTimeoutMs: options.callTimeoutMs ?? CALL_TIMEOUT_MS,
    });
  }
  const known = Object.keys(ENGINES).join(", ");
  if (LATER.has(engine)) {
    throw new ArbiterError(
      "ERR_ARB_STORE_ENGINE",
      `The store's engine "${engine}" is not part of this version of Arbiter ("${withoutSecrets(url)}"). Use one of ${known}.`,
    );
  }
  throw new ArbiterError(
    "ERR_ARB_STORE_URL",
    `The store's url is "${withoutSecrets(url)}" and names no engine that Arbiter knows (${known}). Write ${SQLITE_FORM}.`,
  );
}

async function openSqlite(url: string, options: Required<OpenStoreOptions>): Promise<Store> {
  const path = sqlitePath(url, url.slice("sqlite:".length));
  const { stateDir, busyTimeoutMs, callTimeoutMs } = options;
  return openSqliteStore({
    path: resolve(stateDir, path),
    description: url,
    makeFolder: !isAbsolute(path),
    busyTimeoutMs,
    callTimeoutMs,
  });
}

// Engines on a server are loaded when they are chosen: nobody else pays for their drivers.

async function openPostgres(url: string, options: Required<OpenStoreOptions>): Promise<Store> {
  const location = readLocation(url, POSTGRES, options.stateDir);
  if (location.path === "") throw noDatabase(url, POSTGRES);
  const [{ PostgresEngine }, { openRemoteStore }] = await Promise.all([
    import("./postgres.ts"),
    import("./remote.ts"),
  ]);
  const engine = new PostgresEngine({ location, lockTimeoutMs: options.busyTimeoutMs });
  return openRemoteStore(engine, { description: location.description, callTimeoutMs: options.callTimeoutMs });
}

async function openMysql(url: string, options: Required<OpenStoreOptions>): Promise<Store> {
  const location = readLocation(url, MYSQL, options.stateDir);
  if (location.path === "") throw noDatabase(url, MYSQL);
  const [{ MysqlEngine }, { openRemoteStore }] = await Promise.all([
    import("./mysql.ts"),
    import("./remote.ts"),
  ]);
  const engine = new MysqlEngine({ location, lockTimeoutMs: options.busyTimeoutMs });
  return openRemoteStore(engine, { description: location.description, callTimeoutMs: options.callTimeoutMs });
}

async function openEtcd(url: string, options: Required<OpenStoreOptions>): Promise<Store> {
  const location = readLocation(url, ETCD, options.stateDir);
  if (location.path !== "") {
    throw new ArbiterError(
      "ERR_ARB_STORE_URL",
      `The store's url is "${withoutSecrets(url)}" and names a path, which etcd has none of. Write it like ${ETCD.example}, with "?prefix=NAME" behind it for keys below NAME.`,
    );
  }
  const [{ EtcdServer }, { KeyValueEngine }, { openRemoteStore }] = await Promise.all([
    import("./etcd.ts"),
    import("./key-value.ts"),
    import("./remote.ts"),
  ]);
  const engine = new KeyValueEngine(new EtcdServer(location, options.callTimeoutMs));
  return openRemoteStore(engine, { description: location.description, callTimeoutMs: options.callTimeoutMs });
}

async function openZookeeper(url: string, options: Required<OpenStoreOptions>): Promise<Store> {
  const location = readLocation(url, ZOOKEEPER, options.stateDir);
  const [{ ZookeeperServer }, { KeyValueEngine }, { openRemoteStore }] = await Promise.all([
    import("./zookeeper.ts"),
    import("./key-value.ts"),
    import("./remote.ts"),
  ]);
  const engine = new KeyValueEngine(new ZookeeperServer(location, options.callTimeoutMs));
  return openRemoteStore(engine, { description: location.description, callTimeoutMs: options.callTimeoutMs });
}

function noDatabase(url: string, { example }: LocationForm): ArbiterError {
  return new ArbiterError(
    "ERR_ARB_STORE_URL",
    `The store's url is "${withoutSecrets(url)}" and names no database. Write it like ${example}.`,
  );
}

function sqlitePath(url: string, rest: string): string {
  if (rest === ":memory:" || rest.startsWith("file:")) {
    throw new ArbiterError(
      "ERR_ARB_STORE_URL",
      `The store's url is "${url}", but the store must outlive the process (epochs are never used twice). Write ${SQLITE_FORM}.`,
    );
  }
  // `sqlite:///srv/a.db` is the absolute path; `sqlite://srv/a.db` would name a host.
  if (rest.startsWith("//") && !rest.startsWith("///")) {
    throw new ArbiterError(
      "ERR_ARB_STORE_URL",
      `The store's url is "${url}", which names a host; SQLite is a file on this machine. Write ${SQLITE_FORM}.`,
    );
  }
  const path = rest.startsWith("///") ? rest.slice(2) : rest;
  if (path === "" || path.endsWith("/") || path.includes("\0")) {
    throw new ArbiterError(
      "ERR_ARB_STORE_URL",
      `The store's url is "${url}" and names no file. Write ${SQLITE_FORM}.`,
    );
  }
  return path;
}
