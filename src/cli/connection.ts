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
import { type ErrorCode, messageOf } from "../protocol/errors.ts";
import { ClearNo } from "./failure.ts";
import { httpStream, httpText, NoAnswer, type RequestTls } from "./http-request.ts";
import { nextStepOf } from "./next-step.ts";
import { standardError } from "./output.ts";
import type { ArbiterPlaces, ClientTls } from "./places.ts";

/** Time to reach a machine; a dead host costs so much before the next arbiter is tried. */
const CONNECT_MS = 1000;
/** Time for an answer. A read comes out of memory; a change is forwarded to the leader and committed first. */
const READ_MS = 3000;
const CHANGE_MS = 15_000;

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
  const headers = await authorization(places.tokenFile);
  const client: Client = { headers, tls: await secureOptions(places.tls) };
  let urls = [...places.urls];
  let isGuessSaid = false;

  const ask: Connection["ask"] = async (method, path, body) => {
    if (method !== "GET") refuseGuess(places);
    if (!isGuessSaid) sayGuess(places);
    isGuessSaid = true;
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
      `Is one running? ${places.because} \`arbiter start\` starts one; --url URL names another.${meanwhile(places)}`,
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
      httpStream({
        url: `${urls[0] ?? ""}${path}`,
        method: "GET",
        headers: { ...headers, ...more, accept: "text/event-stream" },
        connectMs: CONNECT_MS,
        totalMs: Infinity,
        tls: client.tls,
      }),
    url: () => urls[0] ?? "",
  };
}

/** The daemons are asked where their addresses are known, as `arbiter resolve` does. */
function meanwhile({ daemons }: ArbiterPlaces): string {
  return daemons.length === 0
    ? ""
    : " Holders go on meanwhile: `arbiter resolve SERVICE` asks the daemons who holds it.";
}

/** Looking does no harm; whoever looks is to know at whom. */
function sayGuess({ guess, urls }: ArbiterPlaces): void {
  if (guess === undefined) return;
  standardError.write(`arbiter: ${guess}; ${urls.join(", ")}, the default, is asked instead.\n`);
}

/** It could be another cluster that is ordered about. */
function refuseGuess({ guess, urls }: ArbiterPlaces): void {
  if (guess === undefined) return;
  throw new ClearNo(
    `${guess}, so it isn't known which arbiter is meant; nothing was asked for.`,
    `\`arbiter config check\` shows every error; or say it: --url ${urls[0] ?? "URL"}.`,
  );
}

type Attempt =
  | { readonly answer: { readonly status: number; readonly body: unknown } }
  | { readonly problem: string; readonly notSent: boolean };

interface Client {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: RequestTls;
}

async function attempt(client: Client, method: string, url: string, body: unknown): Promise<Attempt> {
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await httpText({
      url,
      method,
      headers: { ...client.headers, accept: "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      connectMs: CONNECT_MS,
      totalMs: method === "GET" ? READ_MS : CHANGE_MS,
      tls: client.tls,
    });
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return { problem: error.message, notSent: error.notSent };
  }
  try {
    const value: unknown = answer.text === "" ? null : JSON.parse(answer.text);
    return { answer: { status: answer.status, body: value } };
  } catch {
    return {
      problem: `answers something that isn't JSON (status ${answer.status}): no arbiter?`,
      notSent: false,
    };
  }
}

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "ERR_ARB_UNAUTHORIZED",
  403: "ERR_ARB_FORBIDDEN",
  404: "ERR_ARB_NOT_FOUND",
  409: "ERR_ARB_CONFLICT",
  503: "ERR_ARB_NOT_LEADER",
};

/** What a refusing answer says, and what helps. */
export function refusal(answer: Answer, hadToken: boolean): ClearNo {
  const text = problemText(answer.body) ?? `${answer.url} answered with status ${answer.status}.`;
  if (hadToken && (answer.status === 401 || answer.status === 403)) {
    return new ClearNo(
      text,
      "The token that was sent isn't the cluster's: compare the file with the arbiter's `token_file` (`arbiter config show`).",
    );
  }
  const code: unknown =
    typeof answer.body === "object" && answer.body !== null ? Reflect.get(answer.body, "code") : null;
  return new ClearNo(
    text,
    nextStepOf(code) ?? nextStepOf(BY_STATUS[answer.status]) ?? "`arbiter status` says how the cluster is.",
  );
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

async function secureOptions({ ca, cert, key }: ClientTls): Promise<RequestTls> {
  return {
    ...(ca === null ? {} : { ca: await readPem(ca) }),
    ...(cert === null ? {} : { cert: await readPem(cert) }),
    ...(key === null ? {} : { key: await readPem(key) }),
  };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new ClearNo(
      `the certificate file ${path} can't be read: ${messageOf(error)}`,
      "`arbiter config show` prints which files are used; ARBITER_TLS_CA, _CERT and _KEY name others.",
      { cause: error },
    );
  }
}
