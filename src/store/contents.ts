/** Raw values of a server, checked and put together to what a new leader starts from. */
import type { ServiceRow } from "../core/model.ts";
import type { StoreContents } from "./contract.ts";
import { EngineTrouble, damaged, sound, wholeNumber } from "./engine.ts";
import { NO_SETTINGS, readConfiguration, readServiceRow, readSettings } from "./stored.ts";

export interface RawContents {
  readonly revision: unknown;
  readonly lastEvent: unknown;
  /** JSON, or null: none were ever set. */
  readonly settings: unknown;
  /** A list of `[service, epoch, row as JSON]`; null: none. */
  readonly services: unknown;
  /** The newest version, as JSON; null: none. */
  readonly configuration: unknown;
}

export function contentsOf(raw: RawContents): StoreContents {
  const services: readonly unknown[] = Array.isArray(raw.services) ? raw.services : [];
  return {
    revision: wholeNumber(raw.revision, "the revision"),
    rows: services.map((entry) => serviceRow(entry)),
    settings:
      (raw.settings ?? null) === null ? NO_SETTINGS : sound(readSettings(raw.settings), "the settings"),
    configuration:
      (raw.configuration ?? null) === null
        ? null
        : sound(readConfiguration(raw.configuration), "the newest configuration version"),
    lastEvent: wholeNumber(raw.lastEvent, "an event's number"),
  };
}

function serviceRow(entry: unknown): ServiceRow {
  const columns: readonly unknown[] = Array.isArray(entry) ? entry : [];
  const [name, epoch, json] = columns;
  const what = `the row of service ${String(name)}`;
  const row = sound(readServiceRow(json), what);
  if (row.service === name && row.epoch === wholeNumber(epoch, what)) return row;
  throw new EngineTrouble(`${damaged(what)} (its columns contradict each other).`, { isCertain: true });
}
