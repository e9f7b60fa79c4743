/**
 * A file for a program's output that doesn't grow without end: `FILE`, then `FILE.1`, `FILE.2` …, the
 * newest first. Written beside the loop, in order; what can't be written (a full disk) is dropped and
 * said once a minute, since a program must not stand still for its log.
 */
import { closeSync, fstatSync, openSync, renameSync, rmSync, write } from "node:fs";
import { Writable } from "node:stream";
import { ArbiterError, codeOf, messageOf } from "../protocol/errors.ts";

const COMPLAIN_EVERY_MS = 60_000;
const MODE = 0o640;

export interface RotatingFileOptions {
  readonly file: string;
  readonly rotateAtBytes: number;
  /** Old ones beside the one that is written; 0: none. */
  readonly kept: number;
  readonly onProblem: (text: string) => void;
}

export class RotatingFile extends Writable {
  readonly #options: RotatingFileOptions;
  #descriptor: number;
  #bytes: number;
  #complainedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RotatingFileOptions) {
    super({ highWaterMark: 262_144 });
    this.#options = options;
    try {
      this.#descriptor = openSync(options.file, "a", MODE);
    } catch (error) {
      throw new ArbiterError("ERR_ARB_LAUNCHER", `${options.file} can't be written: ${messageOf(error)}.`, {
        cause: error,
      });
    }
    this.#bytes = fstatSync(this.#descriptor).size;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#bytes > 0 && this.#bytes + chunk.length > this.#options.rotateAtBytes) this.#rotate();
    this.#append(chunk, done);
  }

  override _final(done: () => void): void {
    closeSync(this.#descriptor);
    done();
  }

  #append(chunk: Buffer, done: () => void): void {
    write(this.#descriptor, chunk, (error, length) => {
      if (error !== null) {
        this.#complain(error);
        done();
        return;
      }
      this.#bytes += length;
      if (length < chunk.length) this.#append(chunk.subarray(length), done);
      else done();
    });
  }

  #rotate(): void {
    const { file, kept } = this.#options;
    const aside = (index: number): string => `${file}.${index}`;
    try {
      for (let index = kept; index > 0; index -= 1) {
        renameIfThere(index === 1 ? file : aside(index - 1), aside(index));
      }
      if (kept === 0) rmSync(file, { force: true });
      const fresh = openSync(file, "a", MODE);
      closeSync(this.#descriptor);
      this.#descriptor = fresh;
      this.#bytes = fstatSync(fresh).size;
    } catch (error) {
      this.#complain(error);
      // Not tried again with every line.
      this.#bytes = 0;
    }
  }

  #complain(error: unknown): void {
    const now = performance.now();
    if (now - this.#complainedAtMs < COMPLAIN_EVERY_MS) return;
    this.#complainedAtMs = now;
    this.#options.onProblem(`${this.#options.file} can't be written: ${messageOf(error)}; output is lost`);
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}
