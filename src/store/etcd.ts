/**
 * Keys and values in etcd 3.4 or later, through its JSON gateway.
 *
 * A transaction compares *values*, not revisions: every value that is compared is unlike any other
 * that was ever written there, and revisions begin anew when a backup is restored. So a
 * transaction may simply be sent again when its answer is lost: if the first one was carried out,
 * the second one fails, and what stands there then is one's own.
 */
import { Attempt, EngineTrouble } from "./engine.ts";
import { EtcdCompaction } from "./etcd-compaction.ts";
import { EtcdGateway } from "./etcd-gateway.ts";
import type { Item, Listed, Put } from "./key-value-layout.ts";
import type { KeyValueServer } from "./key-value.ts";
import type { StoreLocation } from "./location.ts";
import { pause } from "./pause.ts";

const WATCH_AGAIN_MS = 500;
/** Keys in one request; etcd takes 128. */
const MOST_OPERATIONS = 100;
/** etcd 3.4 is the first whose gateway answers under `/v3`. */
const OLDEST = [3, 4] as const;

export class EtcdServer implements KeyValueServer {
  readonly #gateway: EtcdGateway;
  readonly #prefix: string;
  readonly #compaction: EtcdCompaction;
  readonly #closed = new AbortController();

  /** `compactEvery`: own writes, see there. */
  constructor(location: StoreLocation, callTimeoutMs: number, compactEvery?: number) {
    // One of several that hangs must leave time for two others.
    this.#gateway = new EtcdGateway(location, Math.ceil(callTimeoutMs / 3));
    this.#prefix = `${location.prefix}/`;
    const own = { key: encoded(this.#prefix), range_end: encoded(endOf(this.#prefix)) };
    this.#compaction = new EtcdCompaction(this.#gateway, own, compactEvery);
  }

  async open(attempt: Attempt): Promise<{ readonly isEmpty: boolean }> {
    const { etcdserver } = await this.#gateway.get("/version", attempt);
    const refusal = unsuitable(etcdserver);
    if (refusal !== null) throw new EngineTrouble(refusal, { isCertain: true });
    const range = { key: encoded(this.#prefix), range_end: encoded(endOf(this.#prefix)), limit: "1" };
    const { body } = await this.#gateway.post("/v3/kv/range", { ...range, keys_only: true }, attempt, false);
    return { isEmpty: listOf(body["kvs"]).length === 0 };
  }

  async read(keys: readonly string[], attempt: Attempt): Promise<readonly Item[]> {
    const success = keys.map((key) => ({ request_range: { key: this.#key(key) } }));
    const { body } = await this.#gateway.post("/v3/kv/txn", { success }, attempt, false);
    return valuesOf(body, keys.length).map((value) => ({ value, guard: null }));
  }

  async list(
    folder: string,
    options: { readonly from?: string; readonly isReversed?: boolean; readonly limit: number },
    attempt: Attempt,
  ): Promise<readonly Listed[]> {
    const start = `${this.#prefix}${folder}/`;
    const range = {
      key: encoded(start + (options.from ?? "")),
      range_end: encoded(endOf(start)),
      limit: String(options.limit),
      sort_order: options.isReversed === true ? "DESCEND" : "ASCEND",
      sort_target: "KEY",
    };
    const { body } = await this.#gateway.post("/v3/kv/range", range, attempt, false);
    return listOf(body["kvs"]).map((entry) => ({
      name: decoded(entry["key"]).toString("utf8").slice(start.length),
      value: decoded(entry["value"]),
    }));
  }

  async swap(
    guards: ReadonlyMap<string, Item>,
    puts: readonly Put[],
    attempt: Attempt,
  ): Promise<{ readonly isDone: boolean; readonly items: ReadonlyMap<string, Item> }> {
    const keys = [...guards.keys()];
    const transaction = {
      compare: [...guards].map(([key, { value }]) =>
        value === null
          ? { key: this.#key(key), target: "CREATE", result: "EQUAL", create_revision: "0" }
          : { key: this.#key(key), target: "VALUE", result: "EQUAL", value: value.toString("base64") },
      ),
      success: puts.map(({ key, value }) => ({
        request_put: { key: this.#key(key), value: value.toString("base64") },
      })),
      failure: keys.map((key) => ({ request_range: { key: this.#key(key) } })),
    };
    const { body, wasTriedBefore } = await this.#gateway.post("/v3/kv/txn", transaction, attempt, true);
    const after = new Map(guards);
    for (const { key, value } of puts) if (guards.has(key)) after.set(key, { value, guard: null });
    if (body["succeeded"] === true) {
      this.#compaction.wrote(memberOf(body, "header"));
      return { isDone: true, items: after };
    }
    const values = valuesOf(body, keys.length);
    const found = new Map(keys.map((key, index) => [key, { value: values[index] ?? null, guard: null }]));
    if (!wasTriedBefore) return { isDone: false, items: found };
    if (keys.every((key) => isSame(after.get(key), found.get(key)))) return { isDone: true, items: after };
    throw new EngineTrouble(
      "lost an answer, and another arbiter has written since: whether the first request was carried out can't be told.",
    );
  }

  async put(key: string, value: Buffer, attempt: Attempt): Promise<void> {
    await this.#gateway.post(
      "/v3/kv/put",
      { key: this.#key(key), value: value.toString("base64") },
      attempt,
      false,
    );
  }

  async remove(folder: string, names: readonly string[], attempt: Attempt): Promise<void> {
    for (let at = 0; at < names.length; at += MOST_OPERATIONS) {
      const success = names
        .slice(at, at + MOST_OPERATIONS)
        .map((name) => ({ request_delete_range: { key: this.#key(`${folder}/${name}`) } }));
      await this.#gateway.post("/v3/kv/txn", { success }, attempt, false);
    }
  }

  /** After each interruption something may have been missed, and so it is said that something changed. */
  watch(keys: readonly string[], onChange: (value: Buffer | null) => void): () => void {
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#closed.signal]);
    const wanted = new Set(keys.map((key) => this.#prefix + key));
    const follow = async (isFirst: boolean): Promise<void> => {
      const range = { key: encoded(this.#prefix), range_end: encoded(endOf(this.#prefix)) };
      const stream = await this.#gateway.stream("/v3/watch", { create_request: range }, new Attempt(signal));
      for await (const line of linesOf(stream)) {
        const result = memberOf(line, "result");
        if (result["created"] === true && !isFirst) onChange(null);
        for (const event of listOf(result["events"])) {
          const pair = memberOf(event, "kv");
          if (wanted.has(decoded(pair["key"]).toString("utf8"))) onChange(decoded(pair["value"]));
        }
      }
    };
    const followOn = async (): Promise<void> => {
      for (let isFirst = true; !signal.aborted; isFirst = false) {
        try {
          await follow(isFirst);
        } catch {
          // The calls that this store is used for tell of the trouble; here it is only tried again.
        }
        this.#gateway.next();
        await pause(WATCH_AGAIN_MS, signal);
      }
    };
    void followOn();
    return () => abort.abort();
  }

  close(): Promise<void> {
    this.#closed.abort();
    this.#gateway.close();
    return Promise.resolve();
  }

  #key(key: string): string {
    return encoded(this.#prefix + key);
  }
}

/** Why this server can't keep a store; null: it can. */
export function unsuitable(version: unknown): string | null {
  const [major = 0, minor = 0] = String(version)
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return null;
  return `runs etcd ${String(version)}, and Arbiter needs 3.4 or later. Upgrade etcd.`;
}

type Members = Readonly<Record<string, unknown>>;

function isSame(one: Item | undefined, other: Item | undefined): boolean {
  const [a, b] = [one?.value ?? null, other?.value ?? null];
  return a === null || b === null ? a === b : a.equals(b);
}

/** One value for each range of a transaction, in order. */
function valuesOf(body: Members, count: number): (Buffer | null)[] {
  const responses = listOf(body["responses"]);
  return Array.from({ length: count }, (_, index) => {
    const [pair] = listOf(memberOf(responses[index], "response_range")["kvs"]);
    return pair === undefined ? null : decoded(pair["value"]);
  });
}

function listOf(value: unknown): readonly Members[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return list.map((entry) => (isMembers(entry) ? entry : {}));
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null;
}

function memberOf(value: Members | undefined, key: string): Members {
  return listOf([value?.[key]])[0] ?? {};
}

function encoded(key: string): string {
  return Buffer.from(key).toString("base64");
}

/** etcd leaves out what is empty. */
function decoded(value: unknown): Buffer {
  return Buffer.from(typeof value === "string" ? value : "", "base64");
}

/** The first key that doesn't begin with the prefix. */
function endOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCodePoint((prefix.codePointAt(prefix.length - 1) ?? 0) + 1);
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Members> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = `${rest}${chunk.toString("utf8")}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield listOf([JSON.parse(line)])[0] ?? {};
  }
}
