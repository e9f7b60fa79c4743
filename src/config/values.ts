/**
 * From a value's text to what it means, one parser a kind. A parser never throws and never guesses:
 * it returns the value, or what was expected instead.
 */
import { isIP } from "node:net";

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string };

export interface Budget {
  readonly moves: number;
  readonly perMs: number;
}

/** Every kind of value and what it is read as. */
export interface KindValues {
  name: string;
  address: string;
  port: number;
  boolean: boolean;
  integer: number;
  duration: number;
  list: readonly string[];
  text: string;
  path: string;
  /** A program with its arguments. */
  command: readonly string[];
  cron: string;
  /** `0 2 * * * for 1h` */
  window: string;
  url: string;
  hostPort: string;
  signal: string;
  ratio: number;
  /** null: `none`. */
  budget: Budget | null;
}
export type Kind = keyof KindValues;

const fail = (expected: string): { readonly ok: false; readonly expected: string } => ({
  ok: false,
  expected,
});
const done = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** Ten years: more is a slip of the finger, and still far from where a number loses its milliseconds. */
const DURATION_MAX_MS = 10 * 366 * 86_400_000;

export function parseDuration(text: string): Parsed<number> {
  const expected = "a duration such as `300ms`, `3s`, `2m`, `1h` or `30d` (a bare number is seconds)";
  const match = /^(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|min|m|h|d)?$/iu.exec(text);
  if (match === null) return fail(expected);
  const unit = UNIT_MS[(match[2] ?? "s").toLowerCase()] ?? 1000;
  const milliseconds = Math.round(Number(match[1]) * unit);
  return milliseconds > DURATION_MAX_MS ? fail(`${expected}, ten years at most`) : done(milliseconds);
}

/** The shortest way to write it: `500ms`, `2s`, `10m`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  for (const [unit, size] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ] as const) {
    if (milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}

/** In seconds, as people compare them: `300 s`, `0.5 s`. */
export function formatSeconds(milliseconds: number): string {
  return `${Number((milliseconds / 1000).toFixed(3))} s`;
}

export function parseBoolean(text: string): Parsed<boolean> {
  const word = text.toLowerCase();
  if (["1", "true", "yes", "on"].includes(word)) return done(true);
  if (["0", "false", "no", "off"].includes(word)) return done(false);
  return fail("`1` or `0` (`true/false`, `yes/no` and `on/off` do as well)");
}

export function parseInteger(text: string): Parsed<number> {
  return /^[+-]?\d{1,9}$/u.test(text) ? done(Number(text)) : fail("a whole number");
}

export function parsePort(text: string): Parsed<number> {
  const port = /^\d{1,5}$/u.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? done(port) : fail("a port: a number from 1 to 65535");
}

/** Found in every object, wherever a name is looked up. */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/** Names become folders, paths of URLs, labels of metrics, and members of JSON objects. */
export function parseName(text: string): Parsed<string> {
  if (INHERITED.has(text)) return fail("another name: programs that read the status give this one a meaning");
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.:@-]{0,127}$/u.test(text)
    ? done(text)
    : fail("a name: letters, digits, `-`, `_`, `.`, `:` or `@`, 128 at most, no spaces");
}

/** As written, but for the brackets that an IPv6 address doesn't need. */
export function parseAddress(text: string): Parsed<string> {
  const expected = "an IPv4 address, an IPv6 address or a host name";
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (isIP(bare) === 4) {
    return bare === "0.0.0.0"
      ? fail(`${expected} where others reach it (\`0.0.0.0\` is no such address)`)
      : done(bare);
  }
  if (isIP(bare) === 6) {
    return /^[0:]+$/u.test(bare)
      ? fail(`${expected} where others reach it (\`::\` is no such address)`)
      : done(bare);
  }
  if (/^[^:]+:\d+$/u.test(text)) return fail(`${expected} alone; the port has a key of its own, \`port\``);
  if (/^[\w.-]+$/u.test(text) && text.length <= 253) {
    const labels = text.replace(/\.$/u, "").split(".");
    const isHostName = labels.every((label) => /^\w(?:[\w-]{0,61}\w)?$/u.test(label));
    // A host name's last label is never a number: `192.168.0.300` is a mistyped address.
    if (isHostName && !/^\d+$/u.test(labels.at(-1) ?? "0")) return done(text);
  }
  return fail(expected);
}

export function parseList(text: string): Parsed<readonly string[]> {
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  return items.length === 0 ? fail("names with commas between them") : done([...new Set(items)]);
}

/** Splits as a shell would, with quotes and backslashes, but nothing is ever expanded. */
export function parseCommand(text: string): Parsed<readonly string[]> {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i] ?? "";
    const next = text[i + 1];
    if (quote === "'") {
      if (char === "'") quote = null;
      else word += char;
    } else if (char === "\\" && next !== undefined && (quote === null || next === '"' || next === "\\")) {
      word = (word ?? "") + next;
      i += 1;
    } else if (quote === '"') {
      if (char === '"') quote = null;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/u.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? "") + char;
  }
  if (quote !== null) return fail(`a closing ${quote}`);
  if (word !== null) words.push(word);
  return words.length === 0 || words[0] === "" ? fail("a program and its arguments") : done(words);
}

/** A ratio of clocks: `1%` or `0.01`. */
export function parseRatio(text: string): Parsed<number> {
  const match = /^(\d{1,3}(?:\.\d{1,6})?)\s*(%)?$/u.exec(text);
  const value = match === null ? -1 : Number(match[1]) / (match[2] === undefined ? 1 : 100);
  return value >= 0 && value <= 0.1 ? done(value) : fail("a share such as `1%` or `0.01`, 10 % at most");
}

export function parseBudget(text: string): Parsed<Budget | null> {
  if (text.toLowerCase() === "none") return done(null);
  const match = /^(\d{1,6})\s+(?:per|in)\s+(\S+)$/iu.exec(text);
  const period = match === null ? null : parseDuration(match[2] ?? "");
  if (match === null || period === null || !period.ok || period.value === 0 || Number(match[1]) === 0) {
    return fail("`none`, or a number and a period, `3 per 10m`");
  }
  return done({ moves: Number(match[1]), perMs: period.value });
}

export function parseUrl(text: string): Parsed<string> {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && (url.protocol === "http:" || url.protocol === "https:")
    ? done(text)
    : fail("a URL that begins with `http://` or `https://`");
}

export function parseHostPort(text: string): Parsed<string> {
  const match = /^(?:(.+):)?(\d+)$/u.exec(text);
  if (match === null || !parsePort(match[2] ?? "").ok) return fail("`host:port`");
  const host = match[1] ?? "127.0.0.1";
  return parseAddress(host).ok ? done(`${host}:${match[2] ?? ""}`) : fail("`host:port`");
}

/** The signals that ask a program to stop; others stop nothing or can't be sent. */
const STOP_SIGNALS = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL", "WINCH"];

export function parseSignal(text: string): Parsed<string> {
  const name = text.toUpperCase().replace(/^SIG/u, "");
  return STOP_SIGNALS.includes(name) ? done(`SIG${name}`) : fail(`one of ${STOP_SIGNALS.join(", ")}`);
}

const CRON_FIELDS: readonly (readonly [string, number, number, string])[] = [
  ["minute", 0, 59, ""],
  ["hour", 0, 23, ""],
  ["day of the month", 1, 31, ""],
  ["month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"],
  ["day of the week", 0, 7, "sun mon tue wed thu fri sat"],
];

/** Five fields, or six with seconds in front. Checked here, so that reading a folder needs no scheduler. */
export function parseCron(text: string): Parsed<string> {
  const fields = text.trim().split(/\s+/u);
  const spec = fields.length === 6 ? [["second", 0, 59, ""] as const, ...CRON_FIELDS] : CRON_FIELDS;
  if (fields.length !== spec.length) return fail("a cron expression of five fields, `0 2 * * *`");
  for (const [i, [label, low, high, names]] of spec.entries()) {
    if (!(fields[i] ?? "").split(",").every((part) => isCronPart(part, low, high, names))) {
      return fail(`a cron expression; \`${fields[i] ?? ""}\` is no ${label}`);
    }
  }
  return done(fields.join(" "));
}

function isCronPart(part: string, low: number, high: number, names: string): boolean {
  const match = /^(\*|[a-z0-9]+(?:-[a-z0-9]+)?)(?:\/(\d{1,3}))?$/iu.exec(part);
  if (match === null || match[2] === "0") return false;
  if (match[1] === "*") return true;
  const words = names === "" ? [] : names.split(" ");
  const ends = (match[1] ?? "")
    .toLowerCase()
    .split("-")
    .map((end) => {
      const named = words.indexOf(end.slice(0, 3));
      return named >= 0 ? named + (low === 1 ? 1 : 0) : /^\d{1,2}$/u.test(end) ? Number(end) : Number.NaN;
    });
  const [from, to] = [ends[0] ?? Number.NaN, ends.at(-1) ?? Number.NaN];
  return from >= low && to <= high && from <= to;
}

export function parseWindow(text: string): Parsed<string> {
  const match = /^(.+?)\s+for\s+(\S+)$/u.exec(text);
  const expected = "a cron expression with a length, `0 2 * * * for 1h`";
  if (match === null) return fail(expected);
  const cron = parseCron(match[1] ?? "");
  const length = parseDuration(match[2] ?? "");
  if (!cron.ok) return cron;
  if (!length.ok || length.value === 0) return fail(expected);
  return done(`${cron.value} for ${formatDuration(length.value)}`);
}

const parseText = (text: string): Parsed<string> => (text === "" ? fail("a value") : done(text));

export const PARSERS: { readonly [K in Kind]: (text: string) => Parsed<KindValues[K]> } = {
  name: parseName,
  address: parseAddress,
  port: parsePort,
  boolean: parseBoolean,
  integer: parseInteger,
  duration: parseDuration,
  list: parseList,
  text: parseText,
  path: parseText,
  command: parseCommand,
  cron: parseCron,
  window: parseWindow,
  url: parseUrl,
  hostPort: parseHostPort,
  signal: parseSignal,
  ratio: parseRatio,
  budget: parseBudget,
};
