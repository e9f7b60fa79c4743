/**
 * Makes bad input out of good: texts with pieces lost, doubled, moved or replaced, and JSON values
 * with one member gone, another of a type that nobody expects. What is nearly right gets further
 * into a parser than what is random.
 */
import type { Random } from "../../src/simulator/random.ts";

/** Texts that have broken parsers before. */
const ODD_TEXTS = [
  "",
  " ",
  "\t",
  "\n",
  "\r\n",
  "\r",
  "\u0000",
  "\u001B[2J",
  "\uFEFF",
  "\u2028",
  "\uD800",
  "é",
  "😀",
  "__proto__",
  "constructor",
  "toString",
  "{",
  "}",
  "[",
  "]",
  "=",
  ":",
  ";",
  "#",
  '"',
  "'",
  "\\",
  "${X}",
  "${",
  "%(name)s",
  "%(",
  "../../etc/passwd",
  "-1",
  "0",
  "1e999",
  "99999999999999999999",
  "NaN",
  "null",
  "true",
];

export function mutateText(random: Random, text: string, words: readonly string[] = []): string {
  let now = text;
  for (let left = random.whole(1, 4); left > 0; left -= 1) now = mutateOnce(random, now, words);
  // Mutations that double things must not make a monster of it.
  return now.slice(0, 20_000);
}

function mutateOnce(random: Random, text: string, words: readonly string[]): string {
  const at = random.whole(0, text.length);
  const to = Math.min(text.length, at + Math.floor(random.magnitude(1, 40)));
  const odd = words.length > 0 && random.chance(0.5) ? random.pick(words) : random.pick(ODD_TEXTS);
  switch (random.whole(0, 8)) {
    case 0:
      return text.slice(0, at) + text.slice(to);
    case 1:
      return text.slice(0, to) + text.slice(at);
    case 2:
      return text.slice(0, at) + odd + text.slice(at);
    case 3:
      return text.slice(0, at) + odd + text.slice(to);
    case 4:
      return text.slice(0, at);
    case 5:
      return text.slice(0, at) + String.fromCodePoint(random.whole(0, 0x2fff)) + text.slice(at + 1);
    case 6:
      return swapLines(random, text);
    case 7:
      return text.slice(0, at) + odd.repeat(random.whole(1, 300)) + text.slice(at);
    default:
      return text.slice(0, at) + text.slice(at, to).split("").toReversed().join("") + text.slice(to);
  }
}

function swapLines(random: Random, text: string): string {
  const lines = text.split("\n");
  const [one, other] = [random.whole(0, lines.length - 1), random.whole(0, lines.length - 1)];
  const kept = lines[one] ?? "";
  lines[one] = lines[other] ?? "";
  lines[other] = kept;
  return lines.join("\n");
}

type Container = unknown[] | Record<string, unknown>;

/** A copy with one to three places changed. Never more than JSON can say. */
export function mutateJson(random: Random, value: unknown): unknown {
  const copy: unknown = structuredClone(value);
  for (let left = random.whole(1, 3); left > 0; left -= 1) {
    const places: { readonly container: Container; readonly key: string | number }[] = [];
    collect(copy, places);
    if (places.length === 0 || random.chance(0.01)) return oddValue(random, 2);
    const { container, key } = random.pick(places);
    change(random, container, key);
  }
  return copy;
}

function collect(value: unknown, places: { container: Container; key: string | number }[]): void {
  if (Array.isArray(value)) {
    for (const [key, item] of value.entries()) {
      places.push({ container: value, key });
      collect(item, places);
    }
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) {
      places.push({ container: value, key });
      collect(item, places);
    }
  }
}

function change(random: Random, container: Container, key: string | number): void {
  const now: unknown = Reflect.get(container, key);
  switch (random.whole(0, 5)) {
    case 0:
      if (Array.isArray(container)) container.splice(Number(key), 1);
      else Reflect.deleteProperty(container, key);
      return;
    case 1:
      if (Array.isArray(container)) container.push(structuredClone(now));
      else Object.defineProperty(container, oddText(random), member(structuredClone(now)));
      return;
    case 2:
      // Nearly right: a number a little or very different, a text a little longer.
      if (typeof now === "number") Reflect.set(container, key, nearNumber(random, now));
      else if (typeof now === "string") Reflect.set(container, key, mutateText(random, now));
      else Reflect.set(container, key, oddValue(random, 2));
      return;
    default:
      Reflect.set(container, key, oddValue(random, 2));
  }
}

/** As JSON.parse makes it: `__proto__` is a member like any other. */
function member(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

function nearNumber(random: Random, now: number): number {
  return random.pick([
    now + 1,
    now - 1,
    -now,
    now * 1_000,
    now + 0.5,
    now * 2 ** 40,
    Number.MAX_SAFE_INTEGER,
  ]);
}

function oddText(random: Random): string {
  return random.chance(0.8) ? random.pick(ODD_TEXTS) : random.pick(ODD_TEXTS).repeat(random.whole(1, 3_000));
}

export function oddValue(random: Random, depth: number): unknown {
  switch (random.whole(0, depth > 0 ? 8 : 6)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick([0, -0, -1, 1, 0.1, 2 ** 53, -(2 ** 53), 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 32]);
    case 3:
    case 4:
      return oddText(random);
    case 5:
      return [];
    case 6:
      return {};
    case 7:
      return Array.from({ length: random.pick([1, 2, 3, 70, 1_100]) }, () => oddValue(random, 0));
    default: {
      const made: Record<string, unknown> = {};
      for (let left = random.whole(1, 4); left > 0; left -= 1) {
        Object.defineProperty(made, oddText(random), member(oddValue(random, depth - 1)));
      }
      return made;
    }
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
