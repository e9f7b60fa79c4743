/**
 * What a guard has answered, read in passing.
 *
 * It answers each line within a millisecond, and that only ever matters when it doesn't. So nobody is woken for
 * an answer: it stays in its pipe until the next line is written, or until someone has to know. Who reads
 * first and judges afterwards can't take a guard for silent whose answer lay here unread.
 */
import { closeSync, readSync } from "node:fs";
import type { Pipe } from "./pipes.ts";

/** What the guard says of a group, and of a lease's new end; anything else answers no line. */
export const WATCHING = "watching ";
export const NOTED = ".";

/** Far more than lies there; used again and again, since this runs with every renewal. */
const buffer = Buffer.alloc(1024);

export class GuardAnswers {
  readonly #pipe: Pipe;
  /** When each line was written that has no answer yet, oldest first. */
  #askedAtMs: number[] = [];
  #unfinished = "";
  #watched = 0;
  #isClosed = false;
  #hasSpoken = false;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** The guard writes here. */
  get writeDescriptor(): number {
    return this.#pipe.writeDescriptor;
  }

  /** Whether this guard has answered anything yet. */
  get hasSpoken(): boolean {
    return this.#hasSpoken;
  }

  /** A line has been written. */
  asked(nowMs: number): void {
    this.#askedAtMs.push(nowMs);
  }

  /** Since when the oldest line waits for its answer; null: none does. */
  read(): number | null {
    if (this.#askedAtMs.length > 0) this.#take();
    return this.#askedAtMs[0] ?? null;
  }

  /** Whether it has answered all, and has last said to watch over this group. */
  isWatching(pgid: number): boolean {
    return this.read() === null && this.#watched === pgid;
  }

  /** Another guard begins: what the one before it said, or owes, says nothing of it. */
  forget(): void {
    this.#take();
    this.#askedAtMs = [];
    this.#unfinished = "";
    this.#watched = 0;
    this.#hasSpoken = false;
  }

  close(): void {
    this.#isClosed = true;
    closeSync(this.#pipe.writeDescriptor);
    closeSync(this.#pipe.readDescriptor);
  }

  #take(): void {
    // The numbers may be another file's by now.
    if (this.#isClosed) return;
    const lines = (this.#unfinished + this.#readAll()).split("\n");
    this.#unfinished = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith(WATCHING)) this.#watched = Number(line.slice(WATCHING.length));
      if (!line.startsWith(WATCHING) && line !== NOTED) continue;
      this.#askedAtMs.shift();
      this.#hasSpoken = true;
    }
  }

  #readAll(): string {
    let said = "";
    for (;;) {
      const length = this.#readSome();
      said += buffer.toString("latin1", 0, length);
      if (length < buffer.length) return said;
    }
  }

  #readSome(): number {
    try {
      return readSync(this.#pipe.readDescriptor, buffer);
    } catch {
      // Nothing is there at the moment.
      return 0;
    }
  }
}
