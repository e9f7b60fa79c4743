/** A daemon or an arbiter together with how it was read: for checks, and for showing what is in force. */
import type { ArbiterSpec, DaemonSpec } from "../core/model.ts";
import { type Place, valuePlace } from "./problem.ts";
import type { RawObject } from "./raw.ts";
import type { KeyReader } from "./reader.ts";
import { placeOf } from "./sort-objects.ts";

interface Read {
  readonly object: RawObject;
  readonly reader: KeyReader;
  /** Defaults that depend on other keys. */
  readonly computed: Readonly<Record<string, unknown>>;
}
export interface DaemonMember extends Read {
  readonly is: "daemon";
  readonly spec: DaemonSpec;
}
export interface ArbiterMember extends Read {
  readonly is: "arbiter";
  readonly spec: ArbiterSpec;
}
export type Member = DaemonMember | ArbiterMember;

/** Where a key's value stands; where nobody wrote it, the object's header. */
export function placeOfKey(member: Member, key: string): Place {
  const entry = member.reader.find(key);
  return entry === null ? placeOf(member.object) : valuePlace(entry);
}
