/**
 * The Nagios dialect, `define TYPE { key value … }`, and the bare one, the same lines without a
 * header.
 *
 * The parsers that these files were written for lose keys, and whole blocks, in silence: a block on
 * one line, text behind a brace, `key=value`. Here what can mean only one thing is read as meant,
 * with a warning; the rest is an error.
 */
import { commentIndex, semicolonIndex } from "./comments.ts";
import { FOREIGN_OBJECTS, MAIN_FILE_LINE } from "./keys-foreign.ts";
import { isKnownKey, typeOfNameKey } from "./known.ts";
import type { Place, Problems } from "./problem.ts";
import { keyPlace, valuePlace } from "./problem.ts";
import type { Entry, FileReading, RawObject, Source } from "./raw.ts";

interface OpenBlock {
  readonly type: string;
  readonly entries: Entry[];
  readonly place: Place;
  /** Objects of other tools are only passed over: how their lines look is not our business. */
  readonly isForeign: boolean;
}

const DEFINE = /^(\s*)(define)(\s+)([A-Za-z][\w-]*)\s*(\{)?/iu;

class ObjectsReader {
  readonly objects: RawObject[] = [];
  linesPassedOver = 0;
  isIncomplete = false;
  #open: OpenBlock | null = null;
  /** `define TYPE` was read, and its brace is still to come. */
  #awaitsBrace = false;
  readonly source: Source;
  readonly problems: Problems;

  constructor(source: Source, problems: Problems) {
    this.source = source;
    this.problems = problems;
  }

  line(line: number, text: string): void {
    const code = withoutComment(
      this.source,
      line,
      text,
      this.#open?.isForeign === true ? null : this.problems,
    );
    if (code.trim() === "") return;
    if (this.#open === null) this.#outside(line, code);
    else if (this.#awaitsBrace) this.#brace(line, code);
    else this.#inside(line, code);
  }

  end(): void {
    if (this.#open === null) return;
    this.problems.error(
      this.#open.place,
      `this \`define ${this.#open.type}\` is never closed; is the file half written?`,
      { expected: "`}` on a line of its own" },
    );
    this.#close();
  }

  #outside(line: number, code: string): void {
    const define = DEFINE.exec(code);
    if (define !== null) return this.#define(line, code, define);
    const column = code.search(/\S/u) + 1;
    const place = this.#place(line, column, code.trim().length);
    const key = /^\s*([^\s=]+)/u.exec(code)?.[1]?.toLowerCase() ?? "";
    if (MAIN_FILE_LINE.test(code) || (/^\s*[\w$.-]+\s*=/u.test(code) && !isKnownKey(key))) {
      this.linesPassedOver += 1;
    } else if (code.trim().startsWith("}")) {
      this.problems.error(place, "this `}` closes nothing", { found: code.trim() });
    } else {
      this.problems.error(place, "this line stands outside of any `define … { … }`", { found: code.trim() });
    }
  }

  #define(line: number, code: string, define: RegExpExecArray): void {
    const [whole, indent = "", keyword = "", gap = "", word = "", brace] = define;
    const type = word.toLowerCase();
    const column = indent.length + 1;
    const place = this.#place(line, column, whole.trim().length);
    const isForeign = FOREIGN_OBJECTS.has(type);
    if (keyword !== "define" && !isForeign) {
      this.problems.warning(
        this.#place(line, column, keyword.length),
        `\`${keyword}\` is read as \`define\`; the tools that this format comes from pass it over`,
      );
    }
    if (word !== type && !isForeign) {
      this.problems.warning(
        this.#place(line, column + keyword.length + gap.length, word.length),
        `\`${word}\` is read as \`${type}\``,
      );
    }
    this.#open = { type, entries: [], place, isForeign };
    this.#awaitsBrace = brace === undefined;
    const rest = code.slice(whole.length);
    if (rest.trim() === "") return;
    if (brace === undefined) {
      this.problems.error(
        this.#place(line, whole.length + 1, rest.trim().length),
        `expected \`{\` behind \`define ${word}\``,
        { found: rest.trim(), expected: "`{`" },
      );
      this.#awaitsBrace = false;
    } else if (rest.trimEnd().endsWith("}") && !/[{]/u.test(rest))
      this.#oneLine(line, whole.length, rest.trimEnd().slice(0, -1));
    else {
      const from = whole.length + rest.search(/\S/u);
      if (!isForeign) {
        this.problems.warning(
          this.#place(line, from + 1, rest.trim().length),
          "text behind `{` belongs on a line of its own; it is read as a key all the same",
          { found: rest.trim() },
        );
      }
      this.#key(line, code, whole.length);
    }
  }

  /** `define scheduler { scheduler_name a }`: one pair is plain; several only if every second word is a key. */
  #oneLine(line: number, from: number, inner: string): void {
    const open = this.#open;
    if (open === null) return;
    const words = [...inner.matchAll(/\S+/gu)];
    const keys = words.filter((_, i) => i % 2 === 0).map((match) => match[0].toLowerCase());
    const isPairs = words.length % 2 === 0 && keys.every(isKnownKey);
    if (open.isForeign || words.length === 0) return this.#close();
    const place = this.#place(line, from + inner.search(/\S/u) + 1, inner.trim().length);
    if (words.length > 2 && !isPairs) {
      this.problems.error(
        place,
        `can't tell keys from values in a \`define\` on one line: put each key on a line of its own`,
        { found: inner.trim(), expected: "one key and its value a line" },
      );
      this.isIncomplete = true;
      this.#open = null;
      return;
    }
    this.problems.warning(
      place,
      `a whole \`define\` on one line loses its keys in the tools that this format comes from; here it is read as meant`,
    );
    if (words.length <= 2) this.#key(line, " ".repeat(from) + inner, from);
    else {
      for (let i = 0; i < words.length; i += 2) {
        const at = from + (words[i]?.index ?? 0);
        const next = from + (words[i + 1]?.index ?? 0) + (words[i + 1]?.[0].length ?? 0);
        this.#key(line, (" ".repeat(from) + inner).slice(0, next), at);
      }
    }
    this.#close();
  }

  #brace(line: number, code: string): void {
    this.#awaitsBrace = false;
    const column = code.search(/\S/u) + 1;
    if (code.trim().startsWith("{")) {
      this.problems.warning(
        this.#place(line, column, 1),
        "`{` belongs on the line of its `define`; it is read as meant",
      );
      if (code.trim() !== "{") this.#key(line, code, column);
      return;
    }
    this.problems.error(
      this.#place(line, column, code.trim().length),
      `expected \`{\` behind \`define ${this.#open?.type ?? ""}\``,
      { found: code.trim(), expected: "`{`" },
    );
    this.#inside(line, code);
  }

  #inside(line: number, code: string): void {
    const trimmed = code.trim();
    const column = code.search(/\S/u) + 1;
    if (trimmed.startsWith("}")) {
      if (trimmed !== "}" && this.#open?.isForeign !== true) {
        this.problems.warning(
          this.#place(line, column + 1, trimmed.length - 1),
          "text behind `}` keeps other tools from closing the block; here the block ends",
          { found: trimmed },
        );
      }
      return this.#close();
    }
    const define = DEFINE.exec(code);
    if (define !== null && define[5] !== undefined && this.#open !== null) {
      this.problems.error(
        this.#open.place,
        `this \`define ${this.#open.type}\` is not closed before the next one in line ${line}`,
        { expected: "`}` on a line of its own" },
      );
      this.#close();
      return this.#define(line, code, define);
    }
    const closing = /\s\}$/u.exec(code.trimEnd());
    if (closing !== null && !code.includes("{")) {
      const at = code.trimEnd().length;
      if (this.#open?.isForeign !== true)
        this.problems.warning(
          this.#place(line, at, 1),
          "`}` behind a value belongs on a line of its own; here the block ends",
        );
      this.#key(line, code.trimEnd().slice(0, -1), 0);
      return this.#close();
    }
    this.#key(line, code, 0);
  }

  #key(line: number, code: string, from: number): void {
    const open = this.#open;
    if (open === null) return;
    const entry = readEntry(this.source, line, code, from, open.isForeign ? null : this.problems);
    if (entry !== null) open.entries.push(entry);
  }

  #close(): void {
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    this.objects.push({
      dialect: "objects",
      isAlignak: false,
      type: open.type,
      label: null,
      entries: open.entries,
      source: this.source,
      line: open.place.line,
      column: open.place.column,
      length: open.place.length,
    });
  }

  #place(line: number, column: number, length: number): Place {
    return { source: this.source, line, column, length };
  }
}

/** A `#` begins a comment only at the beginning of a line, a `;` anywhere. */
function withoutComment(source: Source, line: number, text: string, problems: Problems | null): string {
  if (/^\s*#/u.test(text)) return "";
  const semicolon = semicolonIndex(text);
  if (semicolon === null) return text;
  const before = text.slice(0, semicolon);
  if (problems !== null && /\S$/u.test(before) && !/[{}]$/u.test(before)) {
    problems.warning(
      { source, line, column: semicolon + 1, length: text.length - semicolon },
      "a comment begins here; where a semicolon is meant, write `\\;`",
    );
  }
  return before;
}

/** One `key value`; null where the line holds no key. */
function readEntry(
  source: Source,
  line: number,
  code: string,
  from: number,
  problems: Problems | null,
): Entry | null {
  const text = code.slice(from);
  const match = /^(\s*)([^\s=]+)(\s*=\s*|\s+|$)(.*)$/su.exec(text.trimEnd());
  if (match === null) {
    problems?.error(
      { source, line, column: from + text.search(/\S/u) + 1, length: text.trim().length },
      "a value without a key",
      { found: text.trim(), expected: "`key   value`" },
    );
    return null;
  }
  const [, indent = "", key = "", gap = "", rest = ""] = match;
  const column = from + indent.length + 1;
  const value = rest.replaceAll("\\;", ";");
  const entry: Entry = {
    key,
    name: key.toLowerCase(),
    value,
    written: rest,
    commentAt: commentIndex(value, "#"),
    source,
    line,
    column,
    valueColumn: column + key.length + gap.length,
  };
  if (problems !== null) {
    if (gap.includes("=")) {
      problems.warning(
        keyPlace(entry),
        `\`${key}=…\` is read as \`${key}   …\`; inside an object other tools pass it over`,
        { key },
      );
    } else if (gap === " " && value.includes("\t")) {
      problems.warning(
        valuePlace(entry),
        `one space behind \`${key}\` and a tab in the value: other tools take it for a part of the key; here \`${key}\` is the key`,
        { key },
      );
    }
  }
  return entry;
}

export function readObjects(source: Source, problems: Problems): FileReading {
  const reader = new ObjectsReader(source, problems);
  for (const [i, text] of source.lines.entries()) reader.line(i + 1, text);
  reader.end();
  return {
    objects: reader.objects,
    linesPassedOver: reader.linesPassedOver,
    isIncomplete: reader.isIncomplete,
  };
}

/** One daemon a file; its type comes from the `TYPE_name` key. */
export function readBareLines(source: Source, problems: Problems): FileReading {
  const entries: Entry[] = [];
  let linesPassedOver = 0;
  // A tool's main file has no daemon: its lines are its own business.
  const isMainFile = source.lines.some((text) => MAIN_FILE_LINE.test(text));
  for (const [i, text] of source.lines.entries()) {
    const code = withoutComment(source, i + 1, text, isMainFile ? null : problems);
    if (code.trim() === "") continue;
    if (MAIN_FILE_LINE.test(code)) linesPassedOver += 1;
    else {
      const entry = readEntry(source, i + 1, code, 0, isMainFile ? null : problems);
      if (entry !== null) entries.push(entry);
    }
  }
  const first = entries[0];
  if (first === undefined) return { objects: [], linesPassedOver, isIncomplete: false };
  const named = entries.find((entry) => typeOfNameKey(entry.name) !== null);
  if (named === undefined && isMainFile)
    return { objects: [], linesPassedOver: linesPassedOver + entries.length, isIncomplete: false };
  if (named === undefined) {
    problems.error(
      keyPlace(first),
      "this file names no daemon: its type comes from a key such as `scheduler_name`, or from a section `[scheduler]`",
      { found: first.key, expected: "`TYPE_name   NAME`" },
    );
    return { objects: [], linesPassedOver, isIncomplete: true };
  }
  const type = typeOfNameKey(named.name) ?? "";
  const object: RawObject = {
    dialect: "bare",
    isAlignak: false,
    type,
    label: null,
    entries,
    source,
    line: named.line,
    column: named.column,
    length: named.key.length,
  };
  return { objects: [object], linesPassedOver, isIncomplete: false };
}
