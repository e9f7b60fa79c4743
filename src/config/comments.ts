/**
 * Where a comment begins in a line. Quotes protect: `command = sh -c "a ; b"` holds none. A quote
 * that never closes (an apostrophe) protects nothing.
 */

/** Index of the first of `marks` that stands at the beginning or behind white space; null: none. */
export function commentIndex(text: string, marks: string): number | null {
  return scan(text, marks, true) ?? null;
}

function scan(text: string, marks: string, respectQuotes: boolean): number | null {
  let quote: string | null = null;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i] ?? "";
    if (quote !== null) {
      if (char === "\\" && quote === '"') i += 1;
      else if (char === quote) quote = null;
    } else if (
      respectQuotes &&
      (char === '"' || char === "'") &&
      (i === 0 || /[\s=]/u.test(text[i - 1] ?? ""))
    ) {
      quote = char;
    } else if (marks.includes(char) && (i === 0 || /\s/u.test(text[i - 1] ?? ""))) {
      return i;
    }
  }
  return quote === null ? null : scan(text, marks, false);
}

/** In objects and bare lines a `;` begins a comment wherever it stands, unless escaped: `\;`. */
export function semicolonIndex(line: string): number | null {
  for (let i = line.indexOf(";"); i >= 0; i = line.indexOf(";", i + 1)) {
    if (line[i - 1] !== "\\") return i;
  }
  return null;
}
