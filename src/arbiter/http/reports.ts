/**
 * `POST /v1/reports`: a daemon's unasked report. It is what makes the fast cases fast (a crash seen
 * by the launcher, a finished drain), so it is served by a plain function in front of express.
 *
 * It is a report like any other: the core judges it by boot, order and epoch. Here it is only
 * decided whether it may be heard: the token, the size, the form, a daemon of the configuration,
 * not too many of one daemon, and not too many from where there came none of any daemon.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { CHALLENGE, pageOf, refusePage } from "../../protocol/auth.ts";
import { readJson } from "../../protocol/body.ts";
import { certificateName, refuseCaller } from "../../protocol/caller.ts";
import { parseReport } from "../../protocol/messages.ts";
import { problem, sendProblem } from "../../protocol/problem.ts";
import type { Problem } from "../../protocol/problem.ts";
import type { Api } from "./api.ts";
import { BODY_LIMIT_BYTES } from "./arguments.ts";
import { RateLimit } from "../../protocol/rate-limit.ts";

/** A change of state is rare: a program that crashes and restarts without pause makes some four a second. */
const REPORTS_PER_SECOND = 20;
const REPORTS_AT_ONCE = 40;

/** From one address, that were no report of anybody here: their bodies cost more than they are worth. */
const STRANGERS_PER_SECOND = 20;
const STRANGERS_AT_ONCE = 100;
/** Addresses that are counted, so that strangers can't fill the memory. */
const MOST_ADDRESSES = 1_000;

/** Why it isn't taken. */
interface Refused {
  readonly problem: Problem;
  /** Whoever it says it is of, where that counts for the record; null: it isn't recorded. */
  readonly about: string | null;
  /** The rest of the body was not read. */
  readonly close: boolean;
}

export class ReportReceiver {
  readonly #api: Api;
  readonly #limit = new RateLimit(REPORTS_PER_SECOND, REPORTS_AT_ONCE);
  readonly #strangers = new RateLimit(STRANGERS_PER_SECOND, STRANGERS_AT_ONCE, MOST_ADDRESSES);

  constructor(api: Api) {
    this.#api = api;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refused = this.#refuseUnread(request) ?? (await this.#take(request));
    if (refused === null) {
      response.writeHead(204);
      response.end();
      return;
    }
    const { problem: why, about, close } = refused;
    if (about !== null) this.#api.audit.turnedAway.note(request, why, about);
    sendProblem(response, why, {
      ...(why.status === 401 ? CHALLENGE : {}),
      ...(why.status === 429 ? { "retry-after": "1" } : {}),
      // The body is not read: the connection can't be used again.
      ...(close ? { connection: "close" } : {}),
    });
  }

  #refuseUnread(request: IncomingMessage): Refused | null {
    const { headers } = request;
    // A report is proof: a page that could send one under a name of its own would end a lease.
    const denied = refusePage(pageOf(headers)) ?? this.#api.access.refuseChange(headers.authorization);
    if (denied !== null) return { problem: denied, about: "", close: true };
    const from = addressOf(request);
    if (!this.#strangers.isSpent(from, performance.now())) return null;
    const detail = `${from} has sent many requests that were no report of a daemon here. Ask again in a moment.`;
    return { problem: tooMany(detail), about: "", close: true };
  }

  async #take(request: IncomingMessage): Promise<Refused | null> {
    const { engine, asksNames } = this.#api;
    const body = await readJson(request, BODY_LIMIT_BYTES);
    if (!body.ok) return this.#stranger(request, { problem: body.problem, about: null, close: body.close });
    const report = parseReport(body.value);
    if (!report.ok) {
      const detail = `This is no report: ${report.error}.`;
      const malformed = problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" });
      return this.#stranger(request, { problem: malformed, about: null, close: false });
    }
    const { name } = report.value;
    if (asksNames && certificateName(request) !== name) {
      const another = refuseCaller(request, `the report is ${name}'s`);
      return this.#stranger(request, { problem: another, about: "", close: false });
    }
    // Only names of the configuration get a counter, so that strangers can't fill the memory.
    if (!engine.state.daemons.has(name)) {
      const detail = `${name} is not in this arbiter's configuration. Add its file, or correct its name.`;
      const unknown = problem(404, "Not Found", detail, { code: "ERR_ARB_NOT_FOUND" });
      return this.#stranger(request, { problem: unknown, about: null, close: false });
    }
    // Its own fault alone: it doesn't count against the others at its address.
    if (!this.#limit.allows(name, performance.now())) {
      const detail = `${name} reports more than ${REPORTS_PER_SECOND} times a second.`;
      return { problem: tooMany(detail), about: name, close: false };
    }
    engine.push({ kind: "reported", report: report.value, via: "unasked", sentAtMs: null });
    return null;
  }

  #stranger(request: IncomingMessage, refused: Refused): Refused {
    this.#strangers.allows(addressOf(request), performance.now());
    return refused;
  }
}

function tooMany(detail: string): Problem {
  return problem(429, "Too Many Requests", detail, { code: "ERR_ARB_TOO_MANY_REQUESTS" });
}

function addressOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? "";
}
