/**
 * The last that a program wrote before its death, for the event that tells of it: a few lines, cut so
 * that they fit into a report's reason beside everything else.
 *
 * Kept as bytes, not as lines: a program that writes a gigabyte must cost nothing here.
 */

/** Of each of the two outputs. */
const KEPT_BYTES = 2048;
const MOST_LINES = 6;
const MOST_CHARACTERS = 480;
const BETWEEN_LINES = " | ";

export class Tail {
  #bytes: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): void {
    const whole = chunk.length >= KEPT_BYTES ? chunk : Buffer.concat([this.#bytes, chunk]);
    // Copied: a part of a large chunk would keep all of it.
    this.#bytes = Buffer.from(whole.subarray(-KEPT_BYTES));
  }

  forget(): void {
    this.#bytes = Buffer.alloc(0);
  }

  /** Oldest first; the first one may be the end of a longer line. */
  lines(): string[] {
    return this.#bytes
      .toString("utf8")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  }
}

export interface HasLastLines {
  lastLines(): string[];
}

/** What was written to standard error goes before standard output: it says more of a death. */
export function lastWordsOf(stdout: HasLastLines, stderr: HasLastLines): string {
  const errors = stderr.lastLines();
  const lines = (errors.length > 0 ? errors : stdout.lastLines()).slice(-MOST_LINES);
  const text = lines.join(BETWEEN_LINES);
  return text.length <= MOST_CHARACTERS ? text : `…${text.slice(1 - MOST_CHARACTERS)}`;
}
