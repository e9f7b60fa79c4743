/**
 * The daemon's log, on standard error: plain lines where a person reads them, JSON lines anywhere
 * else. Written at once, never through a worker: the last line before a process ends itself is the
 * one that is needed.
 */
import pino from "pino";
import { wallMs } from "../shell/clock.ts";
import type { Logger } from "./options.ts";

export function createLogger(): Logger {
  if (process.stderr.isTTY) return plainLogger();
  const log = pino(
    {
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    info: (text) => log.info(text),
    warn: (text) => log.warn(text),
    error: (text) => log.error(text),
  };
}

function plainLogger(): Logger {
  return {
    info: (text) => writeLine("info ", text),
    warn: (text) => writeLine("warn ", text),
    error: (text) => writeLine("error", text),
  };
}

function writeLine(level: string, text: string): void {
  process.stderr.write(`${new Date(wallMs()).toISOString()} ${level} ${text}\n`);
}
