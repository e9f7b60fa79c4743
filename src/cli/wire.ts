/**
 * The arbiter's answers as the commands read them. Their types are the arbiter's own; here is only
 * the look at the outline which tells an arbiter from something else that listens at the port, so
 * that the wrong address is a clear no rather than a crash.
 */
import type { ServiceStatus, Status } from "../arbiter/status.ts";
import type { Connection } from "./connection.ts";
import { ClearNo } from "./failure.ts";

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function notAnArbiter(what: string): ClearNo {
  return new ClearNo(
    `what answers is no arbiter of this version: its ${what} has another shape.`,
    "Check the address: --url, $ARBITER_URL, or `address` and `port` in the configuration.",
  );
}

const LISTS = ["arbiters", "services", "daemons", "problems"] as const;

function isStatus(value: unknown): value is Status {
  return isObject(value) && LISTS.every((list) => Array.isArray(value[list])) && isObject(value["config"]);
}

export async function readStatus(connection: Connection): Promise<Status> {
  const body = await connection.demand("GET", "/v1/status");
  if (!isStatus(body)) throw notAnArbiter("status");
  return body;
}

/** A service of the status, or a clear no that lists the ones there are. */
export function serviceIn(status: Status, name: string): ServiceStatus {
  const service = status.services.find((each) => each.name === name);
  if (service !== undefined) return service;
  throw unknownName(
    "service",
    name,
    status.services.map((each) => each.name),
  );
}

export function unknownName(what: string, name: string, known: readonly string[]): ClearNo {
  const list =
    known.length === 0
      ? "There are none."
      : `There ${known.length === 1 ? "is" : "are"}: ${known.join(", ")}.`;
  return new ClearNo(`there is no ${what} called ${name}. ${list}`, "`arbiter status` shows them.");
}
