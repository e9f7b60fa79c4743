/** Templates as HTML, and the few words that every part of the page uses. */
import htm from "./htm.js";
import { h } from "./preact.js";

export const html = htm.bind(h);

/** `340 ms`, `2.5 s`, `4 min`, `3 h`, as the command line says it. */
export function durationText(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  for (const [size, name] of [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ]) {
    if (ms < size) continue;
    const count = ms / size;
    return `${count < 10 ? Number(count.toFixed(1)) : Math.round(count)} ${name}`;
  }
  return `${Math.round(ms)} ms`;
}

/** The evidence's gap: `≥` and `≤` where it is a bound. */
export function gapText({ gapMs, gapIs } = {}) {
  if (gapMs === undefined) return "–";
  const sign = gapIs === "at-least" ? "≥ " : gapIs === "at-most" ? "≤ " : "";
  return `${sign}${durationText(gapMs)}`;
}

export function agoText(iso) {
  return iso === null ? "never" : durationText(Math.max(0, Date.now() - Date.parse(iso)));
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY_AND_CLOCK = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** With the day, where it isn't today's. */
export function timeText(wallMs) {
  const isToday = new Date(wallMs).toDateString() === new Date().toDateString();
  return (isToday ? CLOCK : DAY_AND_CLOCK).format(wallMs);
}

const GOOD = new Set(["held", "active", "leading"]);
const QUIET = new Set(["waiting", "standing-by"]);
const BAD = new Set(["vacant", "unreachable", "failed", "fencing"]);

/** A class of the style sheet: good, quiet, bad, or wary. */
export function toneOf(state) {
  if (GOOD.has(state)) return "good";
  if (BAD.has(state)) return "bad";
  return QUIET.has(state) ? "quiet" : "wary";
}
