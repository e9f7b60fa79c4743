/**
 * The SQLite engine, the default: one file, one machine. Several processes may share it.
 *
 * This half sends each call to the thread that holds the database and waits for its answer. A
 * thread that dies, or a disk that doesn't answer, rejects what waits: reads as refused, writes as
 * *unknown*, since they may have reached the disk; the next call starts a new thread.
 */
import { watch as watchFolder, type FSWatcher } from "node:fs";
import { basename, dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Commit, ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord, LoggedEvent } from "../core/model.ts";
import {
  StoreFenced,
  StoreUnavailable,
  type Committed,
  type NoteName,
  type Store,
  type StoreContents,
} from "./contract.ts";
import {
  writes,
  type SqliteAnswer,
  type SqliteCallName,
  type SqliteCalls,
  type SqliteOptions,
} from "./sqlite-calls.ts";

export interface SqliteStoreOptions extends SqliteOptions {
  /** A call that the disk has not answered by then is given up. */
  readonly callTimeoutMs: number;
}

interface Waiting {
  readonly name: SqliteCallName;
  readonly timer: NodeJS.Timeout;
  resolve(out: SqliteCalls[SqliteCallName]["out"]): void;
  reject(error: Error): void;
}

/** The thread's file has the extension of this one: `.ts` from source, `.js` once built. */
const THREAD = new URL(`./sqlite-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
/** Events removed in one transaction: about 5 ms, so that a beat behind it isn't late. */
const TRIM_PIECE = 5_000;
/** How often a change of another process is looked for after the file was written: its sync may take long. */
const LOOKS_MS = [1, 5, 20, 100, 400] as const;

/** Opens the file or rejects with a sentence; nothing runs then. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const store = new SqliteStore(options);
  try {
    await store.open();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class SqliteStore implements Store {
  readonly description: string;
  readonly #options: SqliteStoreOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watches = new Set<() => void>();
  #thread: Worker | null = null;
  #nextId = 1;
  #closed = false;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    this.description = options.description;
  }

  async open(): Promise<void> {
    await this.#call("open", null);
  }

  leadership(): Promise<LeadershipRecord | null> {
    return this.#call("leadership", null);
  }

  campaign(
    expected: LeadershipRecord | null,
    next: LeadershipRecord,
  ): Promise<{ readonly won: boolean; readonly record: LeadershipRecord | null }> {
    return this.#call("campaign", { expected, next });
  }

  load(): Promise<StoreContents> {
    return this.#call("load", null);
  }

  commit(commit: Commit): Promise<Committed> {
    return this.#call("commit", commit);
  }

  note(name: NoteName): Promise<string | null> {
    return this.#call("note", { name });
  }

  events(after: number, limit: number): Promise<readonly LoggedEvent[]> {
    return this.#call("events", { after, limit });
  }

  configurations(limit: number): Promise<readonly ConfigurationVersion[]> {
    return this.#call("configurations", { limit });
  }

  async trim(beforeWallMs: number): Promise<number> {
    let removed = 0;
    for (;;) {
      const piece = await this.#call("trim", { beforeWallMs, limit: TRIM_PIECE });
      removed += piece;
      if (piece < TRIM_PIECE) return removed;
    }
  }

  /** Tells of what *other* processes have committed. */
  watch(onChange: () => void): () => void {
    const { path } = this.#options;
    const log = `${basename(path)}-wal`;
    let version: number | null = null;
    let look = 0;
    let timer: NodeJS.Timeout | null = null;
    let ended = false;

    const lookAt = async (): Promise<void> => {
      const now = await this.#call("foreignVersion", null).catch(() => null);
      if (ended || now === null) return;
      const changed = version !== null && now !== version;
      version = now;
      if (changed) onChange();
      else lookLater();
    };
    const lookLater = (): void => {
      const delayMs = LOOKS_MS[look];
      look++;
      if (delayMs === undefined) return;
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(() => void lookAt(), delayMs);
    };
    let watcher: FSWatcher | null = null;
    try {
      watcher = watchFolder(dirname(path), (_kind, file) => {
        if (file !== log) return;
        look = 0;
        lookLater();
      });
      watcher.on("error", () => {
        watcher?.close();
      });
    } catch {
      // A folder that can't be watched (no inotify watches left) is no trouble by itself: what the
      // others commit is then seen when it is read.
    }
    const end = (): void => {
      ended = true;
      watcher?.close();
      if (timer !== null) clearTimeout(timer);
      this.#watches.delete(end);
    };
    this.#watches.add(end);
    void lookAt();
    return end;
  }

  async close(): Promise<void> {
    for (const end of this.#watches) end();
    const thread = this.#thread;
    if (!this.#closed && thread !== null) {
      const exited = new Promise((resolve) => {
        thread.once("exit", resolve);
      });
      await this.#call("close", null).catch(() => thread.terminate());
      this.#closed = true;
      await exited;
    }
    this.#closed = true;
  }

  #call<Name extends SqliteCallName>(
    name: Name,
    input: SqliteCalls[Name]["in"],
  ): Promise<SqliteCalls[Name]["out"]> {
    if (this.#closed) {
      return Promise.reject(new StoreUnavailable(`The store ${this.description} is closed.`, "refused"));
    }
    const id = this.#nextId;
    this.#nextId++;
    const thread = this.#runningThread();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#giveUp(id);
      }, this.#options.callTimeoutMs);
      this.#waiting.set(id, { name, timer, resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window's
      thread.postMessage({ id, name, in: input });
    });
  }

  #runningThread(): Worker {
    if (this.#thread !== null) return this.#thread;
    const { path, description, makeFolder, busyTimeoutMs } = this.#options;
    const workerData: SqliteOptions = { path, description, makeFolder, busyTimeoutMs };
    const thread = new Worker(THREAD, { workerData, name: "arbiter-store" });
    let reason = "its thread ended";
    thread.on("message", (answer: SqliteAnswer) => {
      this.#answered(answer);
    });
    thread.on("error", (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    thread.on("exit", () => {
      if (this.#thread === thread) this.#thread = null;
      this.#lost(reason);
    });
    this.#thread = thread;
    return thread;
  }

  #take(id: number): Waiting | null {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return null;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    return waiting;
  }

  #answered(answer: SqliteAnswer): void {
    const waiting = this.#take(answer.id);
    if (waiting === null) return;
    if (answer.trouble === null) waiting.resolve(answer.out);
    else if (answer.trouble.kind === "fenced") waiting.reject(new StoreFenced(answer.trouble.message));
    else waiting.reject(new StoreUnavailable(answer.trouble.message, answer.trouble.outcome));
  }

  #giveUp(id: number): void {
    const { path, callTimeoutMs } = this.#options;
    this.#fail(
      id,
      `The store ${this.description} did not answer within ${callTimeoutMs} ms: the disk that holds ${path} hangs or is overloaded. Look at the disk.`,
    );
  }

  #lost(reason: string): void {
    for (const id of this.#waiting.keys()) {
      this.#fail(
        id,
        `The store ${this.description} failed: ${reason}. The file is ${this.#options.path}; it is opened again.`,
      );
    }
  }

  #fail(id: number, message: string): void {
    const waiting = this.#take(id);
    if (waiting === null) return;
    waiting.reject(new StoreUnavailable(message, writes(waiting.name) ? "unknown" : "refused"));
  }
}
