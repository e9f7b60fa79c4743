/** An explanation as text: the present first, then the last moves, each step with the time since the first. */
import type { ExplainedMove, Explanation } from "../arbiter/explanation.ts";
import type { Terminal } from "./output.ts";
import { agoText, clockText, durationText, printable } from "./output.ts";

/** A line of prose that the eye finds its way back from. */
const WIDTH = 100;

export function explanationText(explanation: Explanation, terminal: Terminal, nowWallMs: number): string {
  const { text, since, why, moves, blips, hasMore } = explanation;
  const ago = since === null ? "" : ` So since ${dayText(since)} (${agoText(since, nowWallMs)}).`;
  const lines = [...wrapped(`${text}${ago}`, "", "")];
  for (const one of why) lines.push(...wrapped(one, "  - ", "    "));
  if (moves.length === 0) lines.push("", "The event log tells of no move of it.");
  else
    lines.push(
      "",
      terminal.paint("bold", moves.length === 1 ? "The last move:" : "The last moves, newest first:"),
    );
  for (const move of moves) lines.push("", ...moveLines(move, terminal));
  if (blips !== null) {
    const often = blips.count === 1 ? "Once" : `${blips.count} times`;
    const last = `the last time at ${dayText(blips.last)}`;
    lines.push(
      "",
      ...wrapped(
        `${often} since then a check failed and the next one was good, ${last}: nothing moved.`,
        "",
        "",
      ),
    );
  }
  if (hasMore) lines.push("", "The log tells of more: --moves N.");
  return `${lines.join("\n")}\n`;
}

function moveLines({ began, text, steps }: ExplainedMove, terminal: Terminal): string[] {
  const [head = "", ...rest] = wrapped(text, `${dayText(began)}  `, " ".repeat(dayText(began).length + 2));
  const lines = [terminal.paint("bold", head), ...rest];
  const zeroMs = Date.parse(began);
  for (const step of steps) {
    const afterMs = Date.parse(step.at) - zeroMs;
    const sign = afterMs < 0 ? "-" : "+";
    const when = `${sign}${durationText(Math.abs(afterMs))}`.padStart(10);
    lines.push(...wrapped(step.text, `${when}  `, " ".repeat(12)));
  }
  return lines;
}

function dayText(iso: string): string {
  return `${iso.slice(0, 10)} ${clockText(iso)}`;
}

function wrapped(text: string, first: string, others: string): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of printable(text).split(" ")) {
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = others;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
