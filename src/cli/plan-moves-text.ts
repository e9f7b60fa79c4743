/** The moves that a reload would make, one line each. */
import type { ReloadMove } from "../simulator/own-reload.ts";
import { durationText, printable } from "./output.ts";

export function movesText(moves: readonly ReloadMove[]): string {
  if (moves.length === 0) return "  no service moves\n";
  return moves.map((move) => `  ${printable(moveText(move))}\n`).join("");
}

function moveText({ service, from, to, afterMs, gapMs, because }: ReloadMove): string {
  const when = afterMs < 1_000 ? "at once" : `${durationText(afterMs)} after the reload`;
  const gap = gapMs === null ? "" : `, and nobody holds it for about ${durationText(gapMs)}`;
  if (from === null) return `${service} starts on ${to ?? "nobody"}, ${when}: ${because}`;
  if (to === null) return `${service} stops on ${from}, ${when}, and nobody has it then: ${because}`;
  return `${service} moves from ${from} to ${to}, ${when}${gap}: ${because}`;
}
