/**
 * What people were promised: an order that was acknowledged is in the log (I5), an edit that was
 * refused has changed nothing (I6), and whoever has seen a version of the cluster map is never
 * answered with something older (I8).
 */
import type { CommandAnswer, ConfigurationVersion } from "../../core/arbiter-io.ts";
import type { ArbiterState } from "../../core/arbiter-state.ts";
import { neverBack, sameConfiguration } from "../../core/invariants.ts";
import type { ClusterModel } from "../../core/model.ts";
import { mustHold } from "../violation.ts";

/** I5: 202 says that the event which records the order is in the store, under that number. */
export function acknowledged(
  { status, text, eventSeq }: CommandAnswer,
  typeOf: (seq: number) => string | null,
): string | null {
  if (status !== 202) return null;
  if (eventSeq === null) return `I5: "${text}" was acknowledged without an event`;
  const type = typeOf(eventSeq);
  return type?.startsWith("operator.") === true
    ? null
    : `I5: "${text}" was acknowledged as event ${eventSeq}, which is ${type ?? "not in the log"}`;
}

/** I6: the very same configuration is in force. */
export function refusedEdit(
  before: { readonly model: ClusterModel; readonly configuration: ConfigurationVersion },
  after: ArbiterState,
): string | null {
  if (before.model !== after.model) return "I6: a refused edit changed what is in force";
  return sameConfiguration(before.configuration, after.configuration);
}

/**
 * I8: a reader asks any arbiter, and says which version it has seen. One that isn't there yet refuses
 * (`http/freshness.ts`); an answer must not show any service at an older epoch than one before.
 */
export class Reader {
  #version = 0;
  #hasLeft = false;
  readonly #epochs = new Map<string, number>();
  /** Answers given. */
  answers = 0;

  ask(state: ArbiterState): void {
    if (this.#hasLeft || state.leadership.mode !== "leading" || state.mapVersion < this.#version) return;
    this.answers += 1;
    mustHold(neverBack(this.#version, state.mapVersion));
    this.#version = state.mapVersion;
    for (const { row } of state.services.values()) {
      const before = this.#epochs.get(row.service) ?? 0;
      if (row.epoch < before)
        mustHold(
          `I8: version ${state.mapVersion} shows ${row.service} at epoch ${row.epoch} after epoch ${before}`,
        );
      this.#epochs.set(row.service, row.epoch);
    }
  }

  /** The store was restored: what was seen, and what the last leader still shows, is of another past. */
  leave(): void {
    this.#hasLeft = true;
  }
}
