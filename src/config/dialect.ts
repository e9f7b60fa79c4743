/**
 * Which of the three dialects a file is written in: its first line that says so decides. A
 * `define` means objects, a `[section]` means INI, and a file with neither holds bare lines.
 */
import { readIni } from "./ini-dialect.ts";
import { readBareLines, readObjects } from "./objects-dialect.ts";
import type { Problems } from "./problem.ts";
import type { Dialect, FileReading, Source } from "./raw.ts";

export function dialectOf(source: Source): Dialect {
  for (const line of source.lines) {
    if (/^\s*define\b(?!\s*=)/iu.test(line)) return "objects";
    if (/^\s*\[/u.test(line)) return "ini";
  }
  return "bare";
}

const READERS: Readonly<Record<Dialect, (source: Source, problems: Problems) => FileReading>> = {
  ini: readIni,
  objects: readObjects,
  bare: readBareLines,
};

export function readSource(source: Source, problems: Problems): FileReading {
  return READERS[dialectOf(source)](source, problems);
}
