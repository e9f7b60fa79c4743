/**
 * A `got` instance whose requests go to the present holder of a service. To `got` it is one server
 * with a name of its own: cookies, errors and redirects stay with the service. Which daemon that is
 * gets decided for each attempt anew, at the last moment.
 */
import { Agent } from "node:http";
import { Agent as SecureAgent } from "node:https";
import got from "got";
import type { Got } from "got";
import { readFileSync } from "node:fs";
import type { Holder } from "./answers.ts";
import { Call } from "./call.ts";
import type { CallParts } from "./call.ts";
import type { Holders } from "./holders.ts";
import { InFlight } from "./in-flight.ts";

export interface ServiceOptions {
  /** Milliseconds for a call as a whole, every attempt and every wait for a holder. (Default: 10 000.) */
  readonly deadlineMs?: number;
  /** Where the holder serves its users. (Default: its own `url`.) */
  readonly url?: (holder: Holder) => string;
}

export interface ServiceTls {
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

const DEADLINE_MS = 10_000;

export class ServiceClients {
  readonly #holders: Holders;
  readonly #inFlight: InFlight;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #secureAgent: SecureAgent;
  readonly #made = new Map<string, Got>();

  constructor(holders: Holders, { caFile, certFile, keyFile }: ServiceTls) {
    this.#holders = holders;
    this.#inFlight = new InFlight(holders);
    this.#secureAgent = new SecureAgent({
      keepAlive: true,
      ...(caFile === null ? {} : { ca: readFileSync(caFile) }),
      ...(certFile === null ? {} : { cert: readFileSync(certFile) }),
      ...(keyFile === null ? {} : { key: readFileSync(keyFile) }),
    });
  }

  /** Without options the same instance each time. */
  of(service: string, options: ServiceOptions | null): Got {
    const made = options === null ? this.#made.get(service) : undefined;
    if (made !== undefined) return made;
    const client = this.#make(service, options ?? {});
    if (options === null) this.#made.set(service, client);
    return client;
  }

  close(): void {
    this.#agent.destroy();
    this.#secureAgent.destroy();
  }

  #make(service: string, { deadlineMs, url }: ServiceOptions): Got {
    const parts: CallParts = {
      service,
      name: nameOf(service),
      deadlineMs: deadlineMs ?? DEADLINE_MS,
      urlOf: url ?? ((holder) => holder.url),
      holders: this.#holders,
      inFlight: this.#inFlight,
      agent: this.#agent,
      secureAgent: this.#secureAgent,
    };
    return got.extend({
      prefixUrl: parts.name,
      handlers: [
        (options, next) => {
          const call = new Call(parts, options.signal ?? null, options.isStream);
          options.request = async (target, native) => await call.send(target, native);
          options.retry = {
            enforceRetryRules: false,
            calculateDelay: ({ error, attemptCount, retryOptions }) =>
              call.pauseAfter(error, attemptCount, retryOptions.limit ?? 0),
          };
          const result = next(options);
          if (result instanceof Promise) void call.endWith(result);
          return result;
        },
      ],
    });
  }
}

/** A URL under which `got` knows the service; nobody looks it up. */
function nameOf(service: string): string {
  const url = `http://${service}/`;
  return URL.canParse(url) && new URL(url).pathname === "/" ? new URL(url).href : "http://service/";
}
