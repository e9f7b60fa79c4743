/** What an arbiter's answer, or a daemon's cluster map, says of a service; or the error that it is. */
import { ArbiterError } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Answer } from "./arbiters.ts";

/** Who holds a service. */
export interface Holder {
  readonly service: string;
  /** The daemon's name. */
  readonly holder: string;
  readonly address: string;
  readonly port: number;
  readonly url: string;
  /** Its fencing token. */
  readonly epoch: number;
  /** Of the cluster map that says so: never lower than in an answer before. */
  readonly version: number;
}

/** Nobody holds it at the moment. */
export interface Vacancy {
  readonly service: string;
  readonly holder: null;
  /** Of the last holder. */
  readonly epoch: number;
  readonly version: number;
}

export type ServiceState = Holder | Vacancy;

/** The answer of `GET /v1/services/NAME`. Throws where it is none. */
export function stateIn(service: string, { url: from, status, body }: Answer): ServiceState {
  if (status === 200 || (status === 503 && body["code"] === "ERR_ARB_VACANT")) {
    const state = stateOf(service, body, body["version"]);
    if (state !== null) return state;
    throw new ArbiterError("ERR_ARB_MESSAGE", `${from} answered with something that names no holder.`);
  }
  const detail =
    typeof body["detail"] === "string" ? body["detail"] : `${from} answered with status ${status}.`;
  throw new ArbiterError(codeFor(status), detail);
}

/** A daemon's `GET /v1/map`. Throws where it doesn't know the service. */
export function stateInMap(service: string, map: Readonly<Record<string, unknown>>): ServiceState {
  const { services, version } = map;
  if (typeof services === "object" && services !== null && Object.hasOwn(services, service)) {
    const entry: unknown = Reflect.get(services, service);
    const state =
      typeof entry === "object" && entry !== null ? stateOf(service, { ...entry }, version) : null;
    if (state !== null) return state;
  }
  throw new ArbiterError("ERR_ARB_NOT_FOUND", `There is no service ${service} in the daemons' cluster map.`);
}

function stateOf(
  service: string,
  entry: Readonly<Record<string, unknown>>,
  version: unknown,
): ServiceState | null {
  const { holder, address, port, url, epoch } = entry;
  const known = typeof version === "number" ? version : 0;
  if (holder === null || holder === undefined) {
    return { service, holder: null, epoch: typeof epoch === "number" ? epoch : 0, version: known };
  }
  if (
    typeof holder === "string" &&
    typeof address === "string" &&
    typeof port === "number" &&
    typeof url === "string" &&
    typeof epoch === "number"
  ) {
    return { service, holder, address, port, url, epoch, version: known };
  }
  return null;
}

export function vacant(service: string): ArbiterError {
  return new ArbiterError("ERR_ARB_VACANT", `${service} has no holder at the moment.`);
}

function codeFor(status: number): ErrorCode {
  return status === 404 ? "ERR_ARB_NOT_FOUND" : "ERR_ARB_UNREACHABLE";
}
