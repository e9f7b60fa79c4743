/**
 * The shared store: linearizable, in memory, with faults. What it lets through is decided by the very
 * rules that the engines use; what is simulated is when it answers, whether it answers, and whether
 * a write of unknown outcome happens after all, perhaps much later.
 */
import type { Commit, ConfigurationVersion } from "../core/arbiter-io.ts";
import { clearedIsPast, countsOn, epochRises } from "../core/invariants.ts";
import type { EventDraft, LeadershipRecord, ServiceRow, Settings } from "../core/model.ts";
import type { Committed as StoreCommitted, StoreContents } from "../store/contract.ts";
import { numberEvents } from "../store/once.ts";
import { asNextVersion, mayCampaign, nextRevision, raisesRevision, whyFenced } from "../store/rules.ts";
import { EpochsGiven } from "./checkers/epochs-given.ts";
import type { Process } from "./machine.ts";
import { mustHold } from "./violation.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export interface StoreOptions {
  readonly latencyMs: number;
  /** A write whose outcome the writer never learns. */
  readonly unknownProbability: number;
  readonly slowProbability: number;
  readonly slowMs: number;
  /** A defect, to see that it is found: it doesn't know what was published before. */
  readonly forgetsPublished?: boolean;
}

export type StoreResult<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "fenced"; readonly detail: string }
  | { readonly kind: "failed"; readonly outcome: "refused" | "unknown"; readonly detail: string };

/** As a backup has it. */
export interface StoreCopy {
  readonly record: LeadershipRecord | null;
  readonly revision: number;
  readonly rows: readonly ServiceRow[];
  readonly settings: Settings;
  readonly configuration: ConfigurationVersion | null;
  readonly events: readonly string[];
  readonly published: ReadonlyMap<string, number>;
}

export class SimulatedStore {
  options: StoreOptions;
  isDown = false;
  /** Hears of settings that are about to be written. */
  onSettings: ((settings: Settings) => void) | null = null;
  /** Those who don't reach it, though others do. */
  readonly cutOff: Set<Process> = new Set();
  readonly #world: World;
  #record: LeadershipRecord | null = null;
  #revision = 0;
  readonly #rows = new Map<string, ServiceRow>();
  #settings: Settings = { pauses: {}, maintenance: {}, moves: {}, joined: {} };
  #configuration: ConfigurationVersion | null = null;
  /** The log: the event of number n is at n - 1. */
  #events: string[] = [];
  /** Identities of what was published (I5). */
  #published = new Map<string, number>();
  /** Number of the last assignment sent, by cluster and term: one arbiter leads it, once. */
  readonly #lastSeqs = new Map<string, number>();
  readonly #epochs = new EpochsGiven();
  #isRestored = false;
  /** What was on its way to it when it was restored, or emptied, never arrives: that is another server now. */
  #restores = 0;
  #isEmptied = false;
  commits = 0;

  /** What is drawn for its answers. */
  readonly random: Random;

  constructor(world: World, options: StoreOptions) {
    this.#world = world;
    this.random = world.stream("store");
    this.options = options;
  }

  get record(): LeadershipRecord | null {
    return this.#record;
  }

  /** Each call is answered, in time. */
  get isQuiet(): boolean {
    return !this.isDown && this.options.unknownProbability + this.options.slowProbability === 0;
  }

  /** How long one call takes when nothing is wrong. */
  quietLatencyMs(): number {
    return this.options.latencyMs * (0.5 + this.random.next());
  }

  /** Beats that nobody had to look at. */
  skipTo(record: LeadershipRecord): void {
    this.#record = record;
  }

  rowOf(service: string): ServiceRow | null {
    return this.#rows.get(service) ?? null;
  }

  /** For I2: an epoch is assigned; for whom it was committed. */
  given(...assigned: Parameters<EpochsGiven["given"]>): ReturnType<EpochsGiven["given"]> {
    return this.#epochs.given(...assigned);
  }

  /** I3: assignments of a term are counted once. */
  countOn({ clusterId, term, seq }: { clusterId: string; term: number; seq: number }): void {
    // A restored store may give a term away twice; daemons obey the one that they have heard first.
    if (this.#isRestored) return;
    const line = `${clusterId} ${term}`;
    mustHold(countsOn(term, this.#lastSeqs.get(line) ?? 0, seq));
    this.#lastSeqs.set(line, seq);
  }

  leadership(from: Process, done: (result: StoreResult<LeadershipRecord | null>) => void): void {
    this.#call(from, false, () => this.#record, done);
  }

  load(from: Process, done: (result: StoreResult<StoreContents>) => void): void {
    this.#call(from, false, () => this.#contents(), done);
  }

  campaign(
    from: Process,
    expected: LeadershipRecord | null,
    next: LeadershipRecord,
    done: (result: StoreResult<{ won: boolean; record: LeadershipRecord | null }>) => void,
  ): void {
    const apply = (): { won: boolean; record: LeadershipRecord | null } => {
      const won = mayCampaign(this.#record, expected);
      if (won) {
        if (next.term !== this.#record?.term) this.#world.note("leads", next.leader, "term", next.term);
        this.#record = next;
      }
      return { won, record: this.#record };
    };
    this.#call(from, true, apply, done);
  }

  commit(from: Process, commit: Commit, done: (result: StoreResult<StoreCommitted>) => void): void {
    const apply = (): StoreResult<StoreCommitted> => this.#apply(commit);
    this.#call(from, true, apply, (result) => {
      done(result.kind === "ok" ? result.value : result);
    });
  }

  /** Events alone: nothing rests on them here, so nobody waits for them. */
  append(events: readonly EventDraft[]): void {
    if (!this.isDown) for (const { type } of events) this.#events.push(type);
  }

  /** Null: there is no event of that number. What was lost with a copy is lost. */
  eventType(seq: number): string | null {
    if (this.#isRestored || this.#isEmptied) return "operator.";
    return this.#events[seq - 1] ?? null;
  }

  get revision(): number {
    return this.#revision;
  }

  copy(): StoreCopy {
    return {
      record: this.#record,
      revision: this.#revision,
      rows: [...this.#rows.values()],
      settings: this.#settings,
      configuration: this.#configuration,
      events: [...this.#events],
      published: new Map(this.#published),
    };
  }

  /** What was written since the copy was made is gone; null: everything is. */
  restore(copy: StoreCopy | null): void {
    this.#restores += 1;
    if (copy === null) this.#isEmptied = true;
    else this.#isRestored = true;
    this.#epochs.restored(copy?.rows ?? null);
    this.#record = copy?.record ?? null;
    this.#revision = copy?.revision ?? 0;
    this.#settings = copy?.settings ?? { pauses: {}, maintenance: {}, moves: {}, joined: {} };
    this.#configuration = copy?.configuration ?? null;
    this.#events = [...(copy?.events ?? [])];
    this.#published = new Map(copy?.published);
    this.#rows.clear();
    for (const row of copy?.rows ?? []) this.#rows.set(row.service, row);
  }

  #apply(commit: Commit): StoreResult<StoreCommitted> {
    const why = whyFenced(commit, this.#record, (service) => this.#rows.get(service)?.epoch ?? null);
    if (why !== null) return { kind: "fenced", detail: why };
    for (const { row } of commit.changes) {
      mustHold(epochRises(this.rowOf(row.service), row));
      mustHold(clearedIsPast(row));
      this.#keep(row);
    }
    if (commit.settings !== null) {
      this.onSettings?.(commit.settings);
      this.#settings = commit.settings;
    }
    if (commit.configuration !== null) {
      const kept = asNextVersion(commit.configuration, this.#configuration);
      if (kept !== null) this.#configuration = kept;
    }
    if (raisesRevision(commit)) this.#revision = nextRevision(this.#revision, commit);
    this.commits += 1;
    const { events, repeats, ids } = numberEvents(commit.events, this.#events.length, (id) =>
      this.options.forgetsPublished === true ? null : (this.#published.get(id) ?? null),
    );
    this.#events.push(...events.map(({ type }) => type));
    for (const [id, seq] of ids) this.#published.set(id, seq);
    return { kind: "ok", value: { revision: this.#revision, events, repeats } };
  }

  #keep(row: ServiceRow): void {
    this.#rows.set(row.service, row);
    if (!this.#epochs.committed(this.#record?.clusterId ?? "", row)) return;
    this.#world.note("commit", row.service, row.holder, "epoch", row.epoch, "cleared", row.cleared);
  }

  #contents(): StoreContents {
    return {
      revision: this.#revision,
      rows: [...this.#rows.values()],
      settings: this.#settings,
      configuration: this.#configuration,
      lastEvent: this.#events.length,
    };
  }

  #call<T>(from: Process, isWrite: boolean, apply: () => T, done: (result: StoreResult<T>) => void): void {
    const { random, options } = this;
    const restores = this.#restores;
    const isSlow = random.chance(options.slowProbability);
    const totalMs = options.latencyMs * (0.5 + random.next()) + (isSlow ? options.slowMs * random.next() : 0);
    const finish = (inMs: number, result: StoreResult<T>): void => {
      from.after(inMs, () => {
        done(result);
      });
    };
    if (this.isDown || this.cutOff.has(from)) {
      finish(totalMs, { kind: "failed", outcome: "refused", detail: "The store is down." });
      return;
    }
    if (isWrite && random.chance(options.unknownProbability)) {
      const lateMs = random.chance(0.5) ? totalMs : options.slowMs * random.next();
      const late = (): void => void (restores === this.#restores && apply());
      if (random.chance(0.7)) this.#world.after(lateMs, late);
      finish(totalMs, { kind: "failed", outcome: "unknown", detail: "No answer from the store." });
      return;
    }
    this.#world.after(totalMs / 2, () => {
      // What is on its way when the store goes down doesn't arrive.
      if (this.isDown) {
        finish(totalMs / 2, { kind: "failed", outcome: "refused", detail: "The store is down." });
        return;
      }
      if (restores === this.#restores) finish(totalMs / 2, { kind: "ok", value: apply() });
      else finish(totalMs / 2, { kind: "failed", outcome: "unknown", detail: "The connection broke." });
    });
  }
}
