/**
 * Requests to an etcd cluster over its JSON gateway: to one endpoint, and on trouble to the next.
 *
 * An answer that is missing says nothing of what was done; so each request tells whether an
 * earlier try of it *may* have been carried out. Only what failed before it was sent, or what etcd
 * itself has refused, certainly wasn't.
 */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Got } from "got";
import { EngineTrouble, connectionTrouble, type Attempt } from "./engine.ts";
import { pause } from "./pause.ts";
import { endpointName, identityOf, type Endpoint, type StoreLocation } from "./location.ts";

export interface GatewayAnswer {
  readonly body: Readonly<Record<string, unknown>>;
  /** An earlier try of the same request got no answer: it may have been carried out, or may yet be. */
  readonly wasTriedBefore: boolean;
}

/** How far a try that failed may have got. */
type Reach = "not sent" | "refused" | "maybe done";

class TryTrouble extends Error {
  readonly reach: Reach;
  readonly trouble: EngineTrouble;
  constructor(reach: Reach, trouble: EngineTrouble) {
    super(trouble.message, { cause: trouble });
    this.reach = reach;
    this.trouble = trouble;
  }
}

/** Tries of one request before it is given up, for each endpoint: a broken connection is tried again. */
const ROUNDS = 2;
const ROUND_PAUSE_MS = 200;

export class EtcdGateway {
  readonly #location: StoreLocation;
  readonly #tryTimeoutMs: number;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  #current = 0;
  #token: string | null = null;

  /** `tryTimeoutMs`: for how long one of several endpoints is waited for. */
  constructor(location: StoreLocation, tryTimeoutMs: number) {
    this.#location = location;
    this.#tryTimeoutMs = tryTimeoutMs;
    const { tls } = location;
    this.#agents = {
      http: new HttpAgent({ keepAlive: true }),
      https: new HttpsAgent({
        keepAlive: true,
        ...tls,
        ...(tls?.servername === undefined ? {} : { checkServerIdentity: identityOf(tls, "") }),
      }),
    };
  }

  /** Which endpoint would be asked next, for those who stay with one. */
  get current(): Endpoint {
    const { endpoints } = this.#location;
    return endpoints[this.#current % endpoints.length] ?? { host: "localhost", port: 2379 };
  }

  next(): void {
    this.#current = (this.#current + 1) % this.#location.endpoints.length;
  }

  /** `decides`: the request changes something, and the attempt is to know whether it was sent. */
  async post(path: string, body: unknown, attempt: Attempt, decides: boolean): Promise<GatewayAnswer> {
    let wasTriedBefore = false;
    let last: EngineTrouble | null = null;
    const tries = this.#location.endpoints.length * ROUNDS;
    for (let count = 0; count < tries; count++) {
      // All of them have been asked: a cluster that elects a leader needs a moment.
      if (count === tries / ROUNDS) await pause(ROUND_PAUSE_MS, attempt.signal);
      try {
        const headers = await this.#authorization(attempt);
        if (decides) attempt.decide();
        return { body: await this.#once("POST", path, body, headers, attempt), wasTriedBefore };
      } catch (error) {
        if (!(error instanceof TryTrouble)) throw error;
        attempt.signal.throwIfAborted();
        last = error.trouble;
        if (error.reach === "maybe done") wasTriedBefore = true;
        else if (decides && !wasTriedBefore) attempt.undecided();
        if (error.reach === "refused" && !this.#mayRenewToken(error)) break;
        if (error.reach !== "refused") this.next();
      }
    }
    throw last ?? new EngineTrouble("can't be reached.", { isLost: true });
  }

  /** A short answer of one endpoint, for its version. */
  async get(path: string, attempt: Attempt): Promise<Readonly<Record<string, unknown>>> {
    let last: EngineTrouble | null = null;
    for (const _ of this.#location.endpoints) {
      try {
        return await this.#once("GET", path, null, {}, attempt);
      } catch (error) {
        if (!(error instanceof TryTrouble)) throw error;
        attempt.signal.throwIfAborted();
        last = error.trouble;
        this.next();
      }
    }
    throw last ?? new EngineTrouble("can't be reached.", { isLost: true });
  }

  /** A request whose answer doesn't end; the caller reads lines from it. */
  async stream(path: string, body: unknown, attempt: Attempt): Promise<AsyncIterable<Buffer>> {
    const headers = await this.#authorization(attempt);
    const got = await client();
    const stream = got.stream.post(this.#url(this.current, path), {
      json: body,
      headers,
      agent: this.#agents,
      retry: { limit: 0 },
      signal: attempt.signal,
    });
    return stream;
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  #url(endpoint: Endpoint, path: string): string {
    return `${this.#location.tls === null ? "http" : "https"}://${endpointName(endpoint)}${path}`;
  }

  async #authorization(attempt: Attempt): Promise<Record<string, string>> {
    const { user, password } = this.#location;
    if (user === null) return {};
    if (this.#token === null) {
      const asked = { name: user, password: password ?? "" };
      const answer = await this.#once("POST", "/v3/auth/authenticate", asked, {}, attempt);
      this.#token = String(answer["token"]);
    }
    return { authorization: this.#token };
  }

  /** Tokens end after a while, and with the member that gave them. */
  #mayRenewToken({ trouble }: TryTrouble): boolean {
    const mayRenew = this.#token !== null && /invalid auth token|auth: revision/u.test(String(trouble.cause));
    if (mayRenew) this.#token = null;
    return mayRenew;
  }

  async #once(
    method: "GET" | "POST",
    path: string,
    body: unknown,
    headers: Record<string, string>,
    attempt: Attempt,
  ): Promise<Readonly<Record<string, unknown>>> {
    const endpoint = this.current;
    const where = endpointName(endpoint);
    const got = await client();
    const isAlone = this.#location.endpoints.length === 1;
    let answer: { readonly statusCode: number; readonly body: string };
    try {
      answer = await got(this.#url(endpoint, path), {
        method,
        headers,
        ...(method === "POST" ? { json: body } : {}),
        agent: this.#agents,
        retry: { limit: 0 },
        throwHttpErrors: false,
        followRedirect: false,
        signal: attempt.signal,
        timeout: isAlone ? {} : { connect: this.#tryTimeoutMs, request: this.#tryTimeoutMs },
      });
    } catch (error) {
      throw lost(error, where);
    }
    return this.#read(answer, where);
  }

  #read(
    answer: { readonly statusCode: number; readonly body: string },
    where: string,
  ): Readonly<Record<string, unknown>> {
    const body = objectFrom(answer.body);
    if (answer.statusCode === 200 && body !== null) return body;
    const error = body?.["error"];
    const said = (typeof error === "string" ? error : answer.body.slice(0, 200)).trim();
    if (body === null || answer.statusCode === 404) throw new TryTrouble("refused", noEtcd(said, where));
    const sentence = stated(said, this.#location);
    if (sentence === null) {
      // "request timed out", "leader changed" and whatever else: it may have been done.
      const text = `has trouble (${where}: ${said}). It is tried again; look at etcd's log if this goes on.`;
      throw new TryTrouble("maybe done", new EngineTrouble(text, { isLost: true }, { cause: said }));
    }
    if (/no leader|too many requests/u.test(said)) {
      throw new TryTrouble("not sent", new EngineTrouble(sentence, { isLost: true }, { cause: said }));
    }
    const isOfCall = /too large|too many operations/u.test(said);
    throw new TryTrouble("refused", new EngineTrouble(sentence, { isOfCall }, { cause: said }));
  }
}

/** What etcd refuses before it does anything. */
function stated(said: string, { user, prefix }: StoreLocation): string | null {
  const who = user ?? "(no user)";
  if (/authentication failed/u.test(said)) {
    return `refused the user or password of ${who}. Correct them in the store's url.`;
  }
  if (/user name is empty/u.test(said)) {
    return 'wants a user and a password, and the store\'s url has none. Add them, best in a file that "url_file" names.';
  }
  if (/authentication is not enabled/u.test(said)) {
    return `has no users, and the store's url names ${who}. Leave it out, or turn authentication on (etcdctl auth enable).`;
  }
  if (/permission denied/u.test(said)) {
    return `does not let ${who} read and write under "${prefix}/". Grant it: etcdctl role grant-permission ROLE readwrite --prefix=true ${prefix}/`;
  }
  if (/database space exceeded/u.test(said)) {
    return "can't be written: its quota is used up. Compact and defragment it, then disarm the alarm (etcdctl compact, defrag, alarm disarm); nothing was lost.";
  }
  if (/too large|too many operations/u.test(said)) {
    return `can't take so much at once (${said}). Raise --max-request-bytes or --max-txn-ops there.`;
  }
  const isRefusal = /invalid auth token|auth: revision|no leader|too many requests|illegal base64|invalid/u;
  return isRefusal.test(said) ? `refused the request (${said}).` : null;
}

function noEtcd(said: string, where: string): EngineTrouble {
  const hint = /HTTPS/iu.test(said) ? ' It speaks TLS: add "tls_ca=FILE" to the store\'s url.' : "";
  return new EngineTrouble(
    `is no etcd 3.4 or later: what listens at ${where} answers "${said}".${hint} Correct the address in the store's url, or upgrade etcd.`,
  );
}

const NOT_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EPROTO|ERR_TLS|ERR_SSL|CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE)/u;

function lost(error: unknown, where: string): TryTrouble {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const said = error instanceof Error ? error.message : String(error);
  if (code === "ETIMEDOUT" && error instanceof Error && "event" in error) {
    const early = ["lookup", "connect", "secureConnect", "socket"].includes(String(error.event));
    const text = `does not answer (${where}: ${said}). Look at etcd there.`;
    return new TryTrouble(early ? "not sent" : "maybe done", new EngineTrouble(text, { isLost: true }));
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const trouble =
    connectionTrouble(error, where) ??
    connectionTrouble(cause, where) ??
    new EngineTrouble(`broke the connection (${where}: ${said}).`, { isLost: true }, { cause: error });
  return new TryTrouble(NOT_SENT.test(code) ? "not sent" : "maybe done", trouble);
}

function objectFrom(json: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

let loaded: Promise<Got> | null = null;

/** Loaded by who has chosen this engine. */
function client(): Promise<Got> {
  loaded ??= import("got").then(({ default: got }) => got);
  return loaded;
}
