/**
 * The record of callers that were turned away: no valid token, somebody else's certificate, a page
 * of another site, too many requests. Who, from where, what for, and never what was shown.
 *
 * A flood must not become a flood of records: so many at once, one each ten seconds after that, and the
 * next one says how many were left out.
 */
import type { IncomingMessage } from "node:http";
import { callerOf } from "./caller.ts";
import type { Problem } from "./problem.ts";
import { RateLimit } from "./rate-limit.ts";

const AT_ONCE = 10;
const PER_SECOND = 0.1;
const LONGEST_PATH = 200;

export interface Refusal {
  readonly text: string;
  readonly evidence: Readonly<Record<string, string | number>>;
}

export class RefusalLog {
  readonly #tell: (refusal: Refusal) => void;
  readonly #limit = new RateLimit(PER_SECOND, AT_ONCE);
  #leftOut = 0;

  constructor(tell: (refusal: Refusal) => void) {
    this.#tell = tell;
  }

  note(request: IncomingMessage, { status, code = "ERR_ARB_FORBIDDEN" }: Problem, about = ""): void {
    if (!this.#limit.allows("", performance.now())) {
      this.#leftOut += 1;
      return;
    }
    const { from, certificate, token } = callerOf(request);
    const method = request.method ?? "?";
    // Without the query: whatever stands there is nobody's business.
    const path = (request.url ?? "/").split("?", 1)[0]?.slice(0, LONGEST_PATH) ?? "/";
    const shown = [
      ...(certificate === null ? [] : [`the certificate ${certificate}`]),
      token === null ? "no token" : "a token",
    ];
    const leftOut = this.#leftOut === 0 ? "" : ` ${this.#leftOut} more before it were not recorded.`;
    const detail = about === "" ? "" : ` (${about})`;
    this.#tell({
      text: `${method} ${path} from ${from} with ${shown.join(" and ")} was refused with ${status}${detail}.${leftOut}`,
      evidence: {
        method,
        path,
        from,
        status,
        code,
        ...(certificate === null ? {} : { certificate }),
        ...(about === "" ? {} : { about }),
        ...(this.#leftOut === 0 ? {} : { leftOut: this.#leftOut }),
      },
    });
    this.#leftOut = 0;
  }
}
