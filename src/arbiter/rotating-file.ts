/**
 * A file of lines that is bounded: past a size it moves aside, and some of those are kept. Written
 * synchronously, so that the last lines are there when the process is killed; not synced to disk,
 * since the event log in the store is what must survive the machine.
 *
 * A file that can't be written never stops the arbiter: the loss is said once a minute.
 */
import { renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { pino } from "pino";
import { ArbiterError, codeOf, messageOf } from "../protocol/errors.ts";

const COMPLAIN_EVERY_MS = 60_000;

type Destination = ReturnType<typeof pino.destination>;

export interface RotatingFileOptions {
  readonly folder: string;
  /** `journal` is `journal.jsonl`, and `journal.1.jsonl` … once it moved aside, the newest first. */
  readonly stem: string;
  readonly rotateAtBytes: number;
  readonly kept: number;
  /** For people: "The journal". */
  readonly title: string;
  readonly onProblem: (text: string) => void;
}

export class RotatingFile {
  readonly #file: string;
  readonly #options: RotatingFileOptions;
  readonly #destination: Destination;
  #bytes: number;
  #complainedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
    this.#file = path.join(options.folder, `${options.stem}.jsonl`);
    try {
      this.#destination = pino.destination({ dest: this.#file, sync: true, mode: 0o640 });
    } catch (error) {
      throw new ArbiterError("ERR_ARB_STATE_DIR", `${this.#file} can't be written: ${messageOf(error)}`, {
        cause: error,
      });
    }
    this.#destination.on("error", (error: unknown) => this.#complain(error));
    this.#bytes = sizeOf(this.#file);
  }

  get isFull(): boolean {
    return this.#bytes >= this.#options.rotateAtBytes;
  }

  /** One line, with its line feed. */
  write(line: string): void {
    this.#bytes += Buffer.byteLength(line);
    try {
      this.#destination.write(line);
    } catch (error) {
      this.#complain(error);
    }
  }

  close(): void {
    try {
      this.#destination.flushSync();
    } catch (error) {
      this.#complain(error);
    }
    this.#destination.destroy();
  }

  /** `journal.jsonl` → `journal.1.jsonl` → … → gone. */
  rotate(): void {
    const { kept } = this.#options;
    const aside = (index: number): string => this.#file.replace(/\.jsonl$/u, `.${index}.jsonl`);
    try {
      rmSync(aside(kept), { force: true });
      for (let index = kept - 1; index > 0; index -= 1) renameIfThere(aside(index), aside(index + 1));
      renameSync(this.#file, aside(1));
      this.#destination.reopen();
    } catch (error) {
      this.#complain(error);
    }
    // Where it failed, it is tried again after as much again, not at each line.
    this.#bytes = 0;
  }

  #complain(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedAtMs < COMPLAIN_EVERY_MS) return;
    this.#complainedAtMs = nowMs;
    const { title, onProblem } = this.#options;
    onProblem(`${title} ${this.#file} can't be written: ${messageOf(error)}. The arbiter goes on.`);
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}
