/**
 * Reads what a caller passes: the members of a small JSON body, whole numbers in the query, and who
 * says so. All of it is strict: an operation that was misspelt must not do something else.
 */
import type { Request } from "express";
import { readJson } from "../../protocol/body.ts";
import type { BodyRead } from "../../protocol/body.ts";
import type { EventFilter } from "../../protocol/event-filter.ts";
import { problem } from "../../protocol/problem.ts";
import type { Problem } from "../../protocol/problem.ts";
import type { BodyMember, BodyShape } from "./api.ts";
import { originCaller } from "./origin.ts";

/** Any operation fits a thousand times, and so does a report of a daemon that holds a few services. */
export const BODY_LIMIT_BYTES: number = 64 * 1024;

export type Arguments = Readonly<Record<string, unknown>>;
export type ArgumentsRead = { readonly ok: true; readonly value: Arguments } | (BodyRead & { ok: false });

/** Everyone may say in whose name he asks; it stands in the event log, it grants nothing. */
export const BY: BodyMember = {
  type: "string",
  maxLength: 128,
  description: "Who asks, for the event log. (Default: the caller's address)",
};

export async function readArguments(request: Request, shape: BodyShape): Promise<ArgumentsRead> {
  const body = await readJson(request, BODY_LIMIT_BYTES, true);
  if (!body.ok) return body;
  if (body.value === undefined) return checked({}, shape);
  if (typeof body.value !== "object" || body.value === null || Array.isArray(body.value)) {
    return refused("The body must be a JSON object.");
  }
  return checked({ ...body.value }, shape);
}

function checked(given: Readonly<Record<string, unknown>>, shape: BodyShape): ArgumentsRead {
  const value: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(given)) {
    const expected = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (expected === undefined) {
      return refused(`There is no member \`${name}\`; known are ${Object.keys(shape).join(", ")}.`);
    }
    // null says the same as leaving it out.
    if (member === null) continue;
    const wrong = mismatch(member, expected);
    if (wrong !== null) return refused(`\`${name}\` must be ${wrong}.`);
    value[name] = member;
  }
  for (const [name, { required }] of Object.entries(shape)) {
    if (required === true && value[name] === undefined) return refused(`\`${name}\` is missing.`);
  }
  return { ok: true, value };
}

/** Whatever would move a terminal's cursor or begin a line of its own in a log. */
const CONTROL = /\p{Cc}/u;

function mismatch(value: unknown, member: BodyMember): string | null {
  const { type, maxLength = 1_000, minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = member;
  if (type === "json") return null;
  if (type === "boolean") return typeof value === "boolean" ? null : "true or false";
  if (type === "integer") {
    const fits = typeof value === "number" && Number.isSafeInteger(value);
    if (fits && value >= minimum && value <= maximum) return null;
    return `an integer of at least ${minimum}${member.maximum === undefined ? "" : ` and at most ${maximum}`}`;
  }
  const fits = typeof value === "string" && value.length > 0 && value.length <= maxLength;
  if (!fits) return `a string of 1 to ${maxLength} characters`;
  return CONTROL.test(value) ? "a string on one line, without control characters" : null;
}

function refused(detail: string): ArgumentsRead {
  return {
    ok: false,
    problem: problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" }),
    close: false,
  };
}

export function textOf(given: Arguments, name: string): string | null {
  const value = given[name];
  return typeof value === "string" ? value : null;
}

export function numberOf(given: Arguments, name: string): number | null {
  const value = given[name];
  return typeof value === "number" ? value : null;
}

/** In whose name it is asked: what the caller says, else what is known. */
export function askedBy(request: Request, given: Arguments): string {
  const { from, certificate } = originCaller(request);
  return textOf(given, "by") ?? certificate ?? `someone at ${from}`;
}

/** Which events are asked for; a problem names the parameter that is wrong. */
export function queryFilter(request: Request): EventFilter | Problem {
  const times: { since?: number; until?: number } = {};
  for (const name of ["since", "until"] as const) {
    const text = queryText(request, name);
    if (text === undefined) continue;
    const wallMs = /^\d{1,15}$/u.test(text) ? Number(text) : Date.parse(text);
    if (Number.isNaN(wallMs)) {
      const detail = `\`${name}\` must be a time as 2026-11-20T10:15:04Z, or milliseconds since 1970.`;
      return problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" });
    }
    times[name] = wallMs;
  }
  const types = (queryText(request, "type") ?? "").split(",").map((type) => type.trim());
  return {
    service: queryText(request, "service"),
    namespace: queryText(request, "namespace"),
    key: queryText(request, "key"),
    types: types.filter((type) => type !== ""),
    sinceWallMs: times.since,
    untilWallMs: times.until,
  };
}

function queryText(request: Request, name: string): string | undefined {
  const text: unknown = request.query[name];
  return typeof text === "string" && text !== "" ? text : undefined;
}

/** A whole number of the query; undefined: it isn't there. */
export function queryNumber(request: Request, name: string, max: number): number | Problem | undefined {
  const text: unknown = request.query[name];
  if (text === undefined) return undefined;
  const value = typeof text === "string" && /^\d{1,15}$/u.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  return problem(400, "Bad Request", `\`${name}\` must be an integer from 0 to ${max}.`, {
    code: "ERR_ARB_MESSAGE",
  });
}
