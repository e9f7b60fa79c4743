/**
 * Takes what programs publish into the event log, and answers once it is durable (I5).
 *
 * What waits together goes in one commit, one commit at a time: however many publish, the leader's
 * beat waits for one of them at most. Each publication has an identity, so a commit whose answer
 * was lost is simply sent again: the store appends it once.
 */
import type { EventDraft, LoggedEvent, Publication } from "../core/model.ts";
import { messageOf } from "../protocol/errors.ts";
import { StoreFenced } from "../store/contract.ts";
import type { Committed, Store } from "../store/contract.ts";

/** Fits the smallest transaction of all engines (etcd's 128 operations) beside a leader's own. */
const MOST_AT_ONCE = 50;
/** A third of what etcd and ZooKeeper take at once. */
const MOST_BYTES_AT_ONCE = 300 * 1024;
/** Some seconds' worth: who comes on top is told to slow down instead of waiting in vain. */
const MOST_WAITING = 2_000;
const RETRY_MS = 100;
/** Below what clients wait for an answer. */
const DEADLINE_MS = 6_000;

export type PublishAnswer =
  | { readonly kind: "published"; readonly seq: number; readonly repeated: boolean }
  /** The key stands for something else already. */
  | { readonly kind: "contradicted"; readonly seq: number }
  /** More waits than can be written soon. */
  | { readonly kind: "overloaded" }
  | { readonly kind: "standby" }
  /** It may be in the log: the same sent again finds out. */
  | { readonly kind: "unknown"; readonly text: string };

export interface PublisherOptions {
  readonly store: Pick<Store, "commit" | "events">;
  /** null: this arbiter doesn't lead, or the store is known to be away. */
  term(): number | null;
  now(): number;
  onLogged(events: readonly LoggedEvent[]): void;
  /** For the metrics. */
  onAnswer?(answer: PublishAnswer): void;
}

interface Waiting {
  readonly draft: EventDraft & { readonly publication: Publication };
  readonly bytes: number;
  readonly untilMs: number;
  readonly answer: (answer: PublishAnswer) => void;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #waiting: Waiting[] = [];
  #isWriting = false;
  #isClosed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  async publish(draft: Waiting["draft"]): Promise<PublishAnswer> {
    const answer = await this.#publish(draft);
    this.#options.onAnswer?.(answer);
    return answer;
  }

  #publish(draft: Waiting["draft"]): Promise<PublishAnswer> {
    if (this.#options.term() === null || this.#isClosed) return Promise.resolve({ kind: "standby" });
    if (this.#waiting.length >= MOST_WAITING) return Promise.resolve({ kind: "overloaded" });
    const { promise, resolve } = Promise.withResolvers<PublishAnswer>();
    const bytes = Buffer.byteLength(JSON.stringify(draft));
    this.#waiting.push({ draft, bytes, untilMs: this.#options.now() + DEADLINE_MS, answer: resolve });
    if (!this.#isWriting) void this.#write();
    return promise;
  }

  close(): void {
    this.#isClosed = true;
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    // What is sent in the same turn of the loop goes together.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#commit(this.#take());
    this.#isWriting = false;
  }

  #take(): readonly Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((waiting, index) => {
      bytes += waiting.bytes;
      return index > 0 && (index === MOST_AT_ONCE || bytes > MOST_BYTES_AT_ONCE);
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    for (;;) {
      const term = this.#options.term();
      if (term === null || this.#isClosed) {
        answerAll(batch, { kind: "standby" });
        return;
      }
      try {
        const events = batch.map(({ draft }) => ({ ...draft, term }));
        const commit = { commitId: 0, term, changes: [], settings: null, configuration: null, events };
        const done = await this.#options.store.commit(commit);
        this.#options.onLogged(done.events);
        await this.#answer(batch, done);
        return;
      } catch (error) {
        if (error instanceof StoreFenced) {
          answerAll(batch, { kind: "standby" });
          return;
        }
        const [first] = batch;
        if (first === undefined || this.#options.now() >= first.untilMs) {
          answerAll(batch, { kind: "unknown", text: messageOf(error) });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async #answer(batch: readonly Waiting[], { events, repeats }: Committed): Promise<void> {
    const repeated = new Map(repeats.map(({ index, seq }) => [index, seq]));
    let next = 0;
    for (const [index, { draft, answer }] of batch.entries()) {
      const known = repeated.get(index);
      if (known === undefined) {
        const seq = events[next]?.seq ?? 0;
        next += 1;
        answer({ kind: "published", seq, repeated: false });
        continue;
      }
      answer(await this.#repeat(draft.publication, known));
    }
  }

  /** The same again is answered as the first time; something else under its key is an error of the sender's. */
  async #repeat(sent: Publication, seq: number): Promise<PublishAnswer> {
    try {
      const [logged] = await this.#options.store.events(seq - 1, 1);
      const known = logged?.seq === seq ? logged.publication : undefined;
      // Removed in this moment: it was the same key, and no more can be said.
      if (known === undefined || isSame(known, sent)) return { kind: "published", seq, repeated: true };
      return { kind: "contradicted", seq };
    } catch (error) {
      return { kind: "unknown", text: messageOf(error) };
    }
  }
}

function answerAll(batch: readonly Waiting[], given: PublishAnswer): void {
  for (const { answer } of batch) answer(given);
}

function isSame(one: Publication, other: Publication): boolean {
  return one.key === other.key && JSON.stringify(one.value) === JSON.stringify(other.value);
}
