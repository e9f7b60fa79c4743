/**
 * Asks the author's `health()` at an interval and says what came of it. A hook that throws or
 * doesn't answer in time is an unhealthy daemon, with that as the reason: a health check that
 * hangs must not look like health. While one call hangs no other is begun.
 */
import { messageOf } from "../protocol/errors.ts";

export interface Health {
  readonly healthy: boolean;
  /** Whether it could take a service now. (Default: as `healthy`.) */
  readonly ready?: boolean;
  /** For people, mostly when it isn't healthy. */
  readonly reason?: string;
}
export type HealthHook = () => Health | Promise<Health>;

export interface HealthTiming {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Returns what ends it. `tell` is called with every result; the same one twice does no harm. */
export function watchHealth(
  hook: HealthHook,
  { intervalMs, timeoutMs }: HealthTiming,
  tell: (healthy: boolean, ready: boolean, reason: string) => void,
): () => void {
  let next: NodeJS.Timeout | null = null;
  let isOver = false;
  const ask = async (): Promise<void> => {
    const late = setTimeout(
      () => tell(false, false, `health() has not answered for ${timeoutMs} ms.`),
      timeoutMs,
    );
    const { healthy, ready, reason } = await resultOf(hook);
    clearTimeout(late);
    if (isOver) return;
    tell(healthy, ready, reason);
    next = setTimeout(() => void ask(), intervalMs);
  };
  void ask();
  return (): void => {
    isOver = true;
    if (next !== null) clearTimeout(next);
  };
}

async function resultOf(hook: HealthHook): Promise<Required<Health>> {
  try {
    const found: unknown = await hook();
    if (typeof found !== "object" || found === null || !("healthy" in found)) {
      return unhealthy("health() returned no { healthy }.");
    }
    const healthy = found.healthy === true;
    const ready = "ready" in found && found.ready !== undefined ? found.ready === true : healthy;
    const reason = "reason" in found && typeof found.reason === "string" ? found.reason : "";
    return { healthy, ready, reason: reason === "" && !healthy ? "health() says so." : reason };
  } catch (error) {
    return unhealthy(`health() failed: ${messageOf(error)}`);
  }
}

function unhealthy(reason: string): Required<Health> {
  return { healthy: false, ready: false, reason };
}
