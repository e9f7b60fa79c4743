/**
 * A client of a cluster: finds the holder of a service and follows the events, over a list of
 * arbiters of which any may be down.
 *
 * What it gives is what an arbiter knew a moment ago. It is good for finding a service, never for
 * deciding who may act: that is what the epoch is for. Hand it to the service with the request, and
 * let the service refuse one that isn't its own.
 */
import type { Got } from "got";
import { readAddresses } from "./addresses.ts";
import { vacant } from "./answers.ts";
import type { Holder, ServiceState } from "./answers.ts";
import { Arbiters } from "./arbiters.ts";
import { followEvents } from "./events.ts";
import type { ClusterEvent, EventFilter } from "./events.ts";
import { publish } from "./publish.ts";
import type { PublishedEvent, PublishOptions, PublishReceipt } from "./publish.ts";
import { Holders } from "./holders.ts";
import { ServiceClients } from "./service-got.ts";
import type { ServiceOptions } from "./service-got.ts";
import { watchService } from "./watch.ts";

export interface ConnectOptions {
  /** Where reads need a token. (Default: `$ARBITER_TOKEN_FILE`, else none.) */
  readonly tokenFile?: string;
  /** Whom to trust behind `https`, in PEM form. (Default: the system's authorities.) */
  readonly caFile?: string;
  /** What to show where arbiters ask for a certificate, in PEM form. (Default: none.) */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Daemons whose maps answer while no arbiter does. Further ones are learned. (Default: none.) */
  readonly daemons?: string | readonly string[];
}

export interface EventsOptions {
  /** Number of the last event that was seen. (Default: begin with what happens next.) */
  readonly after?: number;
  /** Only some of them. (Default: all) */
  readonly filter?: EventFilter;
  /** Ends the loop. */
  readonly signal?: AbortSignal;
}

export interface Signalled {
  readonly signal?: AbortSignal;
}

export interface Cluster {
  /**
   * Rejects with `ERR_ARB_NOT_FOUND` (no such service), `ERR_ARB_VACANT` (nobody holds it now),
   * `ERR_ARB_UNAUTHORIZED` or `ERR_ARB_UNREACHABLE` (neither an arbiter nor a daemon answers).
   */
  resolve(service: string, options?: Signalled): Promise<Holder>;
  /** Who holds it now, then each change, through every outage; `holder` is null while nobody does. */
  watch(service: string, options?: Signalled): AsyncGenerator<ServiceState, void, undefined>;
  /** Every event, once and in order; goes on after an arbiter's end with the next one. */
  events(options?: EventsOptions): AsyncGenerator<ClusterEvent, void, undefined>;
  /**
   * Puts an event of your own into the log, where every reader gets it, once and in order. Resolves
   * once it is durable.
   */
  publish(event: PublishedEvent, options?: PublishOptions): Promise<PublishReceipt>;
  /**
   * A `got` instance for the service's own HTTP: `await cluster.got("scheduler-master").get("jobs").json()`.
   * Each attempt goes to the holder of the newest epoch known, and carries it as `Arbiter-Epoch`.
   * What may be repeated (idempotent methods, an `Idempotency-Key`, whatever was refused before it
   * was done) is, until the deadline; then the call rejects with the code `ERR_ARB_DEADLINE`.
   */
  got(service: string, options?: ServiceOptions): Got;
  /** Newest version of the cluster map seen so far. */
  readonly version: number;
  /** Closes idle connections and stops following the token's file. */
  close(): void;
}

/**
 * `addresses`: arbiters' URLs or `host:port`, a list or one text with commas. (Default:
 * `$ARBITER_URL`.) Nothing is asked before the first call.
 */
export function connect(
  addresses: string | readonly string[] = process.env["ARBITER_URL"] ?? "",
  options: ConnectOptions = {},
): Cluster {
  const tls = {
    caFile: options.caFile ?? null,
    certFile: options.certFile ?? null,
    keyFile: options.keyFile ?? null,
  };
  const isSecure = tls.caFile !== null || tls.certFile !== null;
  const { daemons = [] } = options;
  const arbiters = new Arbiters({
    urls: readAddresses(addresses, isSecure),
    daemons: daemons.length === 0 ? [] : readAddresses(daemons, isSecure),
    tokenFile: options.tokenFile ?? namedIn("ARBITER_TOKEN_FILE"),
    ...tls,
  });
  const holders = new Holders(arbiters);
  const clients = new ServiceClients(holders, tls);
  return {
    async resolve(service, { signal } = {}): Promise<Holder> {
      const state = await holders.ask(service, signal ?? null);
      if (state.holder === null) throw vacant(service);
      return state;
    },
    watch: (service, { signal } = {}) => watchService(holders, service, signal ?? null),
    events: ({ after, signal, filter } = {}) => followEvents(arbiters, after ?? null, signal ?? null, filter),
    publish: (event, publishing) => publish(arbiters, event, publishing),
    got: (service, serviceOptions) => clients.of(service, serviceOptions ?? null),
    get version(): number {
      return arbiters.version;
    },
    close(): void {
      arbiters.close();
      clients.close();
    },
  };
}

function namedIn(variable: string): string | null {
  const value = process.env[variable];
  return value === undefined || value === "" ? null : value;
}
