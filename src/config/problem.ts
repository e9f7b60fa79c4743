/**
 * What is wrong with a configuration, and how a person is told.
 *
 * Problems are values and are gathered: a user with five mistakes sees five, not one after the
 * other. Each says where it stands (file, line, column), which key, what was found and what was
 * expected; it carries its line, so that it can be printed without reading the file again. A
 * problem of a whole file stands at 1:1.
 */
import { styleText } from "node:util";
import type { Entry, Source } from "./raw.ts";
import { isSecretName, maskLine } from "./secrets.ts";

export type Severity = "error" | "warning" | "information";

export interface Problem {
  readonly severity: Severity;
  /** Relative to the configuration folder. */
  readonly file: string;
  /** 1-based, as is `column`. */
  readonly line: number;
  readonly column: number;
  /** How many characters are marked. */
  readonly length: number;
  readonly key: string | null;
  readonly found: string | null;
  readonly expected: string | null;
  /** One sentence: what is wrong and, where it helps, what to do. */
  readonly text: string;
  /** The line itself, secrets struck out; null where there is none (an unreadable file, for example). */
  readonly sourceLine: string | null;
}

/** A stretch of a line. */
export interface Place {
  readonly source: Source;
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

export interface Detail {
  readonly key?: string;
  readonly found?: string;
  readonly expected?: string;
}

/** More than these are counted, not kept: a binary file must not fill the memory with its faults. */
const PROBLEMS_KEPT = 500;

export class Problems {
  readonly list: Problem[] = [];
  readonly #seen = new Set<string>();
  #dropped = 0;

  error(place: Place, text: string, detail: Detail = {}): void {
    this.#add("error", place, text, detail);
  }
  warning(place: Place, text: string, detail: Detail = {}): void {
    this.#add("warning", place, text, detail);
  }
  information(place: Place, text: string, detail: Detail = {}): void {
    this.#add("information", place, text, detail);
  }

  /** Of a whole file or folder, where no line can be shown. */
  file(severity: Severity, path: string, text: string, detail: Detail = {}): void {
    this.#add(
      severity,
      { source: { path, lines: [], content: "" }, line: 1, column: 1, length: 1 },
      text,
      detail,
    );
  }

  get hasErrors(): boolean {
    return this.list.some((problem) => problem.severity === "error");
  }

  /** In the order of files and lines. */
  sorted(): Problem[] {
    const kept = this.list.toSorted(
      (a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column,
    );
    const last = kept.at(-1);
    if (this.#dropped > 0 && last !== undefined) {
      kept.push({
        ...last,
        key: null,
        found: null,
        expected: null,
        text: `${this.#dropped} more problems are not shown`,
        severity: "information",
      });
    }
    return kept;
  }

  #add(severity: Severity, place: Place, text: string, detail: Detail): void {
    // A template's fault, or that of [DEFAULT], is met again in each daemon that inherits it.
    const id = `${place.source.path}\0${place.line}\0${place.column}\0${text}`;
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    // An error always gets in: dropping the only one would make a bad file look good.
    if (this.list.length >= PROBLEMS_KEPT && (severity !== "error" || this.hasErrors)) {
      this.#dropped += 1;
      return;
    }
    this.list.push({
      severity,
      file: place.source.path,
      line: place.line,
      column: place.column,
      length: Math.max(1, place.length),
      key: detail.key ?? null,
      found: foundIn(detail),
      expected: detail.expected ?? null,
      text,
      sourceLine: lineOf(place),
    });
  }
}

function foundIn({ key, found }: Detail): string | null {
  if (found === undefined) return null;
  return key !== undefined && isSecretName(key) ? "(a secret)" : maskLine(found);
}

function lineOf({ source, line }: Place): string | null {
  const text = source.lines[line - 1];
  return text === undefined ? null : maskLine(text);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function keyPlace(entry: Entry): Place {
  return { source: entry.source, line: entry.line, column: entry.column, length: entry.key.length };
}
export function valuePlace(entry: Entry): Place {
  return {
    source: entry.source,
    line: entry.line,
    column: entry.valueColumn,
    length: Math.max(1, entry.written.length),
  };
}

/** A line longer than this is shown in part: the mark must stay on the screen. */
const EXCERPT_LENGTH = 160;

/** `file:line:column: error: text`, the line, and a caret under the place. */
export function renderProblem(problem: Problem, options: { readonly color?: boolean } = {}): string {
  const color = options.color === true;
  const severityColor =
    problem.severity === "error" ? "red" : problem.severity === "warning" ? "yellow" : "cyan";
  const paint = (format: "bold" | "dim" | typeof severityColor, text: string): string =>
    color ? styleText(format, text, { validateStream: false }) : text;
  const out = [
    `${paint("bold", `${printable(problem.file)}:${problem.line}:${problem.column}:`)} ${paint(severityColor, `${problem.severity}:`)} ${printable(problem.text)}`,
  ];
  if (problem.sourceLine !== null) {
    const number = String(problem.line);
    const from = problem.column - 1 > EXCERPT_LENGTH - 40 ? problem.column - 1 - 40 : 0;
    const line = problem.sourceLine.slice(from, from + EXCERPT_LENGTH);
    const before = line.slice(0, problem.column - 1 - from);
    const mark = "^".repeat(Math.max(1, Math.min(problem.length, line.length - before.length)));
    // Tabs stay tabs, so that the caret stands where the terminal puts the text.
    out.push(`${paint("dim", `${number} |`)} ${printable(line)}`);
    out.push(
      `${paint("dim", `${" ".repeat(number.length)} |`)} ${before.replaceAll(/[^\t]/gu, " ")}${paint(severityColor, mark)}`,
    );
  }
  const facts = [
    problem.key === null ? null : `key \`${problem.key}\``,
    problem.found === null ? null : `found \`${problem.found}\``,
    problem.expected === null ? null : `expected ${problem.expected}`,
  ].filter((fact) => fact !== null);
  if (facts.length > 0) out.push(`  = ${printable(facts.join(", "))}`);
  return out.join("\n");
}

/** A file must not move the cursor of whoever reads about it. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/gu, "\u{fffd}");
}
