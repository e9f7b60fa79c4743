/** Puts a table between its two marks into a document. */
import { readFileSync, writeFileSync } from "node:fs";

export function writeInto(file: string, name: string, table: string): void {
  const text = readFileSync(file, "utf8");
  const [begin, end] = [`<!-- ${name} begins -->`, `<!-- ${name} ends -->`];
  if (!text.includes(begin) || !text.includes(end)) throw new Error(`${file} has no marks of ${name}`);
  const before = text.slice(0, text.indexOf(begin) + begin.length);
  writeFileSync(file, `${before}\n${table}${text.slice(text.indexOf(end))}`);
}
