/**
 * The launcher's own log, on standard error, beside what the program writes there.
 *
 * It goes through the same outlet as the program's output, never blocking: a reader of standard
 * error that has stopped reading must not hold the launcher, whose leases would run out. What such a
 * reader would miss beyond `LIMIT_BYTES` is dropped. JSON lines; plain ones on a terminal and in the journal.
 */
import pino from "pino";
import type { Logger } from "../daemon/options.ts";
import { wallMs } from "../shell/clock.ts";
import { isJournal, journalLines } from "../shell/journal.ts";
import { openOutlet } from "./output.ts";

const LIMIT_BYTES = 1_000_000;

export function createLauncherLogger(level: string): Logger {
  const outlet = openOutlet(2);
  const write = (line: string): void => {
    if (outlet.writable && outlet.writableLength < LIMIT_BYTES) outlet.write(line);
  };
  if (isJournal(2)) return lineLogger(level, (one, text) => write(journalLines(one, text)));
  if (process.stderr.isTTY) {
    return lineLogger(level, (one, text) =>
      write(`${new Date(wallMs()).toISOString()} ${one.padEnd(5)} ${text}\n`),
    );
  }
  const log = pino(
    {
      base: null,
      level,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    { write },
  );
  return {
    info: (text) => log.info(text),
    warn: (text) => log.warn(text),
    error: (text) => log.error(text),
  };
}

const LEVELS: readonly string[] = ["debug", "info", "warn", "error"];

type Level = "info" | "warn" | "error";

function lineLogger(level: string, write: (one: Level, text: string) => void): Logger {
  const say = (one: Level, text: string): void => {
    if (LEVELS.indexOf(one) >= LEVELS.indexOf(level)) write(one, text);
  };
  return {
    info: (text) => say("info", text),
    warn: (text) => say("warn", text),
    error: (text) => say("error", text),
  };
}
