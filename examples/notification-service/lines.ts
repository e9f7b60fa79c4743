/** Lines of a file that a killed process has written: a last one that was cut off isn't there. */
import { existsSync, readFileSync, truncateSync } from "node:fs";

export function wholeLines(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  const end = text.lastIndexOf("\n") + 1;
  if (end < text.length) truncateSync(file, Buffer.byteLength(text.slice(0, end)));
  return text.slice(0, end).split("\n").slice(0, -1);
}
