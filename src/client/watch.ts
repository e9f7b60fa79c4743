/** Follows who holds a service: the present state, and each change as soon as an arbiter has it. */
import { setTimeout as sleep } from "node:timers/promises";
import { ArbiterError } from "../protocol/errors.ts";
import type { ServiceState } from "./answers.ts";
import type { Holders } from "./holders.ts";

/** Between two attempts while nobody gives an answer of use. */
const PAUSE_MS = 500;

/** Goes on through outages; ends with the signal. Throws where there is no such service, or a token is refused. */
export async function* watchService(
  holders: Holders,
  service: string,
  signal: AbortSignal | null,
): AsyncGenerator<ServiceState, void, undefined> {
  let last: ServiceState | null = null;
  for (;;) {
    if (hasEnded(signal)) return;
    try {
      const state: ServiceState | null =
        last === null ? await holders.ask(service, signal) : await holders.next(service, signal);
      if (state === null || (last !== null && isSame(state, last))) continue;
      last = state;
    } catch (error) {
      if (hasEnded(signal)) return;
      if (!isPassing(error)) throw error;
      await pause(signal);
      continue;
    }
    yield last;
  }
}

/** What a cluster in trouble says, and what is over by itself. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof ArbiterError)) return false;
  return ["ERR_ARB_UNREACHABLE", "ERR_ARB_VACANT", "ERR_ARB_STALE_MAP"].includes(error.code);
}

function hasEnded(signal: AbortSignal | null): boolean {
  return signal?.aborted ?? false;
}

function isSame(one: ServiceState, other: ServiceState): boolean {
  return one.holder === other.holder && one.epoch === other.epoch;
}

async function pause(signal: AbortSignal | null): Promise<void> {
  try {
    await sleep(PAUSE_MS, undefined, signal === null ? {} : { signal });
  } catch {
    // Aborted: the caller's loop looks.
  }
}
