/**
 * The lease's newest end, where a guard looks before it kills (see guard-script.ts).
 *
 * To write it wakes nobody, while a line in the guard's pipe wakes a shell that then waits on. It can only put
 * the kill off, and so it must never be older than what the guard knows: the guard counts the lines that it
 * reads, the file says after how many it was written, and only the same number counts (I1). An end that comes
 * nearer, and whatever belongs to another program, is a line.
 *
 * In memory (/dev/shm), since it is written at every renewal, and without a name, so that nobody else finds
 * it. Where that can't be had, every renewal is a line.
 */
import { randomUUID } from "node:crypto";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";

const FOLDER = "/dev/shm";

export class EndFile {
  /** Inherited by the guard; null: there is none. */
  readonly descriptor: number | null;
  #isOpen: boolean;

  constructor(folder: string = FOLDER) {
    this.descriptor = openNameless(`${folder}/arbiter-guard-${randomUUID()}`);
    this.#isOpen = this.descriptor !== null;
  }

  /**
   * `afterLine`: how many lines the guard was sent. False: it isn't there, or can't be written; then a line
   * has to say it. Twice, so that who reads while it is written notices.
   */
  write(afterLine: number, endCs: number): boolean {
    if (this.descriptor === null || !this.#isOpen) return false;
    const record = `${afterLine} ${endCs} `;
    try {
      writeSync(this.descriptor, `${record}${record}\n`, 0, "latin1");
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.descriptor === null || !this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.descriptor);
  }
}

function openNameless(path: string): number | null {
  try {
    const descriptor = openSync(path, "wx+", 0o600);
    rmSync(path);
    return descriptor;
  } catch {
    return null;
  }
}
