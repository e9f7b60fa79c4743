/**
 * The journal: one JSON line a transition, in the state folder, for replaying an incident. Written
 * synchronously, so that the last lines are there when the process is killed; it is not synced to
 * disk, since the event log in the store is what must survive the machine.
 *
 * It is bounded: past `ROTATE_AT_BYTES` the file moves aside, and `KEPT_FILES` of those are kept.
 * A journal that can't be written never stops the arbiter: the loss is said once a minute.
 */
import { renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { pino } from "pino";
import type { JournalEntry } from "../core/arbiter-io.ts";
import { ArbiterError, codeOf, messageOf } from "../protocol/errors.ts";

/** Some 50,000 transitions. */
const ROTATE_AT_BYTES = 16 * 1024 * 1024;
const KEPT_FILES = 4;
const COMPLAIN_EVERY_MS = 60_000;

type Destination = ReturnType<typeof pino.destination>;

export class Journal {
  readonly #file: string;
  readonly #rotateAtBytes: number;
  readonly #onProblem: (text: string) => void;
  readonly #destination: Destination;
  #bytes: number;
  #complainedAtMs = Number.NEGATIVE_INFINITY;

  constructor(folder: string, onProblem: (text: string) => void, rotateAtBytes: number = ROTATE_AT_BYTES) {
    this.#file = path.join(folder, "journal.jsonl");
    this.#rotateAtBytes = rotateAtBytes;
    this.#onProblem = onProblem;
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

  write(entry: JournalEntry): void {
    if (this.#bytes >= this.#rotateAtBytes) this.#rotate();
    const line = `${JSON.stringify(entry)}\n`;
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

  /** `journal.jsonl` → `journal.1.jsonl` → … → `journal.4.jsonl` → gone. */
  #rotate(): void {
    const aside = (index: number): string => this.#file.replace(/\.jsonl$/u, `.${index}.jsonl`);
    try {
      rmSync(aside(KEPT_FILES), { force: true });
      for (let index = KEPT_FILES - 1; index > 0; index -= 1) renameIfThere(aside(index), aside(index + 1));
      renameSync(this.#file, aside(1));
      this.#destination.reopen();
      this.#bytes = 0;
    } catch (error) {
      this.#complain(error);
      // Tried again after as much again, not at each line.
      this.#bytes = 0;
    }
  }

  #complain(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedAtMs < COMPLAIN_EVERY_MS) return;
    this.#complainedAtMs = nowMs;
    this.#onProblem(`The journal ${this.#file} can't be written: ${messageOf(error)}. The arbiter goes on.`);
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
