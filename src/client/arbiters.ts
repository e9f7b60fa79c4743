/**
 * The arbiters that a client knows. A read goes to the one that answered last; the next one is
 * asked as well when that one fails, or takes long. The first answer that may be used counts.
 *
 * Reads never go back (I8): the newest version of the cluster map that was seen goes out with each
 * request, and an answer from an older one counts as none, also from an arbiter that doesn't know
 * that header.
 */
import { readFileSync } from "node:fs";
import got from "got";
import type { Got } from "got";
import { TokenSource } from "../protocol/auth.ts";
import { ArbiterError, codeOf, messageOf } from "../protocol/errors.ts";
import { usable } from "./addresses.ts";

/** Time to reach a machine. */
const CONNECT_MS = 1000;
/** An arbiter that hasn't got there yet waits a second for the version that was asked for. */
const ANSWER_MS = 3000;
/** A dead host costs so much before the next arbiter is asked as well. */
const HEDGE_MS = 250;
/** A daemon's map comes out of its memory. */
const MAP_MS = 1500;

export interface ArbitersOptions {
  readonly urls: readonly string[];
  readonly daemons: readonly string[];
  readonly tokenFile: string | null;
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Why an answer is of no use. */
interface Useless {
  readonly why: string;
  readonly isRefusal?: boolean;
  /** It waited for a newer map than any that was seen, and there was none. */
  readonly isUnchanged?: boolean;
  /** It comes from an older map than the newest that was seen. */
  readonly isOld?: boolean;
}

interface Asked {
  readonly signal: AbortSignal | null;
  /** An answer of a lower version isn't wanted. */
  readonly minVersion: number;
}

export class Arbiters {
  readonly #http: Got;
  readonly #token: TokenSource | null;
  readonly #given: readonly string[];
  #urls: readonly string[];
  #daemons: readonly string[];
  #newestVersion = 0;

  constructor({ urls, daemons, tokenFile, caFile, certFile, keyFile }: ArbitersOptions) {
    this.#given = urls;
    this.#urls = urls;
    this.#daemons = daemons;
    this.#token = tokenFile === null ? null : new TokenSource(tokenFile);
    this.#http = got.extend({
      throwHttpErrors: false,
      followRedirect: false,
      retry: { limit: 0 },
      timeout: { lookup: CONNECT_MS, connect: CONNECT_MS, secureConnect: 2 * CONNECT_MS },
      https: {
        ...(caFile === null ? {} : { certificateAuthority: readFileSync(caFile) }),
        ...(certFile === null ? {} : { certificate: readFileSync(certFile) }),
        ...(keyFile === null ? {} : { key: readFileSync(keyFile) }),
      },
    });
  }

  /** Newest version of the cluster map seen so far. */
  get version(): number {
    return this.#newestVersion;
  }

  /** In the order in which they are to be asked. */
  get urls(): readonly string[] {
    return this.#urls;
  }

  get http(): Got {
    return this.#http;
  }

  /** For each request anew: the token's file may have changed. */
  headers(minVersion: number = this.#newestVersion): Record<string, string> {
    return {
      ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token.token}` }),
      ...(minVersion === 0 ? {} : { "arbiter-min-version": String(minVersion) }),
    };
  }

  /**
   * Rejects with `ERR_ARB_UNREACHABLE`, and why for each, when none gives an answer of use;
   * with `ERR_ARB_UNAUTHORIZED` where that is why.
   */
  async read(path: string, signal: AbortSignal | null): Promise<Answer> {
    const race = new AbortController();
    const ended = signal === null ? race.signal : AbortSignal.any([signal, race.signal]);
    const useless: Useless[] = [];
    const found = Promise.withResolvers<Answer | null>();
    const waiting = [...this.#urls];
    let underWay = 0;
    const askNext = (): void => {
      const url = waiting.shift();
      if (url === undefined) {
        if (underWay === 0) found.resolve(null);
        return;
      }
      underWay += 1;
      const settle = (result: Answer | Useless): void => {
        underWay -= 1;
        if ("body" in result) {
          found.resolve(result);
          return;
        }
        useless.push({ ...result, why: `${url}: ${result.why}` });
        askNext();
      };
      this.#readFrom(url, path, { signal: ended, minVersion: this.#newestVersion }).then(
        settle,
        found.reject,
      );
    };
    askNext();
    const hedge = setInterval(askNext, HEDGE_MS);
    try {
      const answer = await found.promise;
      if (answer === null) throw noAnswer(useless);
      this.prefer(answer.url);
      return answer;
    } finally {
      clearInterval(hedge);
      race.abort();
    }
  }

  /**
   * The next answer from a newer map than any seen so far, as soon as there is one; null: there was
   * none for a second. Each arbiter has its turn, so that one that is cut off can't hide a change.
   */
  async readNewer(path: string, signal: AbortSignal | null): Promise<Answer | null> {
    const useless: Useless[] = [];
    const minVersion = this.#newestVersion + 1;
    for (const url of this.#urls) {
      const result = await this.#readFrom(url, path, { signal, minVersion });
      if ("body" in result) return result;
      this.avoid(url);
      if (result.isUnchanged === true) return null;
      useless.push({ ...result, why: `${url}: ${result.why}` });
    }
    throw noAnswer(useless);
  }

  /** The newest cluster map that any daemon has, where it isn't older than what was seen; null: none has. */
  async readMaps(signal: AbortSignal | null): Promise<Readonly<Record<string, unknown>> | null> {
    const maps = await Promise.all(this.#daemons.map(async (url) => await this.#mapOf(url, signal)));
    let newest: { version: number; map: Readonly<Record<string, unknown>> } | null = null;
    for (const map of maps) {
      const version = Number(map?.["version"] ?? Number.NaN);
      if (map === null || !(version >= (newest?.version ?? this.#newestVersion))) continue;
      newest = { version, map };
    }
    if (newest === null) return null;
    this.#newestVersion = Math.max(this.#newestVersion, newest.version);
    return newest.map;
  }

  /** Learns of further arbiters, and of the daemons; false: none could be asked. */
  async learn(): Promise<boolean> {
    try {
      const { status, body } = await this.read("/v1/peers", null);
      if (status !== 200) return false;
      const heard = usable(urlsIn(body["arbiters"]), this.#given);
      this.#urls = [...this.#urls, ...heard.filter((url) => !this.#urls.includes(url))];
      this.#daemons = [...new Set([...this.#daemons, ...usable(urlsIn(body["daemons"]), this.#given)])];
      return true;
    } catch {
      return false;
    }
  }

  /** It answered: asked first from now on. */
  prefer(url: string): void {
    if (this.#urls[0] !== url) this.#urls = [url, ...this.#urls.filter((other) => other !== url)];
  }

  /** It broke: asked last from now on. */
  avoid(url: string): void {
    this.#urls = [...this.#urls.filter((other) => other !== url), url];
  }

  close(): void {
    this.#token?.close();
  }

  async #readFrom(url: string, path: string, asked: Asked): Promise<Answer | Useless> {
    for (;;) {
      const sentVersion = this.#newestVersion;
      const result = await this.#attempt(url, path, asked);
      if ("body" in result || result.isOld !== true || this.#newestVersion === sentVersion) return result;
      // Another read has meanwhile seen a newer map than this one could ask for.
    }
  }

  async #attempt(url: string, path: string, { signal, minVersion }: Asked): Promise<Answer | Useless> {
    const isPatient = minVersion > this.#newestVersion;
    let response: { headers: Readonly<Record<string, unknown>>; statusCode: number; body: string };
    try {
      response = await this.#get(`${url}${path}`, Math.max(minVersion, this.#newestVersion), signal);
    } catch (error) {
      signal?.throwIfAborted();
      return { why: messageOf(error) };
    }
    const { statusCode: status } = response;
    if (status === 401 || status === 403) return { why: `it refuses (status ${status})`, isRefusal: true };
    const version = Number(response.headers["arbiter-version"] ?? "0");
    const body = objectIn(response.body);
    if (body === null) return { why: `its answer is no JSON object (status ${status})` };
    if (isPatient && body["code"] === "ERR_ARB_STALE_MAP") {
      return { why: "its map has not changed", isUnchanged: true };
    }
    if (version < this.#newestVersion) {
      const why = `its map has version ${version}, and ${this.#newestVersion} has been seen`;
      return { why, isOld: true };
    }
    if (status >= 500 && body["code"] !== "ERR_ARB_VACANT") {
      return { why: typeof body["detail"] === "string" ? body["detail"] : `status ${status}` };
    }
    this.#newestVersion = version;
    return { url, status, body };
  }

  /** Once more where a connection that was kept alive has been closed in the same moment. */
  async #get(
    url: string,
    minVersion: number,
    signal: AbortSignal | null,
  ): Promise<{ headers: Readonly<Record<string, unknown>>; statusCode: number; body: string }> {
    const options = {
      headers: { ...this.headers(minVersion), accept: "application/json" },
      responseType: "text",
      timeout: { request: ANSWER_MS },
      ...(signal === null ? {} : { signal }),
    } as const;
    try {
      return await this.#http(url, options);
    } catch (error) {
      if (codeOf(error) !== "ECONNRESET" || signal?.aborted === true) throw error;
      return await this.#http(url, options);
    }
  }

  async #mapOf(url: string, signal: AbortSignal | null): Promise<Readonly<Record<string, unknown>> | null> {
    try {
      const response = await this.#http(`${url}/v1/map`, {
        headers: { ...this.headers(), accept: "application/json" },
        responseType: "text",
        timeout: { request: MAP_MS },
        ...(signal === null ? {} : { signal }),
      });
      return response.statusCode === 200 ? objectIn(response.body) : null;
    } catch {
      return null;
    }
  }
}

function noAnswer(useless: readonly Useless[]): ArbiterError {
  const reasons = useless.map(({ why }) => why).join("; ");
  if (useless.some(({ isRefusal }) => isRefusal === true)) {
    return new ArbiterError(
      "ERR_ARB_UNAUTHORIZED",
      `No arbiter answers without a valid token (${reasons}). Name the cluster's token with \`tokenFile\`.`,
    );
  }
  return new ArbiterError("ERR_ARB_UNREACHABLE", `No arbiter answers (${reasons}).`);
}

function urlsIn(list: unknown): readonly string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null || !("url" in entry)) return [];
    return typeof entry.url === "string" ? [entry.url] : [];
  });
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
