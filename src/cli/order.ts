/** What an arbiter answers to an order: that it has taken it, and the event that records it. */
import type { PrintOptions } from "./options.ts";
import { printJson, standardOutput } from "./output.ts";
import { isObject, notAnArbiter } from "./wire.ts";

export interface Accepted {
  /** Number of the event that records it; null where nothing had to be recorded. */
  readonly event: number | null;
  readonly text: string;
}

export function readAccepted(body: unknown): Accepted {
  if (!isObject(body)) throw notAnArbiter("answer");
  const event = body["event"];
  const text = body["text"];
  return {
    event: typeof event === "number" ? event : null,
    text: typeof text === "string" && text !== "" ? text : "The arbiter has accepted it.",
  };
}

export function printAccepted(body: unknown, options: PrintOptions): void {
  const accepted = readAccepted(body);
  if (options.json === true) printJson(accepted);
  else standardOutput.write(`${accepted.text}\n`);
}
