/**
 * What the SQLite engine's two halves say to each other: the store on the process's own thread,
 * and the thread that holds the database. Structured clone carries it.
 */
import type { Commit, ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord, LoggedEvent } from "../core/model.ts";
import type { Committed, NoteName, StoreContents } from "./contract.ts";

/** Each call: what goes in, what comes out. */
export interface SqliteCalls {
  readonly open: { readonly in: null; readonly out: null };
  readonly leadership: { readonly in: null; readonly out: LeadershipRecord | null };
  readonly campaign: {
    readonly in: { readonly expected: LeadershipRecord | null; readonly next: LeadershipRecord };
    readonly out: { readonly won: boolean; readonly record: LeadershipRecord | null };
  };
  readonly load: { readonly in: null; readonly out: StoreContents };
  readonly commit: {
    readonly in: Commit;
    readonly out: Committed;
  };
  readonly note: { readonly in: { readonly name: NoteName }; readonly out: string | null };
  readonly events: {
    readonly in: { readonly after: number; readonly limit: number };
    readonly out: readonly LoggedEvent[];
  };
  readonly configurations: {
    readonly in: { readonly limit: number };
    readonly out: readonly ConfigurationVersion[];
  };
  /** Removes at most `limit`: a long list is trimmed in pieces, so that no beat waits for it. */
  readonly trim: {
    readonly in: { readonly beforeWallMs: number; readonly limit: number };
    readonly out: number;
  };
  /** Changes with each commit of *another* connection. */
  readonly foreignVersion: { readonly in: null; readonly out: number };
  readonly close: { readonly in: null; readonly out: null };
}

export type SqliteCallName = keyof SqliteCalls;

export type SqliteCall = {
  [Name in SqliteCallName]: {
    readonly id: number;
    readonly name: Name;
    readonly in: SqliteCalls[Name]["in"];
  };
}[SqliteCallName];

export interface SqliteTrouble {
  readonly kind: "fenced" | "unavailable";
  readonly message: string;
  /** Whether what was asked for may have been done all the same. */
  readonly outcome: "refused" | "unknown";
}

export type SqliteAnswer =
  | { readonly id: number; readonly out: SqliteCalls[SqliteCallName]["out"]; readonly trouble: null }
  | { readonly id: number; readonly out: null; readonly trouble: SqliteTrouble };

export interface SqliteOptions {
  /** Absolute. */
  readonly path: string;
  /** How it is called in messages. */
  readonly description: string;
  /** Create a missing folder: a relative path lies below the state folder. */
  readonly makeFolder: boolean;
  /** For how long another process's lock is waited for. */
  readonly busyTimeoutMs: number;
}

/** Operations that write need the write lock and a sync to disk. */
export function writes(name: SqliteCallName): boolean {
  return name === "campaign" || name === "commit" || name === "trim";
}
