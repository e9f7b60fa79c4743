/**
 * A client of a cluster: finds the holder of a service and follows the events, over a list of
 * arbiters of which any may be down.
 *
 * What it gives is what an arbiter knew a moment ago. It is good for finding a service, never for
 * deciding who may act: that is what the epoch is for. Hand it to the service with the request, and
 * let the service refuse one that isn't its own.
 */
import { ArbiterError } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { Arbiters } from "./arbiters.ts";
import type { Answer } from "./arbiters.ts";
import { followEvents } from "./events.ts";
import type { ClusterEvent } from "./events.ts";
import { publish } from "./publish.ts";
import type { PublishedEvent, PublishOptions, PublishReceipt } from "./publish.ts";

export interface ConnectOptions {
  /** Where reads need a token. (Default: none.) */
  readonly tokenFile?: string;
  /** Whom to trust behind `https`, in PEM form. (Default: the system's authorities.) */
  readonly caFile?: string;
  /** What to show where arbiters ask for a certificate, in PEM form. (Default: none.) */
  readonly certFile?: string;
  readonly keyFile?: string;
}

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

export interface EventsOptions {
  /** Number of the last event that was seen. (Default: begin with what happens next.) */
  readonly after?: number;
  /** Ends the loop. */
  readonly signal?: AbortSignal;
}

export interface Cluster {
  /**
   * Rejects with `ERR_ARB_NOT_FOUND` (no such service), `ERR_ARB_VACANT` (nobody holds it now) or
   * `ERR_ARB_UNREACHABLE` (no arbiter answers).
   */
  resolve(service: string, options?: { readonly signal?: AbortSignal }): Promise<Holder>;
  /** Every event, once and in order; goes on after an arbiter's end with the next one. */
  events(options?: EventsOptions): AsyncGenerator<ClusterEvent, void, undefined>;
  /**
   * Puts an event of your own into the log, where every reader gets it, once and in order. Resolves
   * once it is durable.
   */
  publish(event: PublishedEvent, options?: PublishOptions): Promise<PublishReceipt>;
  /** Newest version of the cluster map seen so far. */
  readonly version: number;
  close(): void;
}

/** `urls`: a list, or one text with commas. Nothing is asked before the first call. */
export function connect(urls: string | readonly string[], options: ConnectOptions = {}): Cluster {
  const arbiters = new Arbiters({
    urls: readUrls(typeof urls === "string" ? urls.split(",") : urls),
    tokenFile: options.tokenFile ?? null,
    caFile: options.caFile ?? null,
    certFile: options.certFile ?? null,
    keyFile: options.keyFile ?? null,
  });
  return {
    async resolve(service, { signal } = {}): Promise<Holder> {
      const answer = await arbiters.read(`/v1/services/${encodeURIComponent(service)}`, signal ?? null);
      return holderIn(answer);
    },
    events: ({ after, signal } = {}) => followEvents(arbiters, after ?? null, signal ?? null),
    publish: (event, publishing) => publish(arbiters, event, publishing),
    get version(): number {
      return arbiters.version;
    },
    close: () => arbiters.close(),
  };
}

function readUrls(urls: readonly string[]): readonly string[] {
  const read = urls.map((url) => url.trim()).filter((url) => url !== "");
  const bad = read.find((url) => !/^https?:\/\//u.test(url) || !URL.canParse(url));
  if (read.length > 0 && bad === undefined) return [...new Set(read.map((url) => new URL(url).origin))];
  const found = bad === undefined ? "nothing" : JSON.stringify(bad);
  throw new ArbiterError(
    "ERR_ARB_USAGE",
    `connect() takes arbiters' URLs, like http://10.0.0.1:7770; found ${found}.`,
  );
}

function holderIn({ url: from, status, body }: Answer): Holder {
  if (status !== 200) {
    const detail =
      typeof body["detail"] === "string" ? body["detail"] : `${from} answered with status ${status}.`;
    throw new ArbiterError(codeFor(status, body["code"]), detail);
  }
  const { service, holder, address, port, url, epoch, version } = body;
  if (
    typeof service === "string" &&
    typeof holder === "string" &&
    typeof address === "string" &&
    typeof port === "number" &&
    typeof url === "string" &&
    typeof epoch === "number" &&
    typeof version === "number"
  ) {
    return { service, holder, address, port, url, epoch, version };
  }
  throw new ArbiterError("ERR_ARB_MESSAGE", `${from} answered with something that names no holder.`);
}

function codeFor(status: number, code: unknown): ErrorCode {
  if (status === 404) return "ERR_ARB_NOT_FOUND";
  if (status === 401) return "ERR_ARB_UNAUTHORIZED";
  return code === "ERR_ARB_VACANT" ? "ERR_ARB_VACANT" : "ERR_ARB_UNREACHABLE";
}
