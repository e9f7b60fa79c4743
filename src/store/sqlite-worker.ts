/**
 * The thread that holds the SQLite database, so that no sync to disk ever stalls the loop that
 * renews leases.
 *
 * Group commit: all calls that wait in its port when it gets to them share one transaction, and
 * one sync to disk. Each is all or nothing by itself (a savepoint), they run in the order in which
 * they came, and none is answered before the transaction is on disk.
 *
 * When the database fails, the calls concerned are answered with the trouble and nothing is kept;
 * the next call tries again, on a newly opened file where the handle can't be trusted any more.
 */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import { flag, integer, parsed, word } from "../protocol/reading.ts";
import { writes, type SqliteAnswer, type SqliteCall, type SqliteOptions } from "./sqlite-calls.ts";
import { SqliteDatabase } from "./sqlite-database.ts";
import { needsReopening, troubleOf } from "./sqlite-trouble.ts";

/** A bound on how long the first of a group waits for the last. */
const LARGEST_GROUP = 64;

interface Served {
  readonly answered: readonly SqliteAnswer[];
  /** To be tried once more, without those answered. */
  readonly again: readonly SqliteCall[];
}

class SqliteThread {
  readonly #port: MessagePort;
  readonly #options: SqliteOptions;
  #db: SqliteDatabase | null = null;
  #wasOpen = false;
  /** A call met an error after which the handle can't be trusted. */
  #suspect = false;

  constructor(port: MessagePort, options: SqliteOptions) {
    this.#port = port;
    this.#options = options;
  }

  listen(): void {
    this.#port.on("message", (call: SqliteCall) => {
      this.#take(call);
    });
  }

  #take(first: SqliteCall): void {
    const group = [first];
    while (group.length < LARGEST_GROUP) {
      const next: { readonly message: SqliteCall } | undefined = receiveMessageOnPort(this.#port);
      if (next === undefined) break;
      group.push(next.message);
    }
    const end = group.findIndex((call) => call.name === "close");
    for (const answer of this.#serve(end === -1 ? group : group.slice(0, end))) this.#send(answer);
    const close = group[end];
    if (close !== undefined) this.#close(close);
  }

  #close(call: SqliteCall): void {
    this.#drop();
    this.#send({ id: call.id, out: null, trouble: null });
    this.#port.close();
  }

  #send(answer: SqliteAnswer): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window's
    this.#port.postMessage(answer);
  }

  /** Serves a group; a call whose failure undid the whole transaction is left out of the next try. */
  #serve(group: readonly SqliteCall[]): SqliteAnswer[] {
    const answers: SqliteAnswer[] = [];
    let left = group;
    while (left.length > 0) {
      const { answered, again } = this.#transact(left);
      answers.push(...answered);
      left = again;
    }
    return answers;
  }

  #transact(group: readonly SqliteCall[]): Served {
    const anyWrites = group.some((call) => writes(call.name));
    let db: SqliteDatabase;
    try {
      db = this.#open();
      db.assertInPlace();
    } catch (error) {
      return { answered: this.#allFailed(group, error, false), again: [] };
    }
    try {
      db.exec(anyWrites ? "BEGIN IMMEDIATE" : "BEGIN");
    } catch (error) {
      return this.#writesFailed(group, error, false);
    }
    const answers: SqliteAnswer[] = [];
    for (const call of group) {
      answers.push(this.#runOne(db, call));
      if (this.#db !== db || !db.isTransaction) {
        // All of it was undone: only the call that it failed at is at fault.
        return { answered: answers.slice(-1), again: group.filter((other) => other !== call) };
      }
    }
    try {
      db.exec("COMMIT");
    } catch (error) {
      return this.#writesFailed(group, error, true);
    }
    if (this.#suspect) this.#drop();
    return { answered: answers, again: [] };
  }

  #runOne(db: SqliteDatabase, call: SqliteCall): SqliteAnswer {
    try {
      db.exec("SAVEPOINT one");
      const out = db.run(call);
      db.exec("RELEASE one");
      return { id: call.id, out, trouble: null };
    } catch (error) {
      if (needsReopening(error)) this.#suspect = true;
      if (db.isTransaction) this.#undo(db, "ROLLBACK TO one; RELEASE one");
      return this.#failed(call, error, false);
    }
  }

  #failed(call: SqliteCall, error: unknown, whileCommitting: boolean): SqliteAnswer {
    const committing = whileCommitting && writes(call.name);
    return { id: call.id, out: null, trouble: troubleOf(error, this.#options, committing) };
  }

  /** What only reads has a chance of its own: a full disk or a lock doesn't stop it. */
  #writesFailed(group: readonly SqliteCall[], error: unknown, whileCommitting: boolean): Served {
    const failed = group.filter((call) => writes(call.name));
    if (failed.length === 0) return { answered: this.#allFailed(group, error, false), again: [] };
    return {
      answered: this.#allFailed(failed, error, whileCommitting),
      again: group.filter((call) => !writes(call.name)),
    };
  }

  #allFailed(group: readonly SqliteCall[], error: unknown, whileCommitting: boolean): SqliteAnswer[] {
    if (this.#db?.isTransaction === true) this.#undo(this.#db, "ROLLBACK");
    if (needsReopening(error)) this.#drop();
    return group.map((call) => this.#failed(call, error, whileCommitting));
  }

  #undo(db: SqliteDatabase, sql: string): void {
    try {
      db.exec(sql);
    } catch {
      // Closing the handle undoes it for sure.
      this.#drop();
    }
  }

  #open(): SqliteDatabase {
    if (this.#db === null) {
      this.#db = new SqliteDatabase(this.#options, !this.#wasOpen);
      this.#wasOpen = true;
    }
    return this.#db;
  }

  #drop(): void {
    const db = this.#db;
    this.#db = null;
    this.#suspect = false;
    try {
      db?.close();
    } catch {
      // A handle in trouble may refuse to close; the file is safe, it is just not used any more.
    }
  }
}

function readOptions(data: unknown): SqliteOptions {
  const options = parsed(data, (from) => ({
    path: word(from, "path", 4096),
    description: word(from, "description", 4096),
    makeFolder: flag(from, "makeFolder"),
    busyTimeoutMs: integer(from, "busyTimeoutMs", 0),
  }));
  if (!options.ok) throw new Error(`The store's thread was started wrongly: ${options.error}`);
  return options.value;
}

if (parentPort !== null) new SqliteThread(parentPort, readOptions(workerData)).listen();
