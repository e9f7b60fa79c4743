/**
 * The launcher's own log, on standard error, beside what the program writes there.
 *
 * It goes through the same outlet as the program's output, never blocking: a reader of standard
 * error that has stopped reading must not hold the launcher, whose leases would run out. What such a
 * reader would miss beyond `LIMIT_BYTES` is dropped. JSON lines, plain ones on a terminal.
 */
import pino from "pino";
import type { Logger } from "../daemon/options.ts";
import { wallMs } from "../shell/clock.ts";
import { openOutlet } from "./output.ts";

const LIMIT_BYTES = 1_000_000;

export function createLauncherLogger(level: string): Logger {
  const outlet = openOutlet(2);
  const write = (line: string): void => {
    if (outlet.writable && outlet.writableLength < LIMIT_BYTES) outlet.write(line);
  };
  if (process.stderr.isTTY) return plainLogger(write, level);
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

function plainLogger(write: (line: string) => void, level: string): Logger {
  const say = (one: "info" | "warn" | "error", text: string): void => {
    if (LEVELS.indexOf(one) < LEVELS.indexOf(level)) return;
    write(`${new Date(wallMs()).toISOString()} ${one.padEnd(5)} ${text}\n`);
  };
  return {
    info: (text) => say("info", text),
    warn: (text) => say("warn", text),
    error: (text) => say("error", text),
  };
}
