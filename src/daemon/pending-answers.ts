/**
 * Requests that wait for the core's answer. It nearly always comes in the same turn of the loop;
 * a promise may wait for its memory to reach the disk. One whose memory can't be written is never
 * answered by the core: after a while the caller is told so, and that is no promise.
 */
import type { ArbiterAddress, Assignment, PromiseAnswer } from "../core/messages.ts";
import type { AssignmentAnswer } from "./control-server.ts";

/** Longer than any disk that is fit for use takes to sync; an asker has long given up by then. */
const GIVE_UP_AFTER_MS = 5000;

export class PendingAnswers {
  readonly #assignments = new Map<
    string,
    { readonly sender: SenderOf; readonly resolve: (answer: AssignmentAnswer | null) => void }
  >();
  readonly #promises = new Map<string, (answer: PromiseAnswer | null) => void>();
  #next = 1;
  #isClosed = false;

  /** `ask` pushes the event with the id that the answer will carry. */
  async assignment(
    { leader, arbiters }: Assignment,
    ask: (requestId: string) => void,
  ): Promise<AssignmentAnswer | null> {
    if (this.#isClosed) return null;
    const requestId = this.#id();
    const { promise, resolve } = Promise.withResolvers<AssignmentAnswer | null>();
    this.#assignments.set(requestId, { sender: { leader, arbiters }, resolve });
    ask(requestId);
    return await promise;
  }

  async promise(ask: (requestId: string) => void): Promise<PromiseAnswer | null> {
    if (this.#isClosed) return null;
    const requestId = this.#id();
    const { promise, resolve } = Promise.withResolvers<PromiseAnswer | null>();
    const giveUp = setTimeout(() => {
      this.#promises.delete(requestId);
      resolve(null);
    }, GIVE_UP_AFTER_MS);
    giveUp.unref();
    this.#promises.set(requestId, (answer) => {
      clearTimeout(giveUp);
      resolve(answer);
    });
    ask(requestId);
    return await promise;
  }

  /** Who sent the assignment that is answered. */
  answer(requestId: string, answer: AssignmentAnswer): SenderOf | null {
    const waiting = this.#assignments.get(requestId);
    this.#assignments.delete(requestId);
    waiting?.resolve(answer);
    return waiting?.sender ?? null;
  }

  answerPromise(requestId: string, answer: PromiseAnswer): void {
    const resolve = this.#promises.get(requestId);
    this.#promises.delete(requestId);
    resolve?.(answer);
  }

  /** Nobody is answered any more: who waits, or still comes, is told so. */
  close(): void {
    this.#isClosed = true;
    for (const { resolve } of this.#assignments.values()) resolve(null);
    for (const resolve of this.#promises.values()) resolve(null);
    this.#assignments.clear();
    this.#promises.clear();
  }

  #id(): string {
    const id = String(this.#next);
    this.#next += 1;
    return id;
  }
}

/** Who leads, and all that are known, as an assignment says. */
export interface SenderOf {
  readonly leader: ArbiterAddress;
  readonly arbiters: readonly ArbiterAddress[];
}
