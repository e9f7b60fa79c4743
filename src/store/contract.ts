/**
 * The store contract: a small linearizable register that arbiters share, the same for each
 * engine. No engine's clock, session or time-to-live is trusted.
 */
import type { Commit, ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord, LoggedEvent, ServiceRow, Settings } from "../core/model.ts";

export interface StoreContents {
  /** Rises by one with every commit that changes rows, settings or configuration; `revisionAbove` skips some. */
  readonly revision: number;
  readonly rows: readonly ServiceRow[];
  readonly settings: Settings;
  readonly configuration: ConfigurationVersion | null;
  /** Number of the newest event; 0: none yet. */
  readonly lastEvent: number;
}

/**
 * I5, for publishers: an event whose idempotency key the log holds already is not appended again,
 * whoever sends it, however often, through whichever arbiter.
 */
export interface Repeat {
  /** Place in the commit's `events`. */
  readonly index: number;
  /** Number under which the log holds it. */
  readonly seq: number;
}

export interface Committed {
  readonly revision: number;
  /** Those that were appended, in order, numbered consecutively. */
  readonly events: readonly LoggedEvent[];
  /** Those that stand in the log already. */
  readonly repeats: readonly Repeat[];
}

/** Documents that a leader leaves for the next one. The names are fixed, as some engines prepare them. */
export const NOTES = ["alerts"] as const;
export type NoteName = (typeof NOTES)[number];

export interface Store {
  /** For messages: `sqlite:var/arbiter.db`. Without secrets. */
  readonly description: string;
  leadership(): Promise<LeadershipRecord | null>;
  /**
   * Compare-and-set on the leadership record: `next` replaces it if term, instance and beat are
   * still those of `expected` (null: no record). Resolves to what the store holds afterwards.
   */
  campaign(
    expected: LeadershipRecord | null,
    next: LeadershipRecord,
  ): Promise<{ readonly won: boolean; readonly record: LeadershipRecord | null }>;
  load(): Promise<StoreContents>;
  /**
   * All or nothing. Rejects with `StoreFenced` unless `term` is the record's term (and the record
   * isn't released) and each changed row still has the epoch expected; with `StoreUnavailable`,
   * whose `outcome` says whether it may have been applied all the same.
   */
  commit(commit: Commit): Promise<Committed>;
  /** Events with a number above `after`, oldest first, at most `limit`. */
  events(after: number, limit: number): Promise<readonly LoggedEvent[]>;
  /** Configuration versions, newest first. */
  configurations(limit: number): Promise<readonly ConfigurationVersion[]>;
  /** The newest of that name that was committed; null: none was. */
  note(name: NoteName): Promise<string | null>;
  /**
   * Removes events before this wall-clock time, except the newest; resolves to how many. With an
   * event goes its idempotency key.
   */
  trim(beforeWallMs: number): Promise<number>;
  /** Where the engine can push. Returns the function that ends it. */
  watch(onChange: () => void): () => void;
  close(): Promise<void>;
}

/** Another leads, or the row has moved on: certainly not applied. */
export class StoreFenced extends Error {
  readonly code = "ERR_ARB_STORE_FENCED";
  override readonly name = "StoreFenced";
}

/** The store can't be used now; the message says where it is, what failed and what to do. */
export class StoreUnavailable extends Error {
  readonly code = "ERR_ARB_STORE_UNAVAILABLE";
  override readonly name = "StoreUnavailable";
  /** refused: certainly not applied; unknown: it may have been. */
  readonly outcome: "refused" | "unknown";
  constructor(message: string, outcome: "refused" | "unknown", options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}
