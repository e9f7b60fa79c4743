/**
 * What an engine that is reached over a network has to do, and how it reports trouble.
 *
 * `remote.ts` makes the store contract of it: it puts calls in order, groups and times them. An
 * engine only knows its server.
 */
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord, LoggedEvent } from "../core/model.ts";
import type { Parsed } from "../protocol/reading.ts";
import type { NoteName, StoreContents } from "./contract.ts";
import type { WriteAnswer, WriteCall } from "./group.ts";

/** One try at a call. When its signal fires, the engine drops the connection that it uses. */
export class Attempt {
  readonly signal: AbortSignal;
  #mayBeApplied = false;

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  /** From here on nobody can tell whether a missing answer means that nothing was done. */
  get mayBeApplied(): boolean {
    return this.#mayBeApplied;
  }

  /** Called right before the request is sent that decides; throws when the call was given up. */
  decide(): void {
    this.signal.throwIfAborted();
    this.#mayBeApplied = true;
  }

  /** The server has said that it did not do it: what is sent next decides anew. */
  undecided(): void {
    this.#mayBeApplied = false;
  }
}

export interface StoreEngine {
  /** Connects, and makes or migrates what the store needs there. */
  open(attempt: Attempt): Promise<void>;
  /** The calls as one atomic step, answered in their order. */
  transact(calls: readonly WriteCall[], attempt: Attempt): Promise<readonly WriteAnswer[]>;
  leadership(attempt: Attempt): Promise<LeadershipRecord | null>;
  load(attempt: Attempt): Promise<StoreContents>;
  events(after: number, limit: number, attempt: Attempt): Promise<readonly LoggedEvent[]>;
  configurations(limit: number, attempt: Attempt): Promise<readonly ConfigurationVersion[]>;
  note(name: NoteName, attempt: Attempt): Promise<string | null>;
  /** Removes a piece of the old events: `more` says that another is left. */
  trim(beforeWallMs: number, attempt: Attempt): Promise<{ readonly removed: number; readonly more: boolean }>;
  watch(onChange: () => void): () => void;
  close(): Promise<void>;
}

export interface TroubleTraits {
  /** Certainly not applied, even if the deciding request had been sent. */
  readonly isCertain?: boolean;
  /** The connection is gone: a new one may do. */
  readonly isLost?: boolean;
  /** The call itself is at fault (too large, say): others may do. */
  readonly isOfCall?: boolean;
}

/** What went wrong, as the end of the sentence "The store URL …". */
export class EngineTrouble extends Error {
  override readonly name = "EngineTrouble";
  readonly isCertain: boolean;
  readonly isLost: boolean;
  readonly isOfCall: boolean;

  constructor(message: string, traits: TroubleTraits = {}, options?: ErrorOptions) {
    super(message, options);
    this.isCertain = traits.isCertain ?? false;
    this.isLost = traits.isLost ?? false;
    this.isOfCall = traits.isOfCall ?? false;
  }
}

/** A value that was read, or the trouble that names it. */
export function sound<T>(read: Parsed<T>, what: string): T {
  if (read.ok) return read.value;
  throw new EngineTrouble(`${damaged(what)} (${read.error}).`, { isCertain: true });
}

export function wholeNumber(value: unknown, what: string): number {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  throw new EngineTrouble(`${damaged(what)} (it must be a whole number).`, { isCertain: true });
}

export function damaged(what: string): string {
  return `holds damaged contents, and nothing was changed: restore a backup, or start with an empty store (daemons that run are then adopted). What is damaged: ${what}`;
}

/** Causes that are the same whatever the engine: what Node says of sockets, names and certificates. */
export function connectionTrouble(error: unknown, where: string): EngineTrouble | null {
  if (!(error instanceof Error)) return null;
  // Several addresses of one name: each failed.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : null;
  if (first instanceof Error) return connectionTrouble(first, where);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const sentence = CONNECTION_SENTENCES[code];
  const traits = { isLost: true };
  if (sentence !== undefined) return new EngineTrouble(`${sentence} (${where}).`, traits, { cause: error });
  if (code.startsWith("ERR_TLS") || code.startsWith("ERR_SSL") || CERTIFICATE.test(code)) {
    const said = `can't be reached safely: its certificate or its TLS was not accepted (${where}: ${error.message}). Correct "tls_ca", "tls_name", "tls_cert" and "tls_key" in the store's url, or the server's certificate.`;
    return new EngineTrouble(said, traits, { cause: error });
  }
  return null;
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO|^EPROTO$/u;

const REFUSED =
  "can't be reached: nothing listens there. Start the server, or correct the address and port in the store's url";
const NO_NAME =
  "can't be reached: its host name is not known. Correct the host in the store's url, or look at the name service";
const NO_ROUTE =
  "can't be reached: the network has no way to it. Look at the network, or correct the address in the store's url";
const BROKE = "broke the connection. It is tried again; look at the server's log if this goes on";

const CONNECTION_SENTENCES: Readonly<Record<string, string>> = {
  ECONNREFUSED: REFUSED,
  ENOENT: REFUSED,
  ENOTFOUND: NO_NAME,
  EAI_AGAIN: NO_NAME,
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  EADDRNOTAVAIL: NO_ROUTE,
  ETIMEDOUT: "does not answer: the connection could not be made in time. Look at the server and the network",
  ECONNRESET: BROKE,
  EPIPE: BROKE,
  PROTOCOL_CONNECTION_LOST: BROKE,
};
