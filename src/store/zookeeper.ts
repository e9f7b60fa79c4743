/**
 * Keys and values in ZooKeeper 3.6 or later, as nodes with versions.
 *
 * A swap is one multi-operation that checks the versions of what it was decided on. Nodes that
 * are checked have a version of at least 1 from the beginning, since the client library takes 0
 * for "any". A read is preceded by an empty write: another server of the ensemble may be behind,
 * and its answer to the write says that it has caught up.
 *
 * The nodes of a long list (events) lie in folders of a thousand, as a listing has no pages.
 */
import type { ACL, Transaction } from "node-zookeeper-client";
import { NOTES } from "./contract.ts";
import { EngineTrouble, type Attempt } from "./engine.ts";
import { BUCKETS, PUBLISHED, bucketKey, type Item, type Listed, type Put } from "./key-value-layout.ts";
import type { KeyValueServer } from "./key-value.ts";
import type { StoreLocation } from "./location.ts";
import { pause } from "./pause.ts";
import {
  BAD_VERSION,
  NODE_EXISTS,
  NOT_EMPTY,
  NO_AUTH,
  NO_NODE,
  ZookeeperConnection,
  ZookeeperRefusal,
  loadLibrary,
  type ZookeeperLibrary,
} from "./zookeeper-connection.ts";
import { LISTS, assertSize, folderOf, groupOf, versionOf } from "./zookeeper-nodes.ts";
import { askServer, unsuitable } from "./zookeeper-version.ts";

const WATCH_AGAIN_MS = 500;
/** Nodes removed side by side. */
const AT_ONCE = 500;
/** Tries of one swap: the first, and one more when its answer was lost. */
const TRIES = 2;
/** Nodes that came with a later version than the first. */
const LATER = [PUBLISHED, "notes", ...NOTES.map((name) => `notes/${name}`)] as const;

export class ZookeeperServer implements KeyValueServer {
  readonly #location: StoreLocation;
  readonly #root: string;
  readonly #tryTimeoutMs: number;
  readonly #closed = new AbortController();
  /** Folders that are known to be there. */
  readonly #folders = new Set<string>();
  #library: ZookeeperLibrary | null = null;
  #connecting: Promise<ZookeeperConnection> | null = null;
  #next = 0;

  constructor(location: StoreLocation, callTimeoutMs: number) {
    this.#location = location;
    // One of several that hangs must leave time for two others.
    this.#tryTimeoutMs = Math.ceil(callTimeoutMs / 3);
    const above = location.path.split("/").filter((part) => part !== "");
    this.#root = `/${[...above, location.prefix].join("/")}`;
  }

  open(attempt: Attempt): Promise<{ readonly isEmpty: boolean }> {
    return this.#use(attempt, async (connection) => {
      await this.#checkVersion(attempt);
      await this.#sync(connection);
      const parts = this.#root.split("/").slice(1);
      for (const [index] of parts.entries()) {
        await this.#make(connection, `/${parts.slice(0, index + 1).join("/")}`);
      }
      const isEmpty = (await connection.getChildren(this.#root))?.length === 0;
      // What a store of an earlier version lacks.
      if (!isEmpty) for (const key of LATER) await this.#make(connection, `${this.#root}/${key}`);
      return { isEmpty };
    });
  }

  read(keys: readonly string[], attempt: Attempt): Promise<readonly Item[]> {
    return this.#use(attempt, async (connection) => {
      for (;;) {
        await this.#sync(connection);
        const before = await connection.getData(this.#path("state"));
        const found = await Promise.all(keys.map((key) => connection.getData(this.#path(key))));
        const after = keys.length > 1 ? await connection.getData(this.#path("state")) : before;
        // Else something was written in between, and these are not of one moment.
        if (before?.stat.version === after?.stat.version) {
          return found.map((node) => ({ value: node?.data ?? null, guard: node?.stat.version ?? null }));
        }
      }
    });
  }

  list(
    folder: string,
    options: { readonly from?: string; readonly isReversed?: boolean; readonly limit: number },
    attempt: Attempt,
  ): Promise<readonly Listed[]> {
    const { from = "", isReversed = false, limit } = options;
    const path = `${this.#root}/${folder}`;
    return this.#use(attempt, async (connection) => {
      await this.#sync(connection);
      const groups = ((await connection.getChildren(path)) ?? []).filter((group) => group >= groupOf(from));
      const names: string[] = [];
      for (const group of isReversed ? groups.toReversed() : groups) {
        const within = (await connection.getChildren(`${path}/${group}`)) ?? [];
        names.push(...(isReversed ? within.toReversed() : within).filter((name) => name >= from));
        if (names.length >= limit) break;
      }
      const nodes = names.slice(0, limit).map(async (name) => {
        const node = await connection.getData(`${path}/${groupOf(name)}/${name}`);
        // Removed in this moment.
        return node === null ? [] : [{ name, value: node.data }];
      });
      return (await Promise.all(nodes)).flat();
    });
  }

  async swap(
    guards: ReadonlyMap<string, Item>,
    puts: readonly Put[],
    attempt: Attempt,
  ): Promise<{ readonly isDone: boolean; readonly items: ReadonlyMap<string, Item> | null }> {
    assertSize(puts);
    let wasTriedBefore = false;
    for (let count = 1; ; count++) {
      try {
        return await this.#use(attempt, async (connection) => {
          for (const { key, isNew } of puts) if (isNew) await this.#makeFolder(connection, key);
          attempt.decide();
          return { isDone: true, items: await this.#swap(connection, guards, puts) };
        });
      } catch (error) {
        if (isDefeat(error, puts)) {
          // The first try may be what the second one was defeated by.
          return { isDone: wasTriedBefore && (await this.#isMine(puts, attempt)), items: null };
        }
        if (!(error instanceof EngineTrouble) || !attempt.mayBeApplied) throw error;
        if (wasTriedBefore && error.isCertain) throw new EngineTrouble(error.message);
        if (!error.isLost || count === TRIES) throw error;
        wasTriedBefore = true;
      }
    }
  }

  async #swap(
    connection: ZookeeperConnection,
    guards: ReadonlyMap<string, Item>,
    puts: readonly Put[],
  ): Promise<ReadonlyMap<string, Item>> {
    const written = new Map(puts.map((put) => [put.key, put]));
    const guarded = [...guards].filter(([, { value }]) => value !== null);
    const others = puts.filter(({ key }) => !guarded.some(([other]) => other === key));
    const stats = await connection.commit((transaction) => {
      for (const [key, item] of guarded) {
        const put = written.get(key);
        const version = versionOf(item, key);
        if (put === undefined) transaction.check(this.#path(key), version);
        else transaction.setData(this.#path(key), put.value, version);
      }
      for (const { key, value, isNew } of others) {
        if (isNew) transaction.create(this.#path(key), value, this.#acl());
        else transaction.setData(this.#path(key), value, -1);
      }
      if (written.has("schema")) this.#makeSkeleton(transaction, written.get("state")?.value);
    });
    return new Map(
      guarded.map(([key, item], index) => {
        const put = written.get(key);
        const stat = stats[index] ?? null;
        return [key, put === undefined || stat === null ? item : { value: put.value, guard: stat.version }];
      }),
    );
  }

  /** After a lost answer and a defeat: what stands there is one's own, or nobody can tell. */
  async #isMine(puts: readonly Put[], attempt: Attempt): Promise<true> {
    const decisive = puts.filter(({ key }) => key === "state" || key === "leadership");
    const items = await this.read(
      decisive.map(({ key }) => key),
      attempt,
    );
    if (decisive.every(({ value }, index) => items[index]?.value?.equals(value) === true)) return true;
    throw new EngineTrouble(
      "lost an answer, and another arbiter has written since: whether the first request was carried out can't be told.",
    );
  }

  /** With the schema come all nodes that are only ever set. What is compared is set once more: no version is 0. */
  #makeSkeleton(transaction: Transaction, state: Buffer | undefined): void {
    const empty = Buffer.alloc(0);
    const make = (key: string): void => {
      transaction.create(`${this.#root}/${key}`, empty, this.#acl());
    };
    for (const folder of [...LISTS, "rows"]) make(folder);
    for (const key of ["leadership", "settings", ...LATER]) make(key);
    for (let number = 0; number < BUCKETS; number++) make(bucketKey(number));
    transaction.setData(`${this.#root}/leadership`, empty, -1);
    transaction.setData(`${this.#root}/state`, state ?? empty, -1);
  }

  put(key: string, value: Buffer, attempt: Attempt): Promise<void> {
    return this.#use(attempt, async (connection) => {
      const path = this.#path(key);
      const set = (): Promise<unknown> =>
        connection.commit((transaction) => transaction.setData(path, value, -1));
      try {
        await set();
      } catch (error) {
        if (!(error instanceof ZookeeperRefusal) || error.code !== NO_NODE) throw error;
        await this.#makeFolder(connection, key);
        await this.#make(connection, path);
        await set();
      }
    });
  }

  remove(folder: string, names: readonly string[], attempt: Attempt): Promise<void> {
    return this.#use(attempt, async (connection) => {
      for (let at = 0; at < names.length; at += AT_ONCE) {
        const nodes = names.slice(at, at + AT_ONCE).map((name) => this.#path(`${folder}/${name}`));
        await Promise.all(nodes.map((node) => this.#drop(connection, node)));
      }
      if (folder === PUBLISHED) return;
      const groups = new Set(names.map((name) => groupOf(name)));
      // The newest event is never removed, so a folder that is empty now stays so.
      for (const group of groups) await this.#drop(connection, `${this.#root}/${folder}/${group}`);
    });
  }

  /** Removes a node, if it is there and has nothing below it. */
  async #drop(connection: ZookeeperConnection, path: string): Promise<void> {
    try {
      await connection.commit((transaction) => transaction.remove(path, -1));
    } catch (error) {
      if (!(error instanceof ZookeeperRefusal) || ![NO_NODE, NOT_EMPTY].includes(error.code)) throw error;
    }
  }

  /** After each interruption something may have been missed, and so it is said that something changed. */
  watch(keys: readonly string[], onChange: (value: Buffer | null) => void): () => void {
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#closed.signal]);
    const follow = async (isFirst: boolean): Promise<void> => {
      const connection = await this.#connect();
      const end = (): void => connection.close();
      signal.addEventListener("abort", end, { once: true });
      if (signal.aborted) end();
      const arm = async (key: string, isNews: boolean): Promise<void> => {
        const node = await connection.getData(this.#path(key), () => {
          arm(key, true).catch(() => connection.drop());
        });
        if (isNews && !signal.aborted) onChange(node?.data ?? null);
      };
      try {
        for (const key of keys) await arm(key, false);
        if (!isFirst) onChange(null);
        await connection.over();
      } finally {
        signal.removeEventListener("abort", end);
        connection.drop();
      }
    };
    const followOn = async (): Promise<void> => {
      for (let isFirst = true; !signal.aborted; isFirst = false) {
        // The calls that this store is used for tell of the trouble; here it is only tried again.
        await follow(isFirst).catch(() => {});
        await pause(WATCH_AGAIN_MS, signal);
      }
    };
    void followOn();
    return () => abort.abort();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    const connection = await this.#connecting?.catch(() => null);
    connection?.close();
  }

  #path(key: string): string {
    const [folder = "", name] = key.split("/");
    const below = folderOf(folder, name);
    return below === null ? `${this.#root}/${key}` : `${this.#root}/${folder}/${below}/${name}`;
  }

  #acl(): ACL[] {
    if (this.#library === null) throw new Error("ZooKeeper's client was used before it was loaded.");
    const { ACL: Acl, Id, Permission } = this.#library;
    return this.#location.user === null
      ? [new Acl(Permission.ALL, new Id("world", "anyone"))]
      : [new Acl(Permission.ALL, new Id("auth", ""))];
  }

  async #makeFolder(connection: ZookeeperConnection, key: string): Promise<void> {
    const path = this.#path(key);
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (folder === this.#root || this.#folders.has(folder)) return;
    await this.#make(connection, folder);
    this.#folders.add(folder);
  }

  async #make(connection: ZookeeperConnection, path: string): Promise<void> {
    if ((await connection.getData(path)) !== null) return;
    try {
      await connection.commit((transaction) => transaction.create(path, Buffer.alloc(0), this.#acl()));
    } catch (error) {
      if (!(error instanceof ZookeeperRefusal) || error.code !== NODE_EXISTS) throw error;
    }
  }

  async #sync(connection: ZookeeperConnection): Promise<void> {
    await connection.commit((transaction) => transaction.check("/", -1));
  }

  /** Runs `work` on the connection; it is dropped if the attempt is given up or a try takes too long. */
  async #use<T>(attempt: Attempt, work: (connection: ZookeeperConnection) => Promise<T>): Promise<T> {
    const connection = await this.#connected();
    const drop = (): void => connection.drop();
    attempt.signal.addEventListener("abort", drop, { once: true });
    const isAlone = this.#location.endpoints.length === 1;
    const timer = isAlone ? null : setTimeout(drop, this.#tryTimeoutMs);
    try {
      attempt.signal.throwIfAborted();
      return await work(connection);
    } catch (error) {
      attempt.signal.throwIfAborted();
      throw this.#troubleOf(error);
    } finally {
      if (timer !== null) clearTimeout(timer);
      attempt.signal.removeEventListener("abort", drop);
    }
  }

  #connected(): Promise<ZookeeperConnection> {
    this.#connecting ??= this.#connect().then(
      (connection) => {
        void connection.over().then(() => {
          this.#connecting = null;
          this.#folders.clear();
        });
        return connection;
      },
      (error: unknown) => {
        this.#connecting = null;
        throw error;
      },
    );
    return this.#connecting;
  }

  /** The first endpoint that answers, beginning behind the one that was used last. */
  async #connect(): Promise<ZookeeperConnection> {
    const { endpoints } = this.#location;
    this.#library ??= await loadLibrary();
    let last: unknown = null;
    for (const _ of endpoints) {
      if (this.#closed.signal.aborted) break;
      const endpoint = endpoints[this.#next % endpoints.length] ?? { host: "localhost", port: 2181 };
      this.#next++;
      try {
        return await ZookeeperConnection.make(this.#library, this.#location, endpoint, this.#tryTimeoutMs);
      } catch (error) {
        last = error;
      }
    }
    throw last ?? new EngineTrouble("is closed.", { isCertain: true });
  }

  #troubleOf(error: unknown): unknown {
    if (!(error instanceof ZookeeperRefusal)) return error;
    const traits = { isCertain: true };
    if (error.code === NO_AUTH) {
      const who = this.#location.user ?? "(no user)";
      const text = `does not let ${who} use the node ${this.#root}. Correct user and password in the store's url, or choose another "prefix".`;
      return new EngineTrouble(text, traits, { cause: error });
    }
    if (error.code === BAD_VERSION || error.code === NODE_EXISTS) return error;
    if (error.code === NO_NODE) {
      const text =
        "has lost its contents: the nodes that Arbiter made there are gone. Restore a backup, or restart every arbiter that uses it to begin with an empty store.";
      return new EngineTrouble(text, traits, { cause: error });
    }
    return new EngineTrouble(`refused the request (${error.message}).`, traits, { cause: error });
  }

  async #checkVersion(attempt: Attempt): Promise<void> {
    const { endpoints, tls } = this.#location;
    const [endpoint] = endpoints;
    if (tls !== null || endpoint === undefined) return;
    const said = await askServer(endpoint, this.#tryTimeoutMs, attempt.signal);
    const refusal = unsuitable(said);
    if (refusal !== null) throw new EngineTrouble(refusal, { isCertain: true });
  }
}

/** Another has written before; or, when the store is set up, has set it up. */
function isDefeat(error: unknown, puts: readonly Put[]): boolean {
  if (!(error instanceof ZookeeperRefusal)) return false;
  const isSetUp = puts.some(({ key }) => key === "schema");
  return error.code === BAD_VERSION || (isSetUp && error.code === NODE_EXISTS);
}
