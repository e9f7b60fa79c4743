/**
 * How far each target has been told, kept in the store beside the log: a new leader, or the same
 * arbiter started again, goes on from there. Written under the term, so that a leader of the past
 * can't set it back; then the new one tells once more what was told last (at least once).
 */
import type { TargetCursor } from "../../core/alerts.ts";
import type { NoteName, Store } from "../../store/contract.ts";

const NOTE: NoteName = "alerts";

export class Cursors {
  readonly #store: Pick<Store, "commit" | "note">;
  readonly #term: number;
  readonly #byTarget: Map<string, TargetCursor>;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(store: Pick<Store, "commit" | "note">, term: number, known: Map<string, TargetCursor>) {
    this.#store = store;
    this.#term = term;
    this.#byTarget = known;
  }

  static async load(store: Pick<Store, "commit" | "note">, term: number): Promise<Cursors> {
    return new Cursors(store, term, read(await store.note(NOTE)));
  }

  get term(): number {
    return this.#term;
  }

  /** null: the target is new. */
  of(target: string): TargetCursor | null {
    return this.#byTarget.get(target) ?? null;
  }

  /** Resolves once it is durable. One at a time, so that none is overtaken by an older one. */
  set(target: string, cursor: TargetCursor): Promise<void> {
    this.#byTarget.set(target, cursor);
    return this.#write();
  }

  /** Whoever is configured again later begins anew, instead of being told of months. */
  async keepOnly(targets: readonly string[]): Promise<void> {
    const gone = [...this.#byTarget.keys()].filter((target) => !targets.includes(target));
    for (const target of gone) this.#byTarget.delete(target);
    if (gone.length > 0) await this.#write();
  }

  #write(): Promise<void> {
    const written = this.#turn.then(async () => {
      const notes = { [NOTE]: JSON.stringify(Object.fromEntries(this.#byTarget)) };
      const nothing = { changes: [], settings: null, configuration: null, events: [] };
      await this.#store.commit({ commitId: 0, term: this.#term, ...nothing, notes });
    });
    this.#turn = written.catch(() => {});
    return written;
  }
}

/** What can't be read is as if it weren't there: then each target begins with what happens next. */
function read(json: string | null): Map<string, TargetCursor> {
  const known = new Map<string, TargetCursor>();
  for (const [target, value] of Object.entries(membersOf(json))) {
    const { seq, open } = membersOf(value);
    if (typeof seq !== "number" || !Number.isSafeInteger(seq)) continue;
    const entries = Object.entries(membersOf(open)).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    );
    known.set(target, { seq, open: Object.fromEntries(entries) });
  }
  return known;
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  try {
    const object: unknown = typeof value === "string" ? JSON.parse(value) : value;
    return typeof object === "object" && object !== null ? { ...object } : {};
  } catch {
    return {};
  }
}
