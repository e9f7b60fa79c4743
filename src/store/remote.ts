/**
 * The store contract on top of an engine that is reached over a network.
 *
 * Writes go in groups, one group at a time: what comes while one is on its way shares the next
 * transaction, and one sync to disk. Reads go at once. Every call has an answer by its time-out:
 * one that is given up is *refused* if the request that decides was never sent, else *unknown*.
 * Its connection is dropped with it, so that a late answer can't be taken for another's.
 */
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
import { Attempt, EngineTrouble, type StoreEngine } from "./engine.ts";
import type { WriteAnswer, WriteCall } from "./group.ts";

/** A bound on how long the first of a group waits for the last. */
const LARGEST_GROUP = 64;

interface Waiting {
  readonly call: WriteCall;
  readonly timer: NodeJS.Timeout;
  /** It has its answer: it must not be carried out any more. */
  isOver: boolean;
  resolve(answer: WriteAnswer): void;
  reject(error: Error): void;
}

export interface RemoteOptions {
  readonly description: string;
  readonly callTimeoutMs: number;
}

/** Opens the engine or rejects with a sentence; nothing is left running then. */
export async function openRemoteStore(engine: StoreEngine, options: RemoteOptions): Promise<Store> {
  const store = new RemoteStore(engine, options);
  try {
    await store.open();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class RemoteStore implements Store {
  readonly description: string;
  readonly #engine: StoreEngine;
  readonly #callTimeoutMs: number;
  readonly #watches = new Set<() => void>();
  readonly #attempts = new Set<AbortController>();
  #waiting: Waiting[] = [];
  /** The group on its way, and how it is given up. */
  #group: { readonly members: readonly Waiting[]; readonly abort: AbortController } | null = null;
  #closed: Promise<void> | null = null;

  constructor(engine: StoreEngine, options: RemoteOptions) {
    this.#engine = engine;
    this.description = options.description;
    this.#callTimeoutMs = options.callTimeoutMs;
  }

  async open(): Promise<void> {
    await this.#read((attempt) => this.#engine.open(attempt));
  }

  leadership(): Promise<LeadershipRecord | null> {
    return this.#read((attempt) => this.#engine.leadership(attempt));
  }

  async campaign(
    expected: LeadershipRecord | null,
    next: LeadershipRecord,
  ): Promise<{ readonly won: boolean; readonly record: LeadershipRecord | null }> {
    const answer = await this.#write({ kind: "campaign", expected, next });
    if (answer.kind !== "campaigned") throw new Error(`The store answered a campaign with ${answer.kind}.`);
    return { won: answer.won, record: answer.record };
  }

  load(): Promise<StoreContents> {
    return this.#read((attempt) => this.#engine.load(attempt));
  }

  async commit(commit: Commit): Promise<Committed> {
    const answer = await this.#write({ kind: "commit", commit });
    if (answer.kind === "fenced") throw new StoreFenced(answer.why);
    if (answer.kind !== "committed") throw new Error(`The store answered a commit with ${answer.kind}.`);
    return { revision: answer.revision, events: answer.events, repeats: answer.repeats };
  }

  events(after: number, limit: number): Promise<readonly LoggedEvent[]> {
    return this.#read((attempt) => this.#engine.events(after, limit, attempt));
  }

  configurations(limit: number): Promise<readonly ConfigurationVersion[]> {
    return this.#read((attempt) => this.#engine.configurations(limit, attempt));
  }

  note(name: NoteName): Promise<string | null> {
    return this.#read((attempt) => this.#engine.note(name, attempt));
  }

  /** Repeating a piece is harmless: what is old enough goes, however often it is asked for. */
  async trim(beforeWallMs: number): Promise<number> {
    let total = 0;
    for (;;) {
      const { removed, more } = await this.#read((attempt) => this.#engine.trim(beforeWallMs, attempt));
      total += removed;
      if (!more) return total;
    }
  }

  watch(onChange: () => void): () => void {
    if (this.#closed !== null) return () => {};
    const endWatch = this.#engine.watch(onChange);
    const end = (): void => {
      if (this.#watches.delete(end)) endWatch();
    };
    this.#watches.add(end);
    return end;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const end of this.#watches) end();
    for (const waiting of this.#waiting.splice(0)) this.#fail(waiting, this.#isClosed());
    for (const abort of this.#attempts) abort.abort(new EngineTrouble("is closed."));
    await this.#engine.close();
  }

  #isClosed(): StoreUnavailable {
    return new StoreUnavailable(`The store ${this.description} is closed.`, "refused");
  }

  /** What changes nothing, or may be done twice. A connection that turns out to be gone is replaced once. */
  async #read<T>(run: (attempt: Attempt) => Promise<T>): Promise<T> {
    if (this.#closed !== null) throw this.#isClosed();
    const abort = this.#beginAttempt();
    const timer = setTimeout(() => abort.abort(this.#late()), this.#callTimeoutMs);
    const attempt = new Attempt(abort.signal);
    try {
      return await orAborted(attempt, () => twice(attempt, () => run(attempt)));
    } catch (error) {
      throw this.#unavailable(error, attempt);
    } finally {
      clearTimeout(timer);
      this.#attempts.delete(abort);
    }
  }

  #write(call: WriteCall): Promise<WriteAnswer> {
    if (this.#closed !== null) return Promise.reject(this.#isClosed());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#giveUp(waiting), this.#callTimeoutMs);
      const waiting: Waiting = { call, timer, isOver: false, resolve, reject };
      this.#waiting.push(waiting);
      if (this.#group === null) void this.#drain();
    });
  }

  #giveUp(waiting: Waiting): void {
    if (this.#group?.members.includes(waiting) === true) {
      this.#group.abort.abort(this.#late());
      return;
    }
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
    this.#fail(waiting, this.#unavailable(this.#late(), null));
  }

  #late(): EngineTrouble {
    return new EngineTrouble(
      `did not answer within ${this.#callTimeoutMs} ms: the server or the network hangs or is overloaded. Look at both.`,
    );
  }

  async #drain(): Promise<void> {
    // What is called in the same turn of the loop goes together.
    await Promise.resolve();
    while (this.#waiting.length > 0 && this.#closed === null) {
      const members = this.#waiting.splice(0, LARGEST_GROUP);
      const culprits = await this.#serve(members);
      // One of them can't be carried out: then each stands for itself.
      for (const one of culprits) if (!one.isOver) await this.#serve([one]);
    }
  }

  /** Resolves to those that are to be tried again one by one. */
  async #serve(members: readonly Waiting[]): Promise<readonly Waiting[]> {
    const abort = this.#beginAttempt();
    this.#group = { members, abort };
    const attempt = new Attempt(abort.signal);
    const calls = members.map(({ call }) => call);
    try {
      const answers = await orAborted(attempt, () =>
        twice(attempt, () => this.#engine.transact(calls, attempt)),
      );
      for (const [index, waiting] of members.entries()) this.#settle(waiting, answers[index]);
      return [];
    } catch (error) {
      const isOfCall = error instanceof EngineTrouble && error.isOfCall && !isUnknown(error, attempt);
      if (isOfCall && members.length > 1) return members;
      for (const waiting of members) this.#fail(waiting, this.#unavailable(error, attempt));
      return [];
    } finally {
      this.#attempts.delete(abort);
      this.#group = null;
    }
  }

  #beginAttempt(): AbortController {
    const abort = new AbortController();
    this.#attempts.add(abort);
    return abort;
  }

  #settle(waiting: Waiting, answer: WriteAnswer | undefined): void {
    clearTimeout(waiting.timer);
    waiting.isOver = true;
    if (answer === undefined) waiting.reject(new Error("The store's engine left a call without an answer."));
    else waiting.resolve(answer);
  }

  #fail(waiting: Waiting, error: Error): void {
    clearTimeout(waiting.timer);
    waiting.isOver = true;
    waiting.reject(error);
  }

  #unavailable(error: unknown, attempt: Attempt | null): StoreUnavailable {
    const said = error instanceof EngineTrouble ? error.message : `failed: ${messageOf(error)}`;
    const outcome = isUnknown(error, attempt) ? "unknown" : "refused";
    return new StoreUnavailable(`The store ${this.description} ${said}`, outcome, { cause: error });
  }
}

function isUnknown(error: unknown, attempt: Attempt | null): boolean {
  return attempt?.mayBeApplied === true && !(error instanceof EngineTrouble && error.isCertain);
}

/** A connection that the server closed while nobody used it is found out by using it. */
async function twice<T>(attempt: Attempt, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const mayTry = error instanceof EngineTrouble && error.isLost && !attempt.mayBeApplied;
    if (!mayTry || attempt.signal.aborted) throw error;
    return run();
  }
}

/** The answer, or at once the reason for which the call was given up. */
function orAborted<T>(attempt: Attempt, run: () => Promise<T>): Promise<T> {
  const { signal } = attempt;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(asError(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    run()
      .then(resolve, (error: unknown) => reject(asError(error)))
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
