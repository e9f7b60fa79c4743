/**
 * What stands under which key, and the guards for what is read from there.
 *
 * Nothing here may ever be changed without a new schema number: it says where older values are.
 */
import { randomUUID } from "node:crypto";
import type { LeadershipRecord, LoggedEvent } from "../core/model.ts";
import { integer, parsed, text } from "../protocol/reading.ts";
import { EngineTrouble, damaged, sound, wholeNumber } from "./engine.ts";
import type { Basis } from "./group.ts";
import { unpack } from "./key-value-pieces.ts";
import { readEvent, readLeadership, readServiceRow } from "./stored.ts";

export const SCHEMA = 1;
export const BUCKETS = 32;
/** Folder of the identities that were published, each with the number of its event. */
export const PUBLISHED = "published";

/** A value as it was read, with what the server needs to tell whether it still stands. */
export interface Item {
  readonly value: Buffer | null;
  readonly guard: unknown;
}

export type Put = { readonly key: string; readonly value: Buffer; readonly isNew: boolean };
export interface Listed {
  readonly name: string;
  readonly value: Buffer;
}

export interface StateValue {
  readonly revision: number;
  readonly lastEvent: number;
  readonly newest: Basis["newest"];
}

export function epochOf(service: string, json: string): number {
  return sound(readServiceRow(json), `the row of service ${service}`).epoch;
}

export function itemOf(items: ReadonlyMap<string, Item>, key: string): Item {
  return items.get(key) ?? { value: null, guard: null };
}

/** FNV-1a: never to be changed, as it says where a row is found. */
export function bucketOf(service: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(service)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % BUCKETS;
}

export function bucketKey(number: number): string {
  return `rows/${String(number).padStart(2, "0")}`;
}

/** So that the order of names is the order of numbers. */
export function digits(number: number): string {
  return String(number).padStart(16, "0");
}

export function jsonOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** The nonce makes it differ from every other write's: equal means that nobody wrote since. */
export function stateValue(value: StateValue): Buffer {
  return jsonOf({ ...value, nonce: randomUUID() });
}

export function readState({ value }: Item): StateValue {
  if (value === null) {
    throw new EngineTrouble(
      "has lost its contents: the keys that Arbiter made there are gone. Restore a backup, or restart every arbiter that uses it to begin with an empty store.",
      { isCertain: true },
    );
  }
  const read = parsed(jsonFrom(value), (from) => ({
    revision: integer(from, "revision", 0),
    lastEvent: integer(from, "lastEvent", 0),
    newest:
      from["newest"] === null
        ? null
        : sound(
            parsed(from["newest"], (newest) => ({
              version: integer(newest, "version", 0),
              hash: text(newest, "hash", 1024),
            })),
            "the state",
          ),
  }));
  return sound(read, "the state");
}

export function readSchema(value: Buffer): { readonly application: string; readonly schema: number } {
  const read = parsed(jsonFrom(value), (from) => ({
    application: text(from, "application", 100),
    schema: integer(from, "schema", 0),
  }));
  return sound(read, "the schema");
}

export function readRecord({ value }: Item): LeadershipRecord | null {
  // ZooKeeper's node is there from the beginning, without contents.
  if (value === null || value.length === 0) return null;
  return sound(readLeadership(value.toString("utf8")), "the leadership record");
}

export function readBucket(value: Buffer | null): ReadonlyMap<string, string> {
  if (value === null || value.length === 0) return new Map();
  return new Map(
    unpack(value)
      .split("\n")
      .map((line) => [sound(readServiceRow(line), "a row").service, line]),
  );
}

export function readBlock({ name, value }: Listed): readonly LoggedEvent[] {
  const lines = unpack(value).split("\n");
  const first = Number(name) - lines.length + 1;
  return lines.map((line, index) =>
    Object.assign(sound(readEvent(line), `event ${first + index}`), { seq: first + index }),
  );
}

export function publishedKey(id: string): string {
  return `${PUBLISHED}/${id}`;
}

export function readPublished(ids: readonly string[], items: readonly Item[]): ReadonlyMap<string, number> {
  const known = new Map<string, number>();
  for (const [index, id] of ids.entries()) {
    const value = items[index]?.value ?? null;
    if (value !== null) known.set(id, wholeNumber(jsonFrom(value), "the number of a published event"));
  }
  return known;
}

function jsonFrom(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString("utf8"));
  } catch {
    throw new EngineTrouble(damaged("a value that must be JSON."), { isCertain: true });
  }
}
