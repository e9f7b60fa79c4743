/**
 * Small readers for members of a JSON value, from which the guards of the messages are made.
 *
 * Written by hand because they run at every check of every daemon. A reader returns the value or
 * throws `Malformed`; the path to a nested member is put together only while such an error travels
 * outwards, so that a good message pays nothing for it. Nothing unbounded gets through: every
 * string, list and record has a limit, and a number is always finite.
 */

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string };

export type Members = Readonly<Record<string, unknown>>;

/** Thrown by a reader; never leaves this folder. */
class Malformed extends Error {
  readonly path: string;
  readonly expected: string;
  constructor(path: string, expected: string) {
    super(expected);
    this.path = path;
    this.expected = expected;
  }
}

/** Runs a reader; what it throws becomes a value that names the member. */
export function parsed<T>(value: unknown, read: (members: Members) => T): Parsed<T> {
  try {
    return { ok: true, value: read(asMembers(value, "")) };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const where = error.path === "" ? "the message" : `\`${error.path}\``;
    return { ok: false, error: `${where} must be ${error.expected}` };
  }
}

export function malformed(path: string, expected: string): never {
  throw new Malformed(path, expected);
}

function asMembers(value: unknown, path: string): Members {
  return isMembers(value) ? value : malformed(path, "a JSON object");
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Only own members count: `toString` is no member of `{}`. */
function member(from: Members, key: string): unknown {
  return Object.hasOwn(from, key) ? from[key] : undefined;
}

export function text(from: Members, key: string, maxLength: number): string {
  const value = member(from, key);
  if (typeof value !== "string" || value.length > maxLength) {
    return malformed(key, `a string of at most ${maxLength} characters`);
  }
  return value;
}

/** What would move a terminal's cursor, or begin a line of its own in a log. */
const CONTROL = /\p{Cc}/u;

/**
 * What every object has by itself (`constructor`). As the name of a service it would be found where
 * nothing was ever put.
 */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/** A name or an id: never empty, nothing that a terminal obeys, nothing that every object has. */
export function word(from: Members, key: string, maxLength: number): string {
  const value = member(from, key);
  const fits = typeof value === "string" && value.length > 0 && value.length <= maxLength;
  if (!fits || CONTROL.test(value) || INHERITED.has(value)) {
    return malformed(key, `a name of 1 to ${maxLength} characters, none of them a control character`);
  }
  return value;
}

export function wordOrNull(from: Members, key: string, maxLength: number): string | null {
  return member(from, key) === null ? null : word(from, key, maxLength);
}

export function textOrNull(from: Members, key: string, maxLength: number): string | null {
  return member(from, key) === null ? null : text(from, key, maxLength);
}

export function flag(from: Members, key: string): boolean {
  const value = member(from, key);
  return typeof value === "boolean" ? value : malformed(key, "true or false");
}

export function integer(from: Members, key: string, min: number): number {
  const value = member(from, key);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min) {
    return malformed(key, `an integer of at least ${min}`);
  }
  return value;
}

export function number(from: Members, key: string, min: number, max: number): number {
  const value = member(from, key);
  // NaN fails both comparisons; 1e999 is Infinity once JSON.parse has read it.
  if (typeof value === "number" && value >= min && value <= max) return value;
  return malformed(key, `a number from ${min} to ${max}`);
}

export function oneOf<const T extends string>(from: Members, key: string, allowed: readonly T[]): T {
  const value = member(from, key);
  for (const option of allowed) if (value === option) return option;
  return malformed(key, `one of ${allowed.join(", ")}`);
}

export function object<T>(from: Members, key: string, read: (members: Members) => T): T {
  const members = asMembers(member(from, key), key);
  try {
    return read(members);
  } catch (error) {
    throw deeper(error, key);
  }
}

export function list<T>(
  from: Members,
  key: string,
  maxLength: number,
  read: (members: Members) => T,
): readonly T[] {
  const value = member(from, key);
  if (!Array.isArray(value) || value.length > maxLength) {
    return malformed(key, `a list of at most ${maxLength}`);
  }
  const items: T[] = [];
  for (let index = 0; index < value.length; index += 1) {
    try {
      items.push(read(asMembers(value[index], "")));
    } catch (error) {
      throw deeper(error, `${key}[${index}]`);
    }
  }
  return items;
}

/** A list of names. */
export function words(from: Members, key: string, maxLength: number, wordLength: number): readonly string[] {
  const value = member(from, key);
  if (!Array.isArray(value) || value.length > maxLength)
    return malformed(key, `a list of at most ${maxLength}`);
  const entries: Members = Object.fromEntries(value.map((one: unknown, at) => [`${key}[${at}]`, one]));
  return value.map((_, at) => word(entries, `${key}[${at}]`, wordLength));
}

/** A record of names to values. It has no prototype, so that no name finds anything inherited. */
export function record<T>(
  from: Members,
  key: string,
  limits: {
    readonly entries: number;
    readonly keyLength: number;
    /** Of services or daemons: what no such name may be, no key may. */
    readonly areNames?: boolean;
  },
  read: (members: Members, name: string) => T,
): Readonly<Record<string, T>> {
  const members = asMembers(member(from, key), key);
  const names = Object.keys(members);
  if (names.length > limits.entries) return malformed(key, `a record of at most ${limits.entries}`);
  const values: Record<string, T> = {};
  Object.setPrototypeOf(values, null);
  for (const name of names) {
    const isBad = name.length === 0 || name.length > limits.keyLength;
    if (isBad || (limits.areNames === true && INHERITED.has(name))) {
      return malformed(key, `a record whose names have 1 to ${limits.keyLength} characters`);
    }
    try {
      values[name] = read(members, name);
    } catch (error) {
      throw deeper(error, key);
    }
  }
  return values;
}

function deeper(error: unknown, outer: string): unknown {
  if (!(error instanceof Malformed)) return error;
  const separator = error.path === "" || error.path.startsWith("[") ? "" : ".";
  return new Malformed(`${outer}${separator}${error.path}`, error.expected);
}
