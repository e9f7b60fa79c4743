/**
 * The arbiters that a client knows, asked one after the other until one gives an answer that may
 * be used. The one that did is asked first the next time.
 *
 * Reads never go back (I8): the newest version of the cluster map that was seen goes out with each
 * request, and an answer from an older one counts as none, also from an arbiter that doesn't know
 * that header.
 */
import { readFileSync } from "node:fs";
import got from "got";
import type { Got } from "got";
import { TokenSource } from "../protocol/auth.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";

/** Time to reach a machine: a dead host costs so much before the next arbiter is asked. */
const CONNECT_MS = 1000;
/** An arbiter that hasn't got there yet waits a second for the version that was asked for. */
const ANSWER_MS = 3000;

export interface ArbitersOptions {
  readonly urls: readonly string[];
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

export class Arbiters {
  readonly #http: Got;
  readonly #token: TokenSource | null;
  #urls: readonly string[];
  #newestVersion = 0;

  constructor({ urls, tokenFile, caFile, certFile, keyFile }: ArbitersOptions) {
    this.#urls = urls;
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
  headers(): Record<string, string> {
    return {
      ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token.token}` }),
      ...(this.#newestVersion === 0 ? {} : { "arbiter-min-version": String(this.#newestVersion) }),
    };
  }

  /** Rejects with `ERR_ARB_UNREACHABLE`, and why for each, when none gives an answer of use. */
  async read(path: string, signal: AbortSignal | null): Promise<Answer> {
    const failures: string[] = [];
    for (const url of this.#urls) {
      const result = await this.#readFrom(url, path, signal);
      if (typeof result !== "string") {
        this.prefer(url);
        return result;
      }
      failures.push(`${url}: ${result}`);
    }
    throw new ArbiterError("ERR_ARB_UNREACHABLE", `No arbiter answers (${failures.join("; ")}).`);
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

  /** A text says why its answer is of no use. */
  async #readFrom(url: string, path: string, signal: AbortSignal | null): Promise<Answer | string> {
    try {
      const response = await this.#http(`${url}${path}`, {
        headers: { ...this.headers(), accept: "application/json" },
        responseType: "text",
        timeout: { request: ANSWER_MS },
        ...(signal === null ? {} : { signal }),
      });
      const version = Number(response.headers["arbiter-version"] ?? "0");
      if (version < this.#newestVersion) {
        return `its map has version ${version}, and ${this.#newestVersion} has been seen`;
      }
      const body: unknown = JSON.parse(response.body);
      if (typeof body !== "object" || body === null) return "its answer is no JSON object";
      this.#newestVersion = version;
      return { url, status: response.statusCode, body: { ...body } };
    } catch (error) {
      signal?.throwIfAborted();
      return messageOf(error);
    }
  }
}
