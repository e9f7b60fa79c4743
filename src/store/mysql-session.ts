/**
 * One connection to MariaDB or MySQL: made, checked and prepared; its errors as sentences.
 *
 * A transaction that its client leaves open (a frozen process) is ended by the server: within a
 * transaction the session's `wait_timeout` is one second, the least that there is. That is about
 * waiting, not about safety: what was not committed by then is gone, and its client is told.
 */
import { connect, isIP, type Socket } from "node:net";
import type { Connection, ConnectionOptions } from "mysql2/promise";
import { EngineTrouble, connectionTrouble, type Attempt } from "./engine.ts";
import { endpointName, type StoreLocation } from "./location.ts";

export interface MysqlPlace {
  readonly location: StoreLocation;
  /** For how long another process's transaction is waited for. */
  readonly lockTimeoutMs: number;
}

/** Sent together with the statement that begins a transaction. */
export const BEGIN = "SET SESSION wait_timeout = 1; START TRANSACTION";
/** Sent together with COMMIT, once it has been carried out: an idle connection may stay for a day. */
export const RELAX = "SET SESSION wait_timeout = 86400";

export class MysqlSession {
  readonly #place: MysqlPlace;
  readonly #socket: Socket;
  readonly #ready: Promise<Connection>;
  #isOver = false;

  constructor(place: MysqlPlace) {
    this.#place = place;
    const [endpoint] = place.location.endpoints;
    const { host, port } = endpoint ?? { host: "localhost", port: 3306 };
    this.#socket = host.startsWith("/")
      ? connect({ path: host })
      : connect({ host, port, keepAlive: true, noDelay: true });
    // Until the driver listens; it tells of the error then.
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#isOver = true;
    });
    this.#ready = this.#connect(host);
    // Whoever uses it gets the error; until then it is nobody's.
    this.#ready.catch(() => {});
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Runs `work` on this connection; it is dropped if the attempt is given up. */
  async use<T>(attempt: Attempt, work: (connection: Connection) => Promise<T>): Promise<T> {
    const drop = (): void => this.drop();
    attempt.signal.addEventListener("abort", drop, { once: true });
    try {
      attempt.signal.throwIfAborted();
      return await work(await this.#ready);
    } catch (error) {
      throw this.#troubleOf(error);
    } finally {
      attempt.signal.removeEventListener("abort", drop);
    }
  }

  /** The server undoes what is not committed as soon as it sees the connection closed. */
  drop(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  async end(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    const connection = await this.#ready.catch(() => null);
    await connection?.end().catch(() => {});
    this.#socket.destroy();
  }

  async #connect(host: string): Promise<Connection> {
    const { user, password, path, tls } = this.#place.location;
    if (tls !== null && tls.servername === undefined && isIP(host) !== 0) {
      throw new EngineTrouble(
        `can't be reached safely: a certificate is checked against a name, and ${host} is an address. Add the name that the certificate bears: "tls_name=NAME".`,
        { isCertain: true },
      );
    }
    // Only who has chosen this engine loads its driver.
    const { createConnection } = await import("mysql2/promise");
    const options: ConnectionOptions = {
      // The connection is made already: here the name is only what the certificate is checked against.
      host: tls?.servername ?? host,
      stream: this.#socket,
      user: user ?? "",
      password: password ?? "",
      database: path,
      charset: "utf8mb4",
      multipleStatements: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      // Calls have their own time-outs.
      connectTimeout: 0,
      ...(tls === null ? {} : { ssl: { ...tls, verifyIdentity: true } }),
    };
    try {
      const connection = await createConnection(options);
      connection.on("error", () => this.drop());
      await this.#prepare(connection);
      return connection;
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  async #prepare(connection: Connection): Promise<void> {
    const [rows] = await connection.query(
      `SELECT VERSION() AS version, @@global.read_only AS readOnly, @@global.innodb_flush_log_at_trx_commit AS flush`,
    );
    const refusal = unsuitable(firstOf(rows));
    if (refusal !== null) throw new EngineTrouble(refusal, { isCertain: true });
    // A known sql_mode: values are escaped for it.
    await connection.query(
      `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION autocommit = 1,
         SESSION innodb_lock_wait_timeout = ${lockSecondsOf(this.#place)};
       SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; ${RELAX}`,
    );
  }

  #troubleOf(error: unknown): unknown {
    if (error instanceof EngineTrouble) return error;
    const where = this.#place.location.endpoints.map((endpoint) => endpointName(endpoint)).join(", ");
    const known = statedTrouble(error, this.#place) ?? connectionTrouble(error, where);
    if (known !== null) return known;
    const said = error instanceof Error ? error.message : String(error);
    if (/does not support secure/iu.test(said)) {
      const text = `can't be reached safely: the server does not offer TLS. Turn it on there, or leave "tls" out of the store's url.`;
      return new EngineTrouble(text, { isCertain: true }, { cause: error });
    }
    if (/certificate|altname|self.signed/iu.test(said)) {
      const text = `can't be reached safely: its certificate was not accepted (${where}: ${said}). Correct "tls_ca" and "tls_name" in the store's url, or the server's certificate.`;
      return new EngineTrouble(text, { isCertain: true }, { cause: error });
    }
    if (this.#isOver || /closed|lost|terminated/iu.test(said)) {
      const text = `broke the connection (${where}: ${said}). It is tried again; look at the server's log if this goes on.`;
      return new EngineTrouble(text, { isLost: true }, { cause: error });
    }
    return error;
  }
}

/** Why this server can't keep a store; null: it can. */
export function unsuitable(server: Readonly<Record<string, unknown>>): string | null {
  const { version, readOnly, flush } = server;
  const name = String(version);
  // MariaDB once put a 5.5.5 in front of its own version.
  const isMaria = /mariadb/iu.test(name);
  const [major = 0, minor = 0] = name
    .replace(/^5\.5\.5-(?=\d)/u, "")
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  const isOld = isMaria ? major < 10 || (major === 10 && minor < 3) : major < 8;
  if (isOld) {
    return `runs version ${name}, and Arbiter needs MariaDB 10.3 or MySQL 8.0, or later. Upgrade the server.`;
  }
  if (Number(readOnly) !== 0) {
    return "is read-only: a replica, or locked by its administrator. Give the primary's address in the store's url.";
  }
  if (Number(flush) !== 1) {
    return `runs with innodb_flush_log_at_trx_commit = ${String(flush)}: after a crash it may have forgotten what it acknowledged. Set it to 1.`;
  }
  return null;
}

export function firstOf(rows: unknown): Readonly<Record<string, unknown>> {
  const list: readonly unknown[] = Array.isArray(rows) ? rows : [];
  const [first] = list;
  return typeof first === "object" && first !== null ? { ...first } : {};
}

/** One second more than asked for: that long a frozen process's transaction may keep the lock. */
function lockSecondsOf({ lockTimeoutMs }: MysqlPlace): number {
  return Math.ceil(lockTimeoutMs / 1_000) + 1;
}

/** The server's own numbers: https://mariadb.com/kb/en/mariadb-error-codes/ */
function statedTrouble(error: unknown, place: MysqlPlace): EngineTrouble | null {
  if (!(error instanceof Error) || !("errno" in error) || typeof error.errno !== "number") return null;
  if (!("sqlState" in error)) return null;
  const { location } = place;
  const { errno, message: said } = error;
  const user = location.user ?? "(no user)";
  const denied = `refused ${user} (${said}). Correct user and password in the store's url, or grant access to database ${location.path}.`;
  const readOnly = `only reads by now (${said}). Give the primary's address, or let it write again.`;
  const full = `can't be written: its disk is full (${said}). Free some space; nothing was lost.`;
  const forbidden = `does not let ${user} do what is needed (${said}). GRANT ALL ON the database ${location.path} to ${user}.`;
  const sentences: Readonly<Record<number, string>> = {
    1045: denied,
    1044: denied,
    1698: denied,
    1130: denied,
    1049: `has no database "${location.path}". Create it (CREATE DATABASE ${location.path}), or correct the store's url.`,
    1142: forbidden,
    1143: forbidden,
    1227: forbidden,
    1040: `has no connection left (${said}). Raise max_connections there; each arbiter needs two.`,
    1205: `is locked: another process's transaction did not end within ${lockSecondsOf(place)} s. Find it with SHOW ENGINE INNODB STATUS.`,
    1290: readOnly,
    1792: readOnly,
    1836: readOnly,
    1021: full,
    1114: full,
    1153: `can't take so much at once (${said}). Raise max_allowed_packet there.`,
    1146: `has lost its tables (${said}). Restore a backup, or restart every arbiter that uses it to begin with an empty store.`,
    1054: `has tables called ${location.prefix}_… that Arbiter did not make (${said}). Choose another "prefix" in the store's url.`,
    3159: `wants TLS (${said}). Add "tls=1" or "tls_ca=FILE" to the store's url.`,
  };
  const text = sentences[errno] ?? `refused the request (${errno}: ${said}).`;
  return new EngineTrouble(
    text,
    { isLost: LOST.has(errno), isOfCall: OF_CALL.has(errno), isCertain: CERTAIN.has(errno) },
    { cause: error },
  );
}

/** Shutdown, killed, timed out for lack of activity. */
const LOST: ReadonlySet<number> = new Set([1053, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 4031]);
/** Too large, or not to be represented. */
const OF_CALL: ReadonlySet<number> = new Set([1153, 1366, 1406, 3988]);
/** With these, not even a COMMIT that they answer has taken effect: deadlock, lock time-out. */
const CERTAIN: ReadonlySet<number> = new Set([1205, 1213]);
