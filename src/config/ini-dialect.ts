/**
 * The INI dialect: `[TYPE]`, `[TYPE NAME]`, and Alignak 2's `[daemon.NAME]`.
 *
 * The `ini` package reads the values. It never complains, though, and knows no lines: garbage
 * becomes a key, the last of two duplicates wins, `[a.b]` nests, an unquoted `#` cuts a password.
 * So a strict pass comes first: it finds sections, keys and comments with their places, says what is
 * wrong, and hands over to `ini` only what that can't misread.
 */
import { parse } from "ini";
import { commentIndex } from "./comments.ts";
import { isKnownKey } from "./known.ts";
import type { Place, Problems } from "./problem.ts";
import type { Entry, FileReading, RawObject, Source } from "./raw.ts";

interface Section {
  readonly type: string;
  readonly label: string | null;
  readonly place: Place;
  readonly lines: IniLine[];
}

interface IniLine {
  readonly key: string;
  readonly literal: string;
  readonly written: string;
  readonly commentAt: number | null;
  readonly line: number;
  readonly column: number;
  readonly valueColumn: number;
}

const HEADER = /^(\s*)\[([^\]]*)\]\s*(.*)$/u;
const KEY = /^[\w$.-]+$/u;

export function readIni(source: Source, problems: Problems): FileReading {
  const sections: Section[] = [];
  let isIncomplete = false;
  for (const [i, text] of source.lines.entries()) {
    if (/^\s*(?:[#;]|$)/u.test(text)) continue;
    if (/^\s*\[/u.test(text)) {
      const section = readHeader(source, i + 1, text, problems);
      if (section === null) isIncomplete = true;
      else sections.push(section);
      continue;
    }
    const line = readLine(source, i + 1, text, problems);
    if (line === null) continue;
    const section = sections.at(-1);
    if (section === undefined) {
      problems.error(
        { source, line: line.line, column: line.column, length: line.key.length },
        `\`${line.key}\` stands before any section`,
        { key: line.key, expected: "a section first, `[scheduler]` for example" },
      );
    } else section.lines.push(line);
  }
  const isAlignak = sections.some((section) => section.type === "daemon");
  const values = readValues(sections);
  const objects = sections.map((section, i): RawObject => {
    return {
      dialect: "ini",
      isAlignak,
      type: section.type,
      label: section.label,
      entries: entriesOf(section, values[i] ?? [], source),
      source,
      line: section.place.line,
      column: section.place.column,
      length: section.place.length,
    };
  });
  return { objects, linesPassedOver: 0, isIncomplete };
}

function readHeader(source: Source, line: number, text: string, problems: Problems): Section | null {
  const match = HEADER.exec(text);
  const column = text.search(/\S/u) + 1;
  if (match === null) {
    problems.error(
      { source, line, column, length: text.trim().length },
      "this section's header is never closed; is the file half written?",
      { found: text.trim(), expected: "`]`" },
    );
    return null;
  }
  const [whole, , inner = "", rest = ""] = match;
  const place: Place = { source, line, column, length: inner.length + 2 };
  if (rest !== "" && !/^[#;]/u.test(rest)) {
    problems.error(
      { source, line, column: whole.length - rest.length + 1, length: rest.length },
      "text behind a section's header",
      { found: rest, expected: "the end of the line" },
    );
  }
  const header = inner.trim();
  const dotted = /^daemon[. ]\s*(.+)$/iu.exec(header);
  if (dotted !== null) return { type: "daemon", label: unquote(dotted[1] ?? ""), place, lines: [] };
  const words = /^(\S+)(?:\s+(.+))?$/u.exec(header);
  if (words === null) {
    problems.error(place, "a section without a name", {
      found: text.trim(),
      expected: "a type such as `[scheduler]`, or `[cluster]`",
    });
    return { type: "", label: null, place, lines: [] };
  }
  const label = words[2] === undefined ? null : unquote(words[2]);
  return { type: (words[1] ?? "").toLowerCase(), label, place, lines: [] };
}

/** `key = value`. `key: value` and `key value` are read as meant where the key is a known one. */
function readLine(source: Source, line: number, text: string, problems: Problems): IniLine | null {
  const column = text.search(/\S/u) + 1;
  const place = { source, line, column, length: text.trim().length };
  const colon = /^(\s*)([\w$.-]+)(\s*:\s+)(.*)$/u.exec(text);
  const equals = /^(\s*)([^=]*?)(\s*=\s*)(.*)$/u.exec(text);
  const blank = /^(\s*)([\w$.-]+)(\s+|$)(.*)$/u.exec(text);
  let match = equals;
  if (isKnown(colon) && (equals === null || !KEY.test(equals[2] ?? ""))) match = colon;
  else if (isKnown(blank) && (equals === null || !KEY.test(equals[2] ?? ""))) match = blank;
  if (match === null) {
    problems.error(place, "this is neither a section nor a key; is the file half written?", {
      found: text.trim(),
      expected: "`key = value`",
    });
    return null;
  }
  const [, indent = "", key = "", gap = "", rest = ""] = match;
  if (!KEY.test(key)) {
    problems.error(
      place,
      key === "" ? "a value without a key" : "a key holds letters, digits, `_`, `-`, `.` and `$` only",
      { found: key === "" ? text.trim() : key, expected: "`key = value`" },
    );
    return null;
  }
  if (match !== equals) {
    problems.warning(place, `read as \`${key} = …\`; keys and values have \`=\` between them here`, { key });
  }
  const written = rest.trimEnd();
  return {
    key,
    ...literalOf(written),
    line,
    column: indent.length + 1,
    valueColumn: indent.length + key.length + gap.length + 1,
  };
}

function isKnown(match: RegExpExecArray | null): match is RegExpExecArray {
  return match !== null && isKnownKey((match[2] ?? "").toLowerCase());
}

/** The value without quotes, and where a comment may begin in it. */
function literalOf(rest: string): {
  readonly literal: string;
  readonly written: string;
  readonly commentAt: number | null;
} {
  const quoted = /^("(?:[^"\\]|\\.)*"|'[^']*')\s*(?:[#;].*)?$/u.exec(rest);
  if (quoted !== null) {
    const written = quoted[1] ?? "";
    return { literal: unquote(written), written, commentAt: null };
  }
  const commentAt = commentIndex(rest, "#;");
  // Escapes count only up to where a comment may begin, so that the index stays true.
  const before = rest.slice(0, commentAt ?? rest.length);
  const unescaped = before.replaceAll(/\\([#;])/gu, "$1");
  return {
    literal: unescaped + rest.slice(before.length),
    written: rest,
    commentAt: commentAt === null ? null : unescaped.length,
  };
}

function unquote(text: string): string {
  if (/^".*"$/su.test(text) && text.length > 1) return text.slice(1, -1).replaceAll(/\\(["\\])/gu, "$1");
  if (/^'.*'$/su.test(text) && text.length > 1) return text.slice(1, -1);
  return text;
}

/** Each section's values, in order, as `ini` reads them. */
function readValues(sections: readonly Section[]): string[][] {
  // Sections by number, since `ini` nests `[a.b]`; keys as lists, since the last duplicate would win;
  // a value in quotes as soon as `ini` could find anything in it.
  const text = sections.map((section, i) => {
    const lines = section.lines.map(
      (line) =>
        `${line.key}[]=${/^[\w ./:@%-]*$/u.test(line.literal) && !/^(?:true|false|null|)$/u.test(line.literal) ? line.literal : JSON.stringify(line.literal)}`,
    );
    return [`[s${i}]`, ...lines].join("\n");
  });
  const parsed: Record<string, unknown> = parse(text.join("\n"));
  return sections.map((section, i) => {
    const values = parsed[`s${i}`];
    const taken = new Map<string, number>();
    return section.lines.map((line) => {
      const list: unknown =
        typeof values === "object" && values !== null ? Reflect.get(values, line.key) : null;
      const nth = taken.get(line.key) ?? 0;
      taken.set(line.key, nth + 1);
      const value: unknown = Array.isArray(list) ? list[nth] : undefined;
      // `ini` leaves out names that are dangerous in JavaScript; they stay what they are here: text.
      return typeof value === "string" ? value : line.literal;
    });
  });
}

function entriesOf(section: Section, values: readonly string[], source: Source): Entry[] {
  return section.lines.map((line, i) => ({
    key: line.key,
    name: line.key.toLowerCase(),
    value: values[i] ?? line.literal,
    written: line.written,
    commentAt: line.commentAt,
    source,
    line: line.line,
    column: line.column,
    valueColumn: line.valueColumn,
  }));
}
