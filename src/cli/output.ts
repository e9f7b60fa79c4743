/**
 * What the commands print, for two readers: colour and tables for a person at a terminal, plain
 * lines of `key=value` words for a pipe. `NO_COLOR` is respected (by `styleText`), and nothing here
 * knows what an arbiter is.
 */
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Where a command writes. A test gives its own; the program gives `process`. */
export interface Terminal {
  readonly isTerminal: boolean;
  /** In characters, as it is now: it may be resized. Infinity: a pipe. */
  readonly width: number;
  readonly height: number;
  readonly write: (text: string) => void;
  readonly paint: (style: Style, text: string) => string;
}

export const standardOutput: Terminal = {
  isTerminal: process.stdout.isTTY,
  get width() {
    return sizeOf(process.stdout).width;
  },
  get height() {
    return sizeOf(process.stdout).height;
  },
  write: (text) => {
    process.stdout.write(text);
  },
  paint: (style, text) => styleText(style, text, { stream: process.stdout }),
};

export const standardError: Terminal = {
  isTerminal: process.stderr.isTTY,
  get width() {
    return sizeOf(process.stderr).width;
  },
  get height() {
    return sizeOf(process.stderr).height;
  },
  write: (text) => {
    process.stderr.write(text);
  },
  paint: (style, text) => styleText(style, text, { stream: process.stderr }),
};

/** Some terminals say 0: then nothing is known of their size. */
function sizeOf(stream: NodeJS.WriteStream): { readonly width: number; readonly height: number } {
  return { width: stream.columns || Infinity, height: stream.rows || Infinity };
}

export function printJson(value: unknown, indent: 0 | 2 = 2): void {
  process.stdout.write(`${JSON.stringify(value, null, indent)}\n`);
}

/** One line of a pipe: words, then `key=value`; what holds a blank is quoted as JSON has it. */
export function plainLine(
  words: readonly string[],
  values: Readonly<Record<string, string | number | boolean | null | undefined>>,
): string {
  const pairs = Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => {
      const text = String(value);
      return `${key}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
    });
  return `${[...words, ...pairs].join(" ")}\n`;
}

/** What came over the network or out of a file must not move the reader's cursor. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/gu, "\u{fffd}");
}

/** `340 ms`, `2.5 s`, `4 min`, `3 h`: two digits are enough for eyes. */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  const units: readonly (readonly [number, string])[] = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ];
  for (const [size, name] of units) {
    if (durationMs >= size) {
      const count = durationMs / size;
      return `${count < 10 ? Number(count.toFixed(1)) : Math.round(count)} ${name}`;
    }
  }
  return `${Math.round(durationMs)} ms`;
}

/** How long ago an ISO 8601 time was, for a terminal. */
export function agoText(isoTime: string, nowWallMs: number): string {
  const thenMs = Date.parse(isoTime);
  if (Number.isNaN(thenMs)) return isoTime;
  return durationText(Math.max(0, nowWallMs - thenMs));
}

function two(count: number): string {
  return String(count).padStart(2, "0");
}

/** `10:24:30.123`, in local time, for the terminal's event lines. */
export function clockText(isoTime: string): string {
  const time = new Date(isoTime);
  if (Number.isNaN(time.getTime())) return isoTime;
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

export type { Style };

/** `1 error`, `2 errors`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
