/**
 * etcd keeps every value that ever stood under a key until it is compacted, and a leader beats
 * without end: the quota would be used up in the end.
 *
 * To compact is to forget the past of *all* keys of the server. So it is done only where nothing
 * else stands in it than this store; on a server that others use, too, it is theirs to decide. What
 * was written lately is kept, for those who read or watch from a moment ago.
 */
import { Attempt } from "./engine.ts";
import type { EtcdGateway } from "./etcd-gateway.ts";

/** Own writes between two compactions; the last so many are kept. A leader makes some in ten minutes. */
export const WRITES_KEPT = 1_000;
/** etcd's way to say "every key". */
const ALL = Buffer.from("\0").toString("base64");
const TIMEOUT_MS = 5_000;

export class EtcdCompaction {
  readonly #gateway: EtcdGateway;
  readonly #own: { readonly key: string; readonly range_end: string };
  readonly #every: number;
  #writes = 0;
  /** etcd's revision when the writes were counted last. */
  #mark: string | null = null;

  constructor(
    gateway: EtcdGateway,
    own: { readonly key: string; readonly range_end: string },
    every: number = WRITES_KEPT,
  ) {
    this.#gateway = gateway;
    this.#own = own;
    this.#every = every;
  }

  /** A write was carried out; `header` is etcd's. Nobody waits for what follows. */
  wrote(header: Readonly<Record<string, unknown>>): void {
    this.#writes += 1;
    if (this.#writes % this.#every !== 0) return;
    const { revision } = header;
    const before = this.#mark;
    this.#mark = typeof revision === "string" ? revision : null;
    if (before === null) return;
    // Whatever keeps it from happening (a user who may not look, another who was first) does no harm.
    this.#compact(before).catch(() => {});
  }

  async #compact(revision: string): Promise<void> {
    const attempt = new Attempt(AbortSignal.timeout(TIMEOUT_MS));
    const count = async (range: object): Promise<unknown> =>
      (await this.#gateway.post("/v3/kv/range", { ...range, count_only: true }, attempt, false)).body[
        "count"
      ];
    const own = await count(this.#own);
    if (own === undefined || own !== (await count({ key: ALL, range_end: ALL }))) return;
    await this.#gateway.post("/v3/kv/compaction", { revision }, attempt, false);
  }
}
