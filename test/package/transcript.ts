/**
 * A demonstration's output with all that may differ from run to run taken out: times, process ids,
 * steps, gaps, and the order of what two processes say at the same moment.
 */

/** What comes and goes with the load of the machine, and is no part of the story. */
const INCIDENTAL = /service\.(suspect|fencing)|daemon\.(up|down)|checks? (of the holder )?failed/u;

export function normalised(transcript: string): string[] {
  return transcript
    .split("\n")
    .map((line) => normalisedLine(line))
    .filter((line) => line !== "" && !line.startsWith("$ npm ") && !INCIDENTAL.test(line));
}

function normalisedLine(line: string): string {
  return line
    .trim()
    .replace(/^\d+\.\d{3} /u, "")
    .replace(/pid \d+/gu, "pid N")
    .replace(/kill -9 \d+/gu, "kill -9 N")
    .replace(/after step [1-9]\d*/gu, "after step N")
    .replace(/after a gap of [\d.]+ m?s/gu, "after a gap of N")
    .replace(/ {2,}/gu, " ")
    .trim();
}

/** Holders in the order in which they held the service. */
export function holders(lines: readonly string[]): string[] {
  return lines.flatMap((line) => /service\.held held by (\S+ \(epoch \d+\))/u.exec(line)?.[1] ?? []);
}
