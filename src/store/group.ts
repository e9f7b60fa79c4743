/**
 * Decides a group of campaigns and commits that reach the store together, and what one transaction
 * has to write for them. Pure, and the same for every engine that is reached over a network.
 *
 * The calls are decided one by one, in the order in which they came, each on what those before it
 * leave behind. The engine reads the basis, has the group decided, and writes the changes only if
 * the basis still stands at that moment.
 */
import type { Commit, ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord, LoggedEvent, ServiceRow, Settings } from "../core/model.ts";
import type { Committed } from "./contract.ts";
import { numberEvents, onceIdsOf } from "./once.ts";
import { asNextVersion, mayCampaign, nextRevision, raisesRevision, whyFenced } from "./rules.ts";

export type WriteCall =
  | {
      readonly kind: "campaign";
      readonly expected: LeadershipRecord | null;
      readonly next: LeadershipRecord;
    }
  | { readonly kind: "commit"; readonly commit: Commit };

export type WriteAnswer =
  | { readonly kind: "campaigned"; readonly won: boolean; readonly record: LeadershipRecord | null }
  | ({ readonly kind: "committed" } & Committed)
  | { readonly kind: "fenced"; readonly why: string };

/** What the store holds before the group. */
export interface Basis {
  readonly record: LeadershipRecord | null;
  readonly revision: number;
  readonly lastEvent: number;
  readonly newest: { readonly version: number; readonly hash: string } | null;
  /** Of the services that the group changes; one that is missing has no row yet. */
  readonly epochs: ReadonlyMap<string, number>;
  /** Of the identities that the group publishes (`publishedIds`), those that the log holds. */
  readonly published: ReadonlyMap<string, number>;
}

/** What the store holds after it. */
export interface Changes {
  /** The leadership record, if it changes. */
  readonly record: LeadershipRecord | null;
  readonly revision: number;
  readonly lastEvent: number;
  readonly newest: Basis["newest"];
  /** The last row of each service that changes. */
  readonly rows: readonly ServiceRow[];
  readonly settings: Settings | null;
  readonly configurations: readonly ConfigurationVersion[];
  readonly events: readonly LoggedEvent[];
  /** Identities that the log holds from now on. */
  readonly published: ReadonlyMap<string, number>;
  readonly notes: ReadonlyMap<string, string>;
}

export interface Decision {
  /** One for each call, in order. They hold once the changes have been written. */
  readonly answers: readonly WriteAnswer[];
  /** null: nothing is to be written. */
  readonly changes: Changes | null;
}

export function changedServices(calls: readonly WriteCall[]): readonly string[] {
  const names = calls.flatMap((call) =>
    call.kind === "commit" ? call.commit.changes.map(({ row }) => row.service) : [],
  );
  return [...new Set(names)];
}

export function publishedIds(calls: readonly WriteCall[]): readonly string[] {
  return onceIdsOf(calls.flatMap((call) => (call.kind === "commit" ? call.commit.events : [])));
}

export function bringsConfiguration(calls: readonly WriteCall[]): boolean {
  return calls.some((call) => call.kind === "commit" && call.commit.configuration !== null);
}

export function decideGroup(calls: readonly WriteCall[], basis: Basis): Decision {
  const draft = new Draft(basis);
  const answers = calls.map((call) =>
    call.kind === "campaign" ? draft.campaign(call.expected, call.next) : draft.commit(call.commit),
  );
  return { answers, changes: draft.changes() };
}

class Draft {
  readonly #basis: Basis;
  readonly #epochs: Map<string, number>;
  readonly #rows = new Map<string, ServiceRow>();
  readonly #configurations: ConfigurationVersion[] = [];
  readonly #events: LoggedEvent[] = [];
  readonly #published = new Map<string, number>();
  readonly #notes = new Map<string, string>();
  #record: LeadershipRecord | null;
  #revision: number;
  #newest: Basis["newest"];
  #settings: Settings | null = null;
  #isChanged = false;

  constructor(basis: Basis) {
    this.#basis = basis;
    this.#epochs = new Map(basis.epochs);
    this.#record = basis.record;
    this.#revision = basis.revision;
    this.#newest = basis.newest;
  }

  campaign(expected: LeadershipRecord | null, next: LeadershipRecord): WriteAnswer {
    if (!mayCampaign(this.#record, expected)) {
      return { kind: "campaigned", won: false, record: this.#record };
    }
    this.#record = next;
    this.#isChanged = true;
    return { kind: "campaigned", won: true, record: next };
  }

  commit(commit: Commit): WriteAnswer {
    const why = whyFenced(commit, this.#record, (service) => this.#epochs.get(service) ?? null);
    if (why !== null) return { kind: "fenced", why };
    for (const { row } of commit.changes) {
      this.#rows.set(row.service, row);
      this.#epochs.set(row.service, row.epoch);
    }
    if (commit.settings !== null) this.#settings = commit.settings;
    if (commit.configuration !== null) this.#addConfiguration(commit.configuration);
    if (raisesRevision(commit)) this.#revision = nextRevision(this.#revision, commit);
    const { events, repeats, ids } = numberEvents(
      commit.events,
      this.#lastEvent(),
      (id) => this.#published.get(id) ?? this.#basis.published.get(id) ?? null,
    );
    this.#events.push(...events);
    for (const [id, seq] of ids) this.#published.set(id, seq);
    const notes = Object.entries(commit.notes ?? {});
    for (const [name, text] of notes) this.#notes.set(name, text);
    this.#isChanged ||= raisesRevision(commit) || events.length + notes.length > 0;
    return { kind: "committed", revision: this.#revision, events, repeats };
  }

  changes(): Changes | null {
    if (!this.#isChanged) return null;
    return {
      record: this.#record === this.#basis.record ? null : this.#record,
      revision: this.#revision,
      lastEvent: this.#lastEvent(),
      newest: this.#newest,
      rows: [...this.#rows.values()],
      settings: this.#settings,
      configurations: this.#configurations,
      events: this.#events,
      published: this.#published,
      notes: this.#notes,
    };
  }

  #lastEvent(): number {
    return this.#basis.lastEvent + this.#events.length;
  }

  #addConfiguration(wanted: ConfigurationVersion): void {
    const next = asNextVersion(wanted, this.#newest);
    if (next === null) return;
    this.#configurations.push(next);
    this.#newest = { version: next.version, hash: next.hash };
  }
}
