/**
 * Talks to the arbiters: finds one that answers, and turns its answers into values or into a clear
 * no.
 *
 * Any arbiter will do: each answers every read, and forwards a change to the leader. A request
 * goes to the next one only when it certainly didn't arrive (refused, no such host, no route):
 * asking twice for a switchover is not the same as asking once.
 */
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Got, Method, Response } from "got";
import { messageOf } from "../protocol/errors.ts";
import { ClearNo } from "./failure.ts";
import type { ArbiterPlaces, ClientTls } from "./places.ts";

/** Time to reach a machine; a dead host costs so much before the next arbiter is tried. */
const CONNECT_MS = 1000;
const TIMEOUTS = { lookup: CONNECT_MS, connect: CONNECT_MS, secureConnect: 2 * CONNECT_MS };
/** Time for an answer. A read comes out of memory; a change is forwarded to the leader and committed first. */
const READ_MS = 3000;
const CHANGE_MS = 15_000;

/** The request has not reached anyone: the next arbiter may be asked. */
const NOT_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
]);

export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly body: unknown;
}

export interface Connection {
  readonly places: ArbiterPlaces;
  /** A JSON value of any status; rejects with a `ClearNo` when no arbiter answers. */
  ask(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer>;
  /** As `ask`, and an answer that isn't a success is a `ClearNo` with what the arbiter says. */
  demand(method: "GET" | "POST", path: string, body?: unknown): Promise<unknown>;
  /** A long answer from the arbiter that answered last. Errors come as the stream's `error`. */
  stream(path: string, headers: Record<string, string>): Readable;
  /** The arbiter that is asked first: the one that answered last. */
  url(): string;
}

export async function connect(places: ArbiterPlaces): Promise<Connection> {
  const { default: got } = await import("got");
  const headers = await authorization(places.tokenFile);
  const client = got.extend({
    throwHttpErrors: false,
    retry: { limit: 0 },
    followRedirect: false,
    timeout: TIMEOUTS,
    headers: { accept: "application/json", ...headers },
    https: await secureOptions(places.tls),
  });
  let urls = [...places.urls];

  const ask: Connection["ask"] = async (method, path, body) => {
    const failures: string[] = [];
    for (const url of urls) {
      const result = await attempt(client, method, `${url}${path}`, body);
      if ("answer" in result) {
        urls = [url, ...urls.filter((other) => other !== url)];
        return { url, ...result.answer };
      }
      failures.push(`${url}: ${result.problem}`);
      if (method !== "GET" && !result.notSent) {
        throw new ClearNo(
          `${url} was asked, but its answer was lost (${result.problem}).`,
          "Whether it was done is not known: see `arbiter status` and `arbiter events`.",
        );
      }
    }
    throw new ClearNo(
      `no arbiter answers (${failures.join("; ")}).`,
      `Is one running? ${places.because} \`arbiter start\` starts one; --url URL names another.`,
    );
  };

  return {
    places,
    ask,
    demand: async (method, path, body) => {
      const answer = await ask(method, path, body);
      if (answer.status >= 200 && answer.status < 300) return answer.body;
      throw refusal(answer, places.tokenFile !== null);
    },
    stream: (path, more) =>
      client.stream(`${urls[0] ?? ""}${path}`, {
        headers: { ...headers, ...more, accept: "text/event-stream" },
        throwHttpErrors: true,
      }),
    url: () => urls[0] ?? "",
  };
}

type Attempt =
  | { readonly answer: { readonly status: number; readonly body: unknown } }
  | { readonly problem: string; readonly notSent: boolean };

async function attempt(client: Got, method: Method, url: string, body: unknown): Promise<Attempt> {
  let response: Response<string>;
  try {
    response = await client(url, {
      method,
      responseType: "text",
      timeout: { ...TIMEOUTS, request: method === "GET" ? READ_MS : CHANGE_MS },
      ...(body === undefined ? {} : { json: body }),
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = "code" in error ? String(error.code) : "";
    const phase = "event" in error ? String(error.event) : "";
    const beforeSending = phase === "lookup" || phase === "connect" || phase === "secureConnect";
    return { problem: plainReason(code, error.message), notSent: NOT_SENT.has(code) || beforeSending };
  }
  try {
    const value: unknown = response.body === "" ? null : JSON.parse(response.body);
    return { answer: { status: response.statusCode, body: value } };
  } catch {
    return {
      problem: `answers something that isn't JSON (status ${response.statusCode}): no arbiter?`,
      notSent: false,
    };
  }
}

function plainReason(code: string, message: string): string {
  if (code === "ECONNREFUSED") return "nobody listens there";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "no such host";
  if (code === "ETIMEDOUT") return "no answer in time";
  return message;
}

/** What a refusing answer says, and what helps. */
export function refusal(answer: Answer, hadToken: boolean): ClearNo {
  const text = problemText(answer.body) ?? `${answer.url} answered with status ${answer.status}.`;
  if (answer.status === 401 || answer.status === 403) {
    return new ClearNo(
      text,
      hadToken
        ? "The token that was sent isn't the cluster's: compare the file with the arbiter's `token_file`."
        : "It wants the cluster's token: --token-file FILE, $ARBITER_TOKEN_FILE, or --config DIR with a `token_file`.",
    );
  }
  return new ClearNo(text);
}

/** The sentence of an `application/problem+json` body, or of any body with a text. */
export function problemText(body: unknown): string | null {
  if (typeof body !== "object" || body === null) return null;
  for (const key of ["detail", "text", "title"]) {
    const value: unknown = Reflect.get(body, key);
    if (typeof value === "string" && value !== "") return value;
  }
  return null;
}

async function authorization(tokenFile: string | null): Promise<Record<string, string>> {
  if (tokenFile === null) return {};
  const { TokenSource } = await import("../protocol/auth.ts");
  const source = new TokenSource(tokenFile);
  source.close();
  return { authorization: `Bearer ${source.token}` };
}

async function secureOptions({ ca, cert, key }: ClientTls): Promise<{
  readonly certificateAuthority?: string;
  readonly certificate?: string;
  readonly key?: string;
}> {
  return {
    ...(ca === null ? {} : { certificateAuthority: await readPem(ca) }),
    ...(cert === null ? {} : { certificate: await readPem(cert) }),
    ...(key === null ? {} : { key: await readPem(key) }),
  };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new ClearNo(`the certificate file ${path} can't be read: ${messageOf(error)}`, null, {
      cause: error,
    });
  }
}
