/**
 * Publishing once (I5): which events of a commit the log holds already. Pure but for the hash, and
 * the same for every engine: an engine only has to look identities up and to keep the new ones, in
 * the same atomic step as the commit itself.
 */
import { createHash } from "node:crypto";
import type { EventDraft, LoggedEvent } from "../core/model.ts";
import type { Repeat } from "./contract.ts";

/** Characters of an identity: 128 bits, far from any collision by chance. */
const ID_LENGTH = 32;

/** What the log holds once; null: an event of an arbiter, which may be said twice. */
export function onceIdOf({ publication }: EventDraft): string | null {
  if (publication === undefined) return null;
  // As a list, so that no choice of namespace and key can pass for another.
  const whole = JSON.stringify([publication.namespace, publication.idempotencyKey]);
  return createHash("sha256").update(whole).digest("hex").slice(0, ID_LENGTH);
}

export function onceIdsOf(drafts: readonly EventDraft[]): readonly string[] {
  return [...new Set(drafts.map((draft) => onceIdOf(draft)).filter((id) => id !== null))];
}

export interface Numbered {
  readonly events: readonly LoggedEvent[];
  readonly repeats: readonly Repeat[];
  /** Identities that the log holds from now on. */
  readonly ids: ReadonlyMap<string, number>;
}

/** Numbers what is new. `seqOf` tells of identities that the log holds. */
export function numberEvents(
  drafts: readonly EventDraft[],
  lastEvent: number,
  seqOf: (id: string) => number | null,
): Numbered {
  const events: LoggedEvent[] = [];
  const repeats: Repeat[] = [];
  const ids = new Map<string, number>();
  for (const [index, draft] of drafts.entries()) {
    const id = onceIdOf(draft);
    const known = id === null ? null : (ids.get(id) ?? seqOf(id));
    if (known !== null) {
      repeats.push({ index, seq: known });
      continue;
    }
    const seq = lastEvent + events.length + 1;
    events.push({ ...draft, seq });
    if (id !== null) ids.set(id, seq);
  }
  return { events, repeats, ids };
}
