/**
 * Reads recordings and journals from files, line by line: each line is known by its number, which is
 * how people name it. A line that was cut off (the process was killed while it wrote, the disk was
 * full) is told, and is no error.
 */
import { createReadStream, existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { InputLine, SnapshotLine } from "../core/recording.ts";
import type { JournalLine } from "../shell/journal-line.ts";
import { codeOf, messageOf } from "../protocol/errors.ts";
import { ClearNo } from "./failure.ts";
import { isObject } from "./wire.ts";

export interface Line {
  /** 1-based. */
  readonly number: number;
  /** null: it can't be read. */
  readonly value: Readonly<Record<string, unknown>> | null;
}

export async function* linesOf(file: string): AsyncGenerator<Line> {
  let number = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(file, "utf8") })) {
      number += 1;
      const value = parsed(text);
      yield { number, value: isObject(value) ? value : null };
    }
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    throw new ClearNo(
      `${file} can't be read: ${why}.`,
      "Recordings lie in the state folder of each arbiter: `recording.jsonl`, and `recording.1.jsonl` … once moved aside.",
      { cause: error },
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function isRecordingLine(value: object): value is SnapshotLine | InputLine {
  return "kind" in value && (value.kind === "snapshot" || value.kind === "input");
}

export function isJournalLine(value: object): value is JournalLine {
  return "row" in value && "service" in value && "because" in value;
}

/** The recordings beside a journal, oldest first. */
export function recordingsBeside(journal: string): string[] {
  const folder = dirname(journal);
  const names = [
    "recording.4.jsonl",
    "recording.3.jsonl",
    "recording.2.jsonl",
    "recording.1.jsonl",
    "recording.jsonl",
  ];
  return names.map((name) => join(folder, name)).filter((file) => existsSync(file));
}

/** For messages: the file's own name. */
export function nameOf(file: string): string {
  return basename(file);
}
