/**
 * Who may ask: bearer tokens from a file, the read token, and the rule for addresses.
 *
 * A token file holds one token a line, two at most: to rotate, add the new one, wait until every
 * machine has it, remove the old one. It is read again within a second of a change; a change that
 * can't be used leaves the tokens that were valid in force and is told to `onProblem`. Tokens are
 * compared by hash and in constant time, are never logged, and never stand in an error.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { ArbiterError, messageOf } from "./errors.ts";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";

/** RFC 6750's alphabet; at least 8 characters, so that a stray word in the file is no token. */
const TOKEN = /^[A-Za-z0-9\-._~+/]{8,1024}=*$/u;
const MOST_TOKENS = 2;
/** How soon a changed file is noticed. */
const LOOK_EVERY_MS = 1_000;

/** The tokens of one file, followed as it changes. */
export class TokenSource {
  readonly path: string;
  #tokens: readonly string[];
  #digests: readonly Buffer[] = [];
  #seen = "";
  #looking = false;
  readonly #timer: NodeJS.Timeout;
  readonly #onProblem: (text: string) => void;

  /** Throws `ERR_ARB_TOKEN_FILE` if the file can't be used now. */
  constructor(path: string, onProblem: (text: string) => void = () => {}) {
    this.path = path;
    this.#onProblem = onProblem;
    this.#tokens = readTokens(path);
    this.#digests = this.#tokens.map((token) => digest(token));
    if ((statSync(path).mode & 0o007) !== 0) {
      onProblem(`Everybody on this machine may read the token file ${path}: \`chmod 600\` it.`);
    }
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** The token to send: the file's first. */
  get token(): string {
    return this.#tokens[0] ?? "";
  }

  accepts(presented: string): boolean {
    const candidate = digest(presented);
    let accepted = false;
    // No early return: the time taken says nothing about which token matched.
    for (const valid of this.#digests) accepted = timingSafeEqual(candidate, valid) || accepted;
    return accepted;
  }

  /** Reads the file again if it has changed. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const { mtimeMs, size, ino } = await stat(this.path);
      const seen = `${mtimeMs} ${size} ${ino}`;
      if (seen === this.#seen) return;
      this.#seen = seen;
      const tokens = readTokens(this.path);
      this.#digests = tokens.map((token) => digest(token));
      this.#tokens = tokens;
    } catch (error) {
      const text = `${messageOf(error)} The tokens read before stay valid.`;
      if (this.#seen !== text) this.#onProblem(text);
      this.#seen = text;
    } finally {
      this.#looking = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function readTokens(path: string): readonly string[] {
  const fail = (why: string, cause?: unknown): ArbiterError =>
    new ArbiterError("ERR_ARB_TOKEN_FILE", `The token file ${path} ${why}`, { cause });
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    throw fail(`can't be read (${messageOf(error)}). Create it, or correct \`token_file\`.`, error);
  }
  const tokens = content
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (tokens.length === 0 || tokens.length > MOST_TOKENS) {
    throw fail(`holds ${tokens.length} lines with a token; write one token a line, one or two of them.`);
  }
  const bad = tokens.findIndex((token) => !TOKEN.test(token));
  if (bad !== -1) {
    throw fail(
      `holds something in line ${bad + 1} that is no token: ` +
        "8 to 1024 letters, digits and -._~+/ are, for example the output of `openssl rand -hex 32`.",
    );
  }
  return tokens;
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** The token of an `Authorization` header; null: there is none. */
export function bearerOf(header: string | undefined): string | null {
  const match = /^bearer +(\S+)\s*$/iu.exec(header ?? "");
  return match?.[1] ?? null;
}

/** Who may change and who may read. */
export class Access {
  readonly #token: TokenSource | null;
  readonly #readToken: TokenSource | null;

  constructor(token: TokenSource | null, readToken: TokenSource | null) {
    this.#token = token;
    this.#readToken = readToken;
  }

  get isOpen(): boolean {
    return this.#token === null;
  }

  /** The token to send to others; null: none is set. */
  get token(): string | null {
    return this.#token?.token ?? null;
  }

  /** null: it may; else the problem to answer with. */
  refuseChange(authorization: string | undefined): Problem | null {
    if (this.#token === null) return null;
    const presented = bearerOf(authorization);
    return presented !== null && this.#token.accepts(presented) ? null : unauthorized(presented);
  }

  /** Reads are open unless a read token is set; whoever may change may also read. */
  refuseRead(authorization: string | undefined): Problem | null {
    if (this.#readToken === null) return null;
    const presented = bearerOf(authorization);
    if (presented !== null) {
      const mayRead = this.#readToken.accepts(presented);
      if ((this.#token?.accepts(presented) ?? false) || mayRead) return null;
    }
    return unauthorized(presented);
  }

  close(): void {
    this.#token?.close();
    this.#readToken?.close();
  }
}

/** The header that goes with a 401. */
export const CHALLENGE: Readonly<Record<string, string>> = {
  "www-authenticate": 'Bearer realm="arbiter"',
};

function unauthorized(presented: string | null): Problem {
  const detail =
    presented === null
      ? "Send the cluster's token: `Authorization: Bearer TOKEN` (--token-file, $ARBITER_TOKEN_FILE)."
      : "This token is not valid here. Compare the token files of both machines.";
  return problem(401, "Unauthorized", detail, { code: "ERR_ARB_UNAUTHORIZED" });
}

/** 127.0.0.0/8, ::1, the same in IPv6's clothes, and `localhost`. A name is not looked up. */
export function isLoopback(address: string): boolean {
  const bare = address.replace(/^\[(.*)\]$/u, "$1").toLowerCase();
  if (bare === "localhost" || bare.endsWith(".localhost")) return true;
  if (isIP(bare) === 4) return bare.startsWith("127.");
  if (isIP(bare) !== 6) return false;
  if (bare.startsWith("::ffff:127.")) return true;
  return new URL(`http://[${bare}]`).hostname === "[::1]";
}

/** The rule for addresses: null, or why nobody may listen there. Throwing it is the caller's part. */
export function refuseOpenBind(bind: {
  readonly address: string;
  readonly hasToken: boolean;
  readonly insecure: boolean;
}): ArbiterError | null {
  if (bind.hasToken || bind.insecure || isLoopback(bind.address)) return null;
  return new ArbiterError(
    "ERR_ARB_OPEN_BIND",
    `Refused to listen at ${bind.address}: it isn't loopback and no token is set, so anyone who ` +
      "reaches it could move services. Write `token_file = FILE` into [security] of arbiter.cfg (make the " +
      "file with `openssl rand -hex 32`), the same file on every machine; or, if the network is " +
      "trusted whatever happens, `insecure = 1`.",
  );
}

/** Whether a request comes from a page of another site, or under a name that isn't ours (DNS rebinding). */
export function refuseForeignPage(headers: {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly site: string | undefined;
}): Problem | null {
  const foreign =
    (headers.site !== undefined && !["same-origin", "none"].includes(headers.site)) ||
    (headers.origin !== undefined && hostOf(headers.origin) !== (headers.host ?? "").toLowerCase());
  if (!foreign) return null;
  return problem(
    403,
    "Forbidden",
    "A page of another site may not change anything here. Use `arbiter` or a client that sends no Origin.",
    { code: "ERR_ARB_FORBIDDEN" },
  );
}

/**
 * Where arbiters and daemons alone call, no page has any business, not even one of ours: under a
 * name that was made to resolve to this address (DNS rebinding) any page would pass for one.
 * A browser names the origin in every request that could change something.
 */
export function refusePage(headers: {
  readonly origin: string | undefined;
  readonly site: string | undefined;
}): Problem | null {
  const isPage = headers.origin !== undefined || (headers.site !== undefined && headers.site !== "none");
  if (!isPage) return null;
  return problem(403, "Forbidden", "Arbiters and daemons call this, and no page in a browser.", {
    code: "ERR_ARB_FORBIDDEN",
  });
}

/** The two headers by which a browser says whose page asks. */
export function pageOf(headers: IncomingHttpHeaders): {
  readonly origin: string | undefined;
  readonly site: string | undefined;
} {
  const { origin, "sec-fetch-site": site } = headers;
  return { origin, site };
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
