/**
 * Whether what is written to a descriptor goes to the journal (systemd), and a line as the journal
 * wants it: the priority in front, no time, since the journal writes its own.
 */
import { fstatSync } from "node:fs";

/** systemd names the device and the inode of the stream that it gave to the process. */
export function isJournal(
  descriptor: 1 | 2,
  stream: string | undefined = process.env["JOURNAL_STREAM"],
): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(descriptor);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

const PRIORITY = { error: 3, warn: 4, info: 6, debug: 7 } as const;

/** Every line of the text has it: the journal makes an entry of each. */
export function journalLines(level: keyof typeof PRIORITY, text: string): string {
  return text
    .split("\n")
    .map((line) => `<${PRIORITY[level]}>${line}\n`)
    .join("");
}
