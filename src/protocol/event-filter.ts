/**
 * Which events of the log somebody wants: by service, by type, by time, by a program's namespace
 * and key. The same for the HTTP API, the command line and the alerts. Pure.
 */
import type { LoggedEvent } from "../core/model.ts";

export interface EventFilter {
  readonly service?: string | undefined;
  /** Names of types; `*` stands for any letters. Empty: all. */
  readonly types?: readonly string[] | undefined;
  readonly namespace?: string | undefined;
  readonly key?: string | undefined;
  readonly sinceWallMs?: number | undefined;
  readonly untilWallMs?: number | undefined;
}

/** Makes the question once, so that it can be asked of many events. */
export function wantedBy(filter: EventFilter): (event: Omit<LoggedEvent, "seq">) => boolean {
  const { service, namespace, key, sinceWallMs = -Infinity, untilWallMs = Infinity } = filter;
  const isOfType = typeMatcher(filter.types ?? []);
  return (event) =>
    event.atWallMs >= sinceWallMs &&
    event.atWallMs < untilWallMs &&
    (service === undefined || event.service === service) &&
    (namespace === undefined || event.publication?.namespace === namespace) &&
    (key === undefined || event.publication?.key === key) &&
    isOfType(event.type);
}

/** Whether anything at all is filtered. */
export function isFiltering(filter: EventFilter): boolean {
  return Object.values(filter).some((value: unknown) =>
    Array.isArray(value) ? value.length > 0 : value !== undefined,
  );
}

/** `service.*`, `*.down`, `leader.elected`; an empty list matches all. */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  if (patterns.length === 0) return () => true;
  const any = patterns.map(
    (pattern) =>
      new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/gu, "\\$&").replaceAll("*", ".*")}$`, "u"),
  );
  return (type) => any.some((one) => one.test(type));
}
