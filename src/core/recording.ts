/**
 * What a recording holds, so that what an arbiter's core decided can be decided again from a file.
 *
 * The core is a function: the same state and the same input give the same effects. So a recording is
 * the whole state once (a *snapshot*), and then each input with the effects that came of it, in short.
 * Everything in it is plain data: maps, sets and infinite numbers, which JSON doesn't have, are
 * written as objects with one member whose name begins with `$`.
 *
 * Secrets and the content of files stay out: nothing is decided by them.
 */
import type { ArbiterEffect, ArbiterEvent } from "./arbiter-io.ts";
import type { ArbiterState } from "./arbiter-state.ts";
import type { Assignment } from "./messages.ts";

/** Of the lines' form: a reader refuses a higher one. */
export const RECORDING_VERSION = 1;

export interface SnapshotLine {
  readonly kind: "snapshot";
  readonly v: number;
  /** ISO 8601, for people. */
  readonly at: string;
  readonly arbiter: string;
  /** One start of that arbiter. */
  readonly instance: string;
  readonly state: unknown;
}

export interface InputLine {
  readonly kind: "input";
  /** Rises by one from the snapshot (0) on: a line that is missing is noticed. */
  readonly n: number;
  readonly event: unknown;
  /** What came of it, in order; see `summary`. */
  readonly effects: readonly string[];
}

/** Members that may be left out of what is written: of these records, the values. */
export type IsSecret = (name: string) => boolean;

/** The whole content of files, which the core only hands on. */
const LEFT_OUT: Readonly<Record<string, unknown>> = { files: {}, history: [] };
const SECRET_VALUE = "(left out)";

export function encoded(value: unknown, isSecret: IsSecret = () => false): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : { $number: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Map)
    return { $map: [...value].map(([key, one]: [unknown, unknown]) => [key, encoded(one, isSecret)]) };
  if (value instanceof Set) return { $set: [...value].map((one: unknown) => encoded(one, isSecret)) };
  if (Array.isArray(value)) return value.map((one: unknown) => encoded(one, isSecret));
  const out: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(value)) {
    if (Object.hasOwn(LEFT_OUT, name)) out[name] = LEFT_OUT[name];
    else if (typeof one === "string" && isSecret(name)) out[name] = SECRET_VALUE;
    else out[name] = encoded(one, isSecret);
  }
  return out;
}

export function decoded(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one: unknown) => decoded(one));
  const entries: [string, unknown][] = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined) {
    const [name, inner] = first;
    if (name === "$number") return Number(inner);
    if (name === "$map") return new Map(pairs(inner));
    if (name === "$set")
      return new Set(Array.isArray(inner) ? inner.map((one: unknown) => decoded(one)) : []);
  }
  return Object.fromEntries(entries.map(([name, one]: [string, unknown]) => [name, decoded(one)]));
}

function pairs(inner: unknown): [unknown, unknown][] {
  if (!Array.isArray(inner)) return [];
  return inner.flatMap((pair: unknown): [unknown, unknown][] =>
    Array.isArray(pair) ? [[pair[0], decoded(pair[1])]] : [],
  );
}

/** As the file has it. Only files of our own making are read: a damaged one is found by its first step. */
export function stateIn(line: { readonly state: unknown }): ArbiterState {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by `encoded`
  return decoded(line.state) as ArbiterState;
}

export function eventIn(line: { readonly event: unknown }): ArbiterEvent {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by `encoded`
  return decoded(line.event) as ArbiterEvent;
}

/** One effect in a line: everything that it decides, for people's eyes and for comparing. */
export function summary(effect: ArbiterEffect): string {
  switch (effect.kind) {
    case "assign":
      return `assign ${effect.daemon} ${assigned(effect.assignment)}${effect.fresh ? " fresh" : ""}`;
    case "commit": {
      const { commitId, term, changes, settings, configuration, events } = effect.commit;
      const rows = changes.map(
        ({ row }) =>
          `${row.service}@${row.epoch} ${row.holder ?? "nobody"} cleared ${row.cleared} lease ${row.leaseMaxMs}`,
      );
      const more = [
        ...(settings === null ? [] : [`settings ${JSON.stringify(settings)}`]),
        ...(configuration === null ? [] : [`configuration ${configuration.version} ${configuration.hash}`]),
      ];
      return `commit ${commitId} term ${term}: ${[...rows, ...more, ...events.map(({ type }) => type)].join("; ")}`;
    }
    case "record":
      return `record term ${effect.term}: ${effect.events.map(({ type, text }) => `${type} ${text}`).join("; ")}`;
    case "timer":
      return `timer ${effect.key} ${effect.atMs}`;
    case "readLeadership":
    case "released":
      return effect.kind;
    case "campaign":
      return `campaign ${JSON.stringify(effect.next)}`;
    case "touchStore":
      return `touch beat ${effect.record.beat} of term ${effect.record.term}`;
    case "load":
      return `load term ${effect.term}`;
    case "answer":
      return `answer ${effect.id} ${effect.answer.status} ${effect.answer.text}`;
    case "askArbiterPromise":
      return `ask ${effect.arbiter} ${JSON.stringify(effect.request)}`;
    case "askOpinion":
      return `ask ${effect.arbiter} whether it reaches ${effect.daemons.join(", ")}`;
    case "answerArbiterPromise":
      return `promise ${effect.id} ${JSON.stringify(effect.answer)}`;
    case "journal":
      return `journal ${JSON.stringify(effect.entry)}`;
    case "changed":
      return `changed ${effect.mapVersion}`;
    case "forget":
      return `forget ${effect.daemon}`;
  }
}

function assigned({ term, seq, nonce, services }: Assignment): string {
  const wanted =
    services === null
      ? "probe"
      : services.map(
          ({ service, epoch, cleared, leaseMs, drain }) =>
            `${service}@${epoch} cleared ${cleared} lease ${leaseMs}${drain ? " drain" : ""}`,
        );
  return `term ${term} seq ${seq} nonce ${nonce ?? "none"} [${String(wanted)}]`;
}

/** Whether anything was decided that people may ask about; checks, timers and beats are not. */
export function isDecisive(effects: readonly ArbiterEffect[]): boolean {
  return effects.some(({ kind }) => DECISIVE.has(kind));
}

const DECISIVE: ReadonlySet<ArbiterEffect["kind"]> = new Set([
  "commit",
  "record",
  "journal",
  "answer",
  "load",
  "released",
  "forget",
] as const);
