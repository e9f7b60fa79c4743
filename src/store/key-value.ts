/**
 * The engine for servers that keep keys and values (etcd, ZooKeeper): what stands under which key,
 * and how a group becomes one compare-and-swap.
 *
 * Every commit compares `leadership` and `state` with what it was decided on and writes a new
 * `state`, which no other write can equal. So the rest (rows, settings, history, log) is guarded,
 * too, though it isn't compared. Who finds that something else stands there reads and decides again.
 *
 * Servers limit a transaction's size and number of keys. So rows share 32 keys by a hash of their
 * service, the events of one transaction share a key named after the last of them, and a
 * configuration's files lie in pieces that are written before the transaction that names them. Only
 * what was published has a key each, so that its identity is found without reading the log.
 */
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord, LoggedEvent } from "../core/model.ts";
import { contentsOf } from "./contents.ts";
import type { NoteName, StoreContents } from "./contract.ts";
import { EngineTrouble, sound, type Attempt, type StoreEngine } from "./engine.ts";
import { changedServices, decideGroup, publishedIds, type Basis, type Changes } from "./group.ts";
import type { WriteAnswer, WriteCall } from "./group.ts";
import {
  BUCKETS,
  PUBLISHED,
  SCHEMA,
  bucketKey,
  bucketOf,
  digits,
  epochOf,
  itemOf,
  jsonOf,
  publishedKey,
  readBlock,
  readBucket,
  readPublished,
  readRecord,
  readSchema,
  readState,
  stateValue,
  type Item,
  type Listed,
  type Put,
  type StateValue,
} from "./key-value-layout.ts";
import { onceIdsOf } from "./once.ts";
import { pause } from "./pause.ts";
import { cutConfiguration, joinConfiguration, pack, readEntry, unpack } from "./key-value-pieces.ts";

/** What such a server has to offer. Keys are relative to the prefix; lists are folders of keys. */
export interface KeyValueServer {
  /** Connects and checks the server. Resolves to whether anything stands under the prefix. */
  open(attempt: Attempt): Promise<{ readonly isEmpty: boolean }>;
  /** All at one moment, no older than the call. */
  read(keys: readonly string[], attempt: Attempt): Promise<readonly Item[]>;
  /** Those of a folder in order, from `from` on, or from the end on backwards; at most `limit`. */
  list(
    folder: string,
    options: { readonly from?: string; readonly isReversed?: boolean; readonly limit: number },
    attempt: Attempt,
  ): Promise<readonly Listed[]>;
  /** Writes all of it if every guarded key is as it was; calls `decide` on the attempt before. */
  swap(
    guards: ReadonlyMap<string, Item>,
    puts: readonly Put[],
    attempt: Attempt,
  ): Promise<{ readonly isDone: boolean; readonly items: ReadonlyMap<string, Item> | null }>;
  /** Writes one key, whatever stands there; a list's key, too. */
  put(key: string, value: Buffer, attempt: Attempt): Promise<void>;
  remove(folder: string, names: readonly string[], attempt: Attempt): Promise<void>;
  watch(keys: readonly string[], onChange: (value: Buffer | null) => void): () => void;
  close(): Promise<void>;
}

/** Old events are removed so many keys at a time. */
const TRIM_BLOCKS = 100;
/** After so many defeats in a row, a pause of up to as many milliseconds lets others finish. */
const PATIENCE = 3;
/** Own values that a watcher may still be told of. */
const OWN_VALUES = 64;

interface Known {
  readonly leadership: Item;
  readonly state: Item;
  readonly record: LeadershipRecord | null;
  readonly value: StateValue;
  /** Those buckets that were read, each row as JSON. */
  readonly buckets: Map<number, ReadonlyMap<string, string>>;
}

export class KeyValueEngine implements StoreEngine {
  readonly #server: KeyValueServer;
  /** What the last write left behind: the next one may be decided on it, as it is compared anyway. */
  #known: Known | null = null;
  #ownValues: string[] = [];

  constructor(server: KeyValueServer) {
    this.#server = server;
  }

  async open(attempt: Attempt): Promise<void> {
    const { isEmpty } = await this.#server.open(attempt);
    const [item] = await this.#server.read(["schema"], attempt);
    if (item === undefined || item.value === null) {
      if (!isEmpty) {
        throw new EngineTrouble(
          `holds something under this prefix that Arbiter did not make. It was left as it is. Choose another "prefix" in the store's url.`,
          { isCertain: true },
        );
      }
      await this.#setUp(item ?? { value: null, guard: null }, attempt);
      return;
    }
    const { application, schema } = readSchema(item.value);
    if (application !== "arbiter" || schema > SCHEMA) {
      throw new EngineTrouble(
        `was written by a newer version of Arbiter (or by another program): it has schema ${schema}, this version knows ${SCHEMA}. Install the newer version again, or choose another "prefix" in the store's url.`,
        { isCertain: true },
      );
    }
  }

  async #setUp(absent: Item, attempt: Attempt): Promise<void> {
    const schema = Buffer.from(JSON.stringify({ application: "arbiter", schema: SCHEMA }));
    const state = stateValue({ revision: 0, lastEvent: 0, newest: null });
    const puts = [
      { key: "schema", value: schema, isNew: true },
      { key: "state", value: state, isNew: true },
    ];
    // Whoever loses finds it made.
    await this.#server.swap(new Map([["schema", absent]]), puts, attempt);
    attempt.undecided();
  }

  async transact(calls: readonly WriteCall[], attempt: Attempt): Promise<readonly WriteAnswer[]> {
    const wanted = new Set(changedServices(calls).map((service) => bucketOf(service)));
    for (let defeats = 0; ; defeats++) {
      const remembered = this.#known;
      this.#known = null;
      const known = await this.#complete(
        remembered ?? (await this.#readBasis(wanted, attempt)),
        wanted,
        attempt,
      );
      const published = await this.#readPublished(publishedIds(calls), attempt);
      const { answers, changes } = decideGroup(calls, { ...basisOf(known), published });
      if (changes === null) {
        if (remembered === null) {
          this.#known = known;
          return answers;
        }
        // What is remembered may be out of date, and nothing compares it here.
        continue;
      }
      const { puts, after } = await this.#putsOf(changes, known, attempt);
      const guards = new Map([
        ["leadership", known.leadership],
        ["state", known.state],
      ]);
      this.#remember(puts);
      const { isDone, items } = await this.#server.swap(guards, puts, attempt);
      if (isDone) {
        if (items !== null)
          this.#known = { ...after, leadership: itemOf(items, "leadership"), state: itemOf(items, "state") };
        return answers;
      }
      attempt.undecided();
      if (defeats >= PATIENCE) await pause(Math.random() * defeats, attempt.signal);
    }
  }

  async #readBasis(wanted: ReadonlySet<number>, attempt: Attempt): Promise<Known> {
    const numbers = [...wanted];
    const keys = ["leadership", "state", ...numbers.map((number) => bucketKey(number))];
    const [leadership, state, ...rows] = await this.#server.read(keys, attempt);
    if (leadership === undefined || state === undefined) throw new Error("The server read too few keys.");
    const buckets = new Map(numbers.map((number, index) => [number, readBucket(rows[index]?.value ?? null)]));
    return { leadership, state, record: readRecord(leadership), value: readState(state), buckets };
  }

  /** Remembered values may lack some buckets; read later, they still belong to the compared state. */
  async #complete(known: Known, wanted: ReadonlySet<number>, attempt: Attempt): Promise<Known> {
    const missing = [...wanted].filter((number) => !known.buckets.has(number));
    if (missing.length === 0) return known;
    const items = await this.#server.read(
      missing.map((number) => bucketKey(number)),
      attempt,
    );
    for (const [index, number] of missing.entries()) {
      known.buckets.set(number, readBucket(items[index]?.value ?? null));
    }
    return known;
  }

  /** Read after the compared state: if that still stands at the swap, so do these. */
  async #readPublished(ids: readonly string[], attempt: Attempt): Promise<ReadonlyMap<string, number>> {
    if (ids.length === 0) return new Map();
    const items = await this.#server.read(
      ids.map((id) => publishedKey(id)),
      attempt,
    );
    return readPublished(ids, items);
  }

  async #putsOf(
    changes: Changes,
    known: Known,
    attempt: Attempt,
  ): Promise<{ readonly puts: readonly Put[]; readonly after: Known }> {
    const { record, rows, settings, configurations, events, revision, lastEvent, newest } = changes;
    const { published, notes } = changes;
    const puts: Put[] = [];
    const isCommit =
      rows.length + configurations.length + events.length + notes.size > 0 || settings !== null;
    if (record !== null) puts.push({ key: "leadership", value: jsonOf(record), isNew: false });
    const value = { revision, lastEvent, newest: newest ?? known.value.newest };
    if (isCommit) puts.push({ key: "state", value: stateValue(value), isNew: false });
    if (settings !== null)
      puts.push({ key: "settings", value: pack(JSON.stringify(settings)), isNew: false });
    const buckets = new Map(known.buckets);
    for (const number of new Set(rows.map(({ service }) => bucketOf(service)))) {
      const bucket = new Map(buckets.get(number));
      for (const row of rows)
        if (bucketOf(row.service) === number) bucket.set(row.service, JSON.stringify(row));
      buckets.set(number, bucket);
      puts.push({ key: bucketKey(number), value: pack([...bucket.values()].join("\n")), isNew: false });
    }
    for (const configuration of configurations) {
      const { entry, pieces } = cutConfiguration(configuration);
      for (const [name, piece] of pieces) await this.#server.put(`pieces/${name}`, piece, attempt);
      puts.push({
        key: `configurations/${digits(configuration.version)}`,
        value: jsonOf(entry),
        isNew: true,
      });
    }
    if (events.length > 0) {
      const lines = events.map((event) => JSON.stringify(event)).join("\n");
      puts.push({ key: `events/${digits(lastEvent)}`, value: pack(lines), isNew: true });
    }
    for (const [id, seq] of published) {
      puts.push({ key: publishedKey(id), value: jsonOf(seq), isNew: true });
    }
    for (const [name, note] of notes) puts.push({ key: `notes/${name}`, value: pack(note), isNew: false });
    return { puts, after: { ...known, record: record ?? known.record, value, buckets } };
  }

  async leadership(attempt: Attempt): Promise<LeadershipRecord | null> {
    const [leadership, state] = await this.#server.read(["leadership", "state"], attempt);
    // Without its state there is no store: that is not the same as one that nobody has led yet.
    if (state === undefined || leadership === undefined) throw new Error("The server read too few keys.");
    readState(state);
    return readRecord(leadership);
  }

  async load(attempt: Attempt): Promise<StoreContents> {
    const numbers = Array.from({ length: BUCKETS }, (_, number) => number);
    const keys = ["state", "settings", ...numbers.map((number) => bucketKey(number))];
    const [state, settings, ...items] = await this.#server.read(keys, attempt);
    if (state === undefined || settings === undefined) throw new Error("The server read too few keys.");
    const { revision, lastEvent, newest } = readState(state);
    const services = items.flatMap(({ value }) =>
      [...readBucket(value)].map(([service, json]) => [service, epochOf(service, json), json]),
    );
    const contents = contentsOf({
      revision,
      lastEvent,
      services,
      // ZooKeeper's node is there from the beginning, without contents.
      settings: settings.value === null || settings.value.length === 0 ? null : unpack(settings.value),
      configuration: null,
    });
    if (newest === null) return contents;
    // History is never changed: the version that the state names is the one of that moment.
    const [configuration] = await this.configurations(1, attempt, digits(newest.version));
    return { ...contents, configuration: configuration ?? null };
  }

  async events(after: number, limit: number, attempt: Attempt): Promise<readonly LoggedEvent[]> {
    const events: LoggedEvent[] = [];
    for (let from = after + 1; events.length < limit;) {
      const blocks = await this.#server.list(
        "events",
        { from: digits(from), limit: Math.min(limit, 500) },
        attempt,
      );
      events.push(...blocks.flatMap((block) => readBlock(block)).filter(({ seq }) => seq >= from));
      if (blocks.length === 0) break;
      from = Number(blocks.at(-1)?.name) + 1;
    }
    return events.slice(0, limit);
  }

  async configurations(
    limit: number,
    attempt: Attempt,
    from?: string,
  ): Promise<readonly ConfigurationVersion[]> {
    const options = from === undefined ? { isReversed: true, limit } : { from, limit };
    const entries = await this.#server.list("configurations", options, attempt);
    const all: ConfigurationVersion[] = [];
    for (const { name, value } of entries) {
      const entry = sound(readEntry(value), `configuration version ${Number(name)}`);
      const pieces = await this.#server.read(
        entry.pieces.map((piece) => `pieces/${piece}`),
        attempt,
      );
      all.push(
        joinConfiguration(
          entry,
          pieces.map((piece) => piece.value),
        ),
      );
    }
    return all;
  }

  async note(name: NoteName, attempt: Attempt): Promise<string | null> {
    const [item] = await this.#server.read([`notes/${name}`], attempt);
    // ZooKeeper's node is there from the beginning, without contents.
    const value = item?.value ?? null;
    return value === null || value.length === 0 ? null : unpack(value);
  }

  // From the oldest on and no further than the first to be kept: the numbers stay consecutive even
  // where the wall clock was stepped.
  async trim(
    beforeWallMs: number,
    attempt: Attempt,
  ): Promise<{ readonly removed: number; readonly more: boolean }> {
    const blocks = await this.#server.list("events", { limit: TRIM_BLOCKS + 1 }, attempt);
    const old: string[] = [];
    const ids: string[] = [];
    let removed = 0;
    for (const [index, block] of blocks.slice(0, TRIM_BLOCKS).entries()) {
      const events = readBlock(block);
      const isNewest = index === blocks.length - 1;
      const found = events.findIndex(({ atWallMs }) => atWallMs >= beforeWallMs);
      const kept = found === -1 && isNewest ? events.length - 1 : found;
      attempt.decide();
      ids.push(...onceIdsOf(kept === -1 ? events : events.slice(0, kept)));
      if (kept === -1) {
        old.push(block.name);
        removed += events.length;
        continue;
      }
      // Identities first: what has lost its event could not be found any more.
      await this.#server.remove(PUBLISHED, ids, attempt);
      if (kept > 0) {
        const rest = events.slice(kept).map((event) => JSON.stringify(event));
        await this.#server.put(`events/${block.name}`, pack(rest.join("\n")), attempt);
      }
      await this.#server.remove("events", old, attempt);
      return { removed: removed + kept, more: false };
    }
    await this.#server.remove(PUBLISHED, ids, attempt);
    await this.#server.remove("events", old, attempt);
    return { removed, more: blocks.length > TRIM_BLOCKS };
  }

  watch(onChange: () => void): () => void {
    return this.#server.watch(["leadership", "state"], (value) => {
      if (value === null || !this.#ownValues.includes(value.toString("latin1"))) onChange();
    });
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  #remember(puts: readonly Put[]): void {
    for (const { key, value } of puts) {
      if (key === "state" || key === "leadership") this.#ownValues.push(value.toString("latin1"));
    }
    this.#ownValues = this.#ownValues.slice(-OWN_VALUES);
  }
}

function basisOf({ record, value, buckets }: Known): Omit<Basis, "published"> {
  const epochs = new Map<string, number>();
  for (const bucket of buckets.values()) {
    for (const [service, json] of bucket) epochs.set(service, epochOf(service, json));
  }
  return { record, epochs, ...value };
}
