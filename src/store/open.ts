/**
 * From the url of `[store]` to an open store. The url says which engine and where; what an engine
 * needs beyond that has a default here.
 */
import { isAbsolute, resolve } from "node:path";
import { ArbiterError } from "../protocol/errors.ts";
import type { Store } from "./contract.ts";
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

const ENGINES = ["sqlite", "mysql", "postgres", "etcd", "zookeeper", "quorum"] as const;
const FORMS =
  "sqlite:PATH, with PATH relative to the state folder or absolute, for example sqlite:var/arbiter.db";

/** Rejects with an `ArbiterError` for a url that can't be used, with `StoreUnavailable` for a store that can't. */
export async function openStore(url: string, options: OpenStoreOptions): Promise<Store> {
  const colon = url.indexOf(":");
  const engine = url.slice(0, Math.max(colon, 0));
  const known = ENGINES.find((name) => name === engine);
  if (known === undefined) {
    throw new ArbiterError(
      "ERR_ARB_STORE_URL",
      `The store's url is "${withoutSecrets(url)}" and names no engine that Arbiter knows. Write ${FORMS}.`,
    );
  }
  if (known !== "sqlite") {
    throw new ArbiterError(
      "ERR_ARB_STORE_ENGINE",
      `The store's engine "${known}" is not part of this version of Arbiter ("${withoutSecrets(url)}"). Use sqlite: ${FORMS}.`,
    );
  }
  const path = sqlitePath(url, url.slice(colon + 1));
  return openSqliteStore({
    path: resolve(options.stateDir, path),
    description: url,
    makeFolder: !isAbsolute(path),
    busyTimeoutMs: options.busyTimeoutMs ?? BUSY_TIMEOUT_MS,
    callTimeoutMs: options.callTimeoutMs ?? CALL_TIMEOUT_MS,
  });
}

function sqlitePath(url: string, rest: string): string {
  if (rest === ":memory:" || rest.startsWith("file:")) {
    throw new ArbiterError(
      "ERR_ARB_STORE_URL",
      `The store's url is "${url}", but the store must outlive the process (epochs are never used twice). Write ${FORMS}.`,
    );
  }
  // `sqlite:///srv/a.db` is the absolute path; `sqlite://srv/a.db` would name a host.
  if (rest.startsWith("//") && !rest.startsWith("///")) {
    throw new ArbiterError(
      "ERR_ARB_STORE_URL",
      `The store's url is "${url}", which names a host; SQLite is a file on this machine. Write ${FORMS}.`,
    );
  }
  const path = rest.startsWith("///") ? rest.slice(2) : rest;
  if (path === "" || path.endsWith("/") || path.includes("\0")) {
    throw new ArbiterError(
      "ERR_ARB_STORE_URL",
      `The store's url is "${url}" and names no file. Write ${FORMS}.`,
    );
  }
  return path;
}

/** `mysql://user:secret@host/db` without what stands between the name and the host. */
function withoutSecrets(url: string): string {
  return url.replace(/(\/\/[^/@:]*):[^/@]*@/u, "$1:***@");
}
