/**
 * One connection to one ZooKeeper server, from its first byte to its loss.
 *
 * The client library would connect again by itself, repeat what waits, choose servers on its own
 * and speak no TLS; and it never tells of a session that expired while it was cut off. So each of
 * its clients is used for a single connection that is made here, and is thrown away with it:
 * sessions mean nothing to this store.
 */
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type * as Library from "node-zookeeper-client";
import type { Client, Exception, Stat, Transaction } from "node-zookeeper-client";
import { EngineTrouble, connectionTrouble } from "./engine.ts";
import { endpointName, identityOf, type Endpoint, type StoreLocation } from "./location.ts";

export type ZookeeperLibrary = typeof Library;

/** Codes of answers that mean something to the store. */
export const NO_NODE = -101;
export const NO_AUTH = -102;
export const BAD_VERSION = -103;
export const NODE_EXISTS = -110;
export const NOT_EMPTY = -111;

/** Long enough for any call; when it ends, only the connection is gone. */
const SESSION_MS = 20_000;
/** The library's number for a client that is not to be used any more. */
const CONNECTING = 1;
const CLOSED = -2;

/** What the server itself has answered, by its code. */
export class ZookeeperRefusal extends Error {
  readonly code: number;
  constructor(code: number, name: string) {
    super(`${name} (${code})`);
    this.code = code;
  }
}

/** Of the library's insides: what makes the connection. */
interface ConnectionManager {
  socket: Socket;
  connect(): void;
  setState(state: number): void;
  onSocketConnected(): void;
  onSocketData(data: Buffer): void;
  onSocketDrain(): void;
  onSocketClosed(hasError: boolean): void;
}

export class ZookeeperConnection {
  readonly client: Client;
  readonly #where: string;
  readonly #socket: Socket;
  readonly #waiting = new Set<(error: Error) => void>();
  #isOver = false;
  #cause: unknown = null;

  private constructor(client: Client, location: StoreLocation, endpoint: Endpoint) {
    this.client = client;
    this.#where = endpointName(endpoint);
    const { tls } = location;
    const to = endpoint.host.startsWith("/") ? { path: endpoint.host } : { ...endpoint };
    this.#socket =
      tls === null
        ? connectPlain(to)
        : connectTls({ ...to, ...tls, checkServerIdentity: identityOf(tls, endpoint.host) });
    this.#takeOver(managerOf(client), tls === null ? "connect" : "secureConnect");
  }

  /** Resolves once the server has answered the greeting. */
  static async make(
    library: ZookeeperLibrary,
    location: StoreLocation,
    endpoint: Endpoint,
    timeoutMs: number,
  ): Promise<ZookeeperConnection> {
    // The library's own address is never used.
    const client = library.createClient("localhost:1", { sessionTimeout: SESSION_MS, retries: 0 });
    if (location.user !== null) {
      client.addAuthInfo("digest", Buffer.from(`${location.user}:${location.password ?? ""}`));
    }
    const connection = new ZookeeperConnection(client, location, endpoint);
    const timer = setTimeout(() => {
      connection.#cause = new EngineTrouble(
        `does not answer as ZooKeeper does (${endpointName(endpoint)}). Look at the server there, or correct the address in the store's url.`,
        { isLost: true },
      );
      connection.drop();
    }, timeoutMs);
    try {
      await connection.#call<null>((done) => {
        client.once("connected", () => done(null, null));
        client.connect();
      });
    } finally {
      clearTimeout(timer);
    }
    return connection;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  drop(): void {
    this.#socket.destroy();
    this.#end();
  }

  /** Says goodbye, so that the server needn't wait for the session's end. */
  close(): void {
    if (this.#isOver) return;
    this.client.close();
    this.#end();
    setTimeout(() => this.#socket.destroy(), 100).unref();
  }

  /** Resolves once the connection is gone. */
  over(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isOver) resolve();
      else this.#waiting.add(() => resolve());
    });
  }

  /** null: there is no such node. */
  getData(
    path: string,
    onEvent?: () => void,
  ): Promise<{ readonly data: Buffer; readonly stat: Stat } | null> {
    return orNull(NO_NODE, () =>
      this.#call((done) => {
        const answer = (error: Error | Exception | null, data: Buffer | null, stat: Stat): void =>
          done(error, { data: data ?? Buffer.alloc(0), stat });
        if (onEvent === undefined) this.client.getData(path, answer);
        else this.client.getData(path, onEvent, answer);
      }),
    );
  }

  /** In order; null: there is no such node. */
  async getChildren(path: string): Promise<readonly string[] | null> {
    const names = await orNull(NO_NODE, () =>
      this.#call<string[]>((done) =>
        this.client.getChildren(path, (error, children) => done(error, children)),
      ),
    );
    return names?.toSorted() ?? null;
  }

  /** All or nothing. The stats of those that were set, by their place. */
  commit(build: (transaction: Transaction) => void): Promise<readonly (Stat | null)[]> {
    return this.#call((done) => {
      const transaction = this.client.transaction();
      build(transaction);
      transaction.commit((error, results: unknown) => {
        const list: readonly unknown[] = Array.isArray(results) ? results : [];
        done(
          error,
          list.map((result) => statOf(result)),
        );
      });
    });
  }

  /** A library's call, or the loss of the connection, whichever comes first. */
  #call<T>(start: (done: (error: Error | Exception | null, value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const lose = (error: Error): void => reject(error);
      const done = (error: Error | Exception | null, value: T): void => {
        this.#waiting.delete(lose);
        if (error === null || error === undefined) resolve(value);
        else reject(this.#refusalOf(error));
      };
      if (this.#isOver) {
        reject(this.#loss());
        return;
      }
      this.#waiting.add(lose);
      start(done);
    });
  }

  #refusalOf(error: Error | Exception): Error {
    // Losses, expiries and the like have other numbers than answers about nodes.
    const code = "code" in error && typeof error.code === "number" ? error.code : 0;
    const isAnswer = (code <= -101 && code >= -111) || code === -114 || code === -127;
    return isAnswer ? new ZookeeperRefusal(code, error.name) : this.#loss();
  }

  #loss(): EngineTrouble {
    const cause = this.#cause;
    if (cause instanceof EngineTrouble) return cause;
    const known = connectionTrouble(cause, this.#where);
    if (known !== null) return known;
    const said = cause instanceof Error ? cause.message : "it was closed";
    return new EngineTrouble(
      `broke the connection (${this.#where}: ${said}). It is tried again; look at ZooKeeper's log if this goes on.`,
      { isLost: true },
    );
  }

  #takeOver(manager: ConnectionManager, readyEvent: "connect" | "secureConnect"): void {
    const socket = this.#socket;
    let isFirst = true;
    manager.connect = (): void => {
      // The library connects again whenever a connection was lost: this one is not for that.
      manager.setState(isFirst ? CONNECTING : CLOSED);
      isFirst = false;
    };
    manager.socket = socket;
    socket.setNoDelay();
    socket.setKeepAlive(true);
    socket.on(readyEvent, () => manager.onSocketConnected());
    socket.on("data", (data: Buffer) => {
      try {
        manager.onSocketData(data);
      } catch (error) {
        // Whoever answers there speaks another protocol.
        this.#cause = error;
        this.drop();
      }
    });
    socket.on("drain", () => manager.onSocketDrain());
    socket.on("error", (error) => {
      this.#cause ??= error;
    });
    socket.on("close", (hasError: boolean) => {
      this.#end();
      manager.onSocketClosed(hasError);
    });
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const loss = this.#loss();
    for (const lose of this.#waiting) lose(loss);
    this.#waiting.clear();
  }
}

function managerOf(client: Client): ConnectionManager {
  const manager: unknown = Reflect.get(client, "connectionManager");
  if (isManager(manager)) return manager;
  throw new Error(
    "This release of node-zookeeper-client is built differently; install the one that is named.",
  );
}

function isManager(value: unknown): value is ConnectionManager {
  return typeof value === "object" && value !== null && "onSocketConnected" in value && "setState" in value;
}

function statOf(result: unknown): Stat | null {
  if (typeof result !== "object" || result === null || !("stat" in result)) return null;
  return isStat(result.stat) ? result.stat : null;
}

function isStat(value: unknown): value is Stat {
  return typeof value === "object" && value !== null && "version" in value;
}

async function orNull<T>(code: number, run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ZookeeperRefusal && error.code === code) return null;
    throw error;
  }
}

/** Loaded by who has chosen this engine. A CommonJS package: what it exports stands in `default`. */
export async function loadLibrary(): Promise<ZookeeperLibrary> {
  const module: object = await import("node-zookeeper-client");
  const exported: unknown = "default" in module ? module.default : module;
  if (isLibrary(exported)) return exported;
  throw new Error("The package node-zookeeper-client is not what it was; install the release that is named.");
}

function isLibrary(value: unknown): value is ZookeeperLibrary {
  return typeof value === "object" && value !== null && "createClient" in value;
}
