/**
 * Durations on the command line: `90s`, `2h`, `1h30m`. A unit is required here, unlike in the
 * configuration: `--for 2` might mean two hours to the one who typed it.
 */
import { InvalidArgumentError, Option } from "commander";

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** For commander: throws what it reports as wrong usage. */
export function durationOption(text: string): number {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)/g)];
  const understood = parts.map((part) => part[0]).join("");
  if (parts.length === 0 || understood.length !== text.replaceAll(/\s/g, "").length) {
    throw new InvalidArgumentError("Expected a duration with its unit: 90s, 15m, 2h, 1h30m.");
  }
  let totalMs = 0;
  for (const part of parts) totalMs += Number(part[1]) * (UNITS_MS[part[2] ?? ""] ?? Number.NaN);
  if (!(totalMs > 0)) throw new InvalidArgumentError("Expected a duration above zero.");
  return totalMs;
}

/** For commander: a moment, as ISO 8601 or as so long ago (`2h`). */
export function momentOption(text: string): string {
  const wallMs = /^\d{4}-/.test(text) ? Date.parse(text) : Date.now() - durationOption(text);
  if (Number.isNaN(wallMs)) throw new InvalidArgumentError("Expected 2h, 90s or 2026-11-20T10:15:04Z.");
  return new Date(wallMs).toISOString();
}

/** `--timeout`, with its default as a person would write it. */
export function timeoutOption(meaning: string, defaultText: string): Option {
  return new Option("--timeout <duration>", meaning)
    .argParser(durationOption)
    .default(durationOption(defaultText), defaultText);
}

/** For commander: a whole number, zero or more. */
export function countOption(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Expected a whole number, 0 or more.");
  const count = Number(text);
  if (!Number.isSafeInteger(count)) throw new InvalidArgumentError("The number is too large.");
  return count;
}
