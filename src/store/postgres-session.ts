/**
 * One connection to PostgreSQL: made, checked and prepared; its errors as sentences.
 *
 * A transaction that its client leaves open (a frozen process) is ended by the server after
 * `LONGEST_IDLE_MS`, so that it never keeps the others out. That is about waiting, not about
 * safety: what was not committed by then is gone, and its client is told.
 */
import { Socket } from "node:net";
import type { Client, QueryResultRow } from "pg";
import { EngineTrouble, connectionTrouble, type Attempt } from "./engine.ts";
import { endpointName, identityOf, type StoreLocation } from "./location.ts";

/** Between two requests of one transaction lie microseconds, unless the process is stopped. */
const LONGEST_IDLE_MS = 700;
/** PostgreSQL 10 is the first whose three-part versions ended; older ones are long without support. */
const OLDEST_VERSION = 100_000;

export interface PostgresPlace {
  readonly location: StoreLocation;
  /** For how long another process's transaction is waited for. */
  readonly lockTimeoutMs: number;
}

export class PostgresSession {
  readonly #place: PostgresPlace;
  readonly #socket = new Socket();
  readonly #ready: Promise<Client>;
  #isOver = false;

  constructor(place: PostgresPlace) {
    this.#place = place;
    this.#ready = this.#connect();
    // Whoever uses it gets the error; until then it is nobody's.
    this.#ready.catch(() => {});
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Runs `work` on this connection; it is dropped if the attempt is given up. */
  async use<T>(attempt: Attempt, work: (client: Client) => Promise<T>): Promise<T> {
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
    const client = await this.#ready.catch(() => null);
    await client?.end().catch(() => {});
    this.#socket.destroy();
  }

  onNotification(listener: (payload: string) => void): void {
    this.#ready
      .then((client) => client.on("notification", ({ payload }) => listener(payload ?? "")))
      // Whoever uses it is told of it.
      .catch(() => {});
  }

  /** Resolves once the connection is gone. */
  over(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.once("close", () => resolve());
    });
  }

  async #connect(): Promise<Client> {
    // Only who has chosen this engine loads its driver.
    const { Client: PgClient } = (await import("pg")).default;
    const { endpoints, user, password, path, tls } = this.#place.location;
    const endpoint = endpoints[0] ?? { host: "localhost", port: 5432 };
    const client = new PgClient({
      host: endpoint.host,
      port: endpoint.port,
      ...(user === null ? {} : { user }),
      ...(password === null ? {} : { password }),
      database: path,
      ssl: tls === null ? false : { ...tls, checkServerIdentity: identityOf(tls, endpoint.host) },
      application_name: "arbiter",
      keepAlive: true,
      stream: () => this.#socket,
    });
    client.on("error", () => this.drop());
    client.on("end", () => this.drop());
    try {
      await client.connect();
      await this.#prepare(client);
    } catch (error) {
      this.drop();
      throw error;
    }
    return client;
  }

  async #prepare(client: Client): Promise<void> {
    const found = await client.query<QueryResultRow>(
      `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS name,
         pg_is_in_recovery() AS standby, current_setting('server_encoding') AS encoding,
         current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS sync`,
    );
    const { version, name, standby, encoding, fsync, sync } = found.rows[0] ?? {};
    const refusal = unsuitable({ version, name, standby, encoding, fsync });
    if (refusal !== null) throw new EngineTrouble(refusal, { isCertain: true });
    // The wait for a lock outlasts a frozen process's transaction.
    // What COMMIT has returned from must survive a crash of the server (I5).
    const sync_ = sync === "off" ? "SET synchronous_commit = on;" : "";
    await client.query(
      `${sync_} SET idle_in_transaction_session_timeout = ${LONGEST_IDLE_MS};
       SET lock_timeout = ${this.#place.lockTimeoutMs + LONGEST_IDLE_MS}; SET default_transaction_isolation = 'read committed'`,
    );
  }

  #troubleOf(error: unknown): unknown {
    if (error instanceof EngineTrouble) return error;
    const { location } = this.#place;
    const where = location.endpoints.map((endpoint) => endpointName(endpoint)).join(", ");
    const known = connectionTrouble(error, where) ?? statedTrouble(error, this.#place);
    if (known !== null) return known;
    const said = error instanceof Error ? error.message : String(error);
    if (/password must be a string/u.test(said)) {
      const text =
        'wants a password, and the store\'s url has none. Add it, best in a file that "url_file" names.';
      return new EngineTrouble(text, { isCertain: true }, { cause: error });
    }
    if (/does not support SSL/u.test(said)) {
      const text = `can't be reached safely: the server does not offer TLS. Turn it on there, or leave "tls" out of the store's url.`;
      return new EngineTrouble(text, { isCertain: true }, { cause: error });
    }
    if (this.#isOver || /terminated|not queryable|connection error/iu.test(said)) {
      const text = `broke the connection (${where}: ${said}). It is tried again; look at the server's log if this goes on.`;
      return new EngineTrouble(text, { isLost: true }, { cause: error });
    }
    return error;
  }
}

/** Why this server can't keep a store; null: it can. */
export function unsuitable(server: Readonly<Record<string, unknown>>): string | null {
  const { version, name, standby, encoding, fsync } = server;
  if (typeof version !== "number" || version < OLDEST_VERSION) {
    return `runs PostgreSQL ${String(name)}, and Arbiter needs version 10 or later. Upgrade the server.`;
  }
  if (standby === true) {
    return "is a standby that only copies another server. Give the primary's address in the store's url.";
  }
  if (encoding !== "UTF8") {
    return `has the encoding ${String(encoding)}. Make a database with ENCODING 'UTF8' TEMPLATE template0 and name it in the store's url.`;
  }
  if (fsync === "off") {
    return "runs with fsync = off: after a crash it would have forgotten what it acknowledged. Turn fsync on in postgresql.conf.";
  }
  return null;
}

/** What the server itself says, by its SQLSTATE. */
function statedTrouble(error: unknown, { location, lockTimeoutMs }: PostgresPlace): EngineTrouble | null {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return null;
  if (!/^[0-9A-Z]{5}$/u.test(error.code)) return null;
  const said = error.message;
  const user = location.user ?? "this system user";
  const sentences: Readonly<Record<string, string>> = {
    "28P01": `refused the password of ${user}. Correct user and password in the store's url.`,
    "28000": `refused ${user} (${said}). Correct the user in the store's url, add "tls=1" if the server wants TLS, or look at pg_hba.conf.`,
    "3D000": `has no database "${location.path}". Create it (createdb ${location.path}), or correct the store's url.`,
    "42501": `does not let ${user} do what is needed (${said}). Make ${user} the owner of the database, or grant CREATE on its schema.`,
    "25006":
      "only reads by now: it has become a standby, or default_transaction_read_only is set. Give the primary's address.",
    "53300": `has no connection left (${said}). Raise max_connections there; each arbiter needs three.`,
    "53100": `can't be written: its disk is full (${said}). Free some space; nothing was lost.`,
    "55P03": `is locked: another process's transaction did not end within ${lockTimeoutMs + LONGEST_IDLE_MS} ms. Find it in pg_stat_activity.`,
    "57P03": `is starting up or shutting down (${said}). It is tried again.`,
    "42P01": `has lost its tables (${said}). Restore a backup, or restart every arbiter that uses it to begin with an empty store.`,
    "42703": `has tables called ${location.prefix}_… that Arbiter did not make (${said}). Choose another "prefix" in the store's url.`,
  };
  const cls = error.code.slice(0, 2);
  const isLost = cls === "08" || cls === "57" || error.code === "25P03";
  const text = sentences[error.code] ?? `refused the request (${error.code}: ${said}).`;
  const isOfCall = cls === "22" || cls === "54";
  return new EngineTrouble(text, { isLost, isOfCall, isCertain: isCertain(error.code) }, { cause: error });
}

/** With these, not even a COMMIT that they answer has taken effect. */
function isCertain(code: string): boolean {
  const cls = code.slice(0, 2);
  return (cls === "40" && code !== "40003") || cls === "23" || cls === "28" || code === "25P03";
}
