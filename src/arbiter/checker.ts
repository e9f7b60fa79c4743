/**
 * Carries out the core's `assign` effects: `PUT /v1/assignment` on a daemon, and what came of it as
 * an event. The hot path: at each interval one request and one report for every daemon, at a cost
 * that doesn't grow with their number.
 *
 * Each check ends in exactly one `reported` or `checkFailed`, except those of a daemon that is
 * forgotten. A report says whose it is: one under another name than asked for fails the check, so
 * that it is neither evidence nor a promise. A refused assignment (409) carries a report like any.
 *
 * Deadlines stand on one wheel. When it was late, this process was stalled and not the daemon: that
 * is said first, and an answer that lies in the socket already is read before a deadline counts.
 */
import type { buildConnector } from "undici";
import type { ArbiterEffect, ArbiterEvent, CheckFailure, Moment } from "../core/arbiter-io.ts";
import type { Assignment } from "../core/messages.ts";
import { expecting } from "../protocol/expected-peer.ts";
import { parseReport } from "../protocol/messages.ts";
import { nowMs } from "../shell/clock.ts";
import { TimerWheel } from "../shell/timer-wheel.ts";
import { refusedByStatus } from "./check-failure.ts";
import { Check, CheckLink, type CheckEnd } from "./check-link.ts";
import { connectors } from "./connectors.ts";
import type { Connectors } from "./connectors.ts";

type AssignEffect = Extract<ArbiterEffect, { kind: "assign" }>;
type WithoutMoment<E> = E extends unknown ? Omit<E, keyof Moment> : never;

export type CheckerEvent = WithoutMoment<
  Extract<ArbiterEvent, { kind: "reported" | "checkFailed" | "connectionClosed" | "stalled" }>
>;

/**
 * Contents of PEM files, as they are at the moment of asking; null: what Node has by default, or
 * none. Once they are others, each new connection is made with those.
 */
export interface CheckerTls {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** `hard_ssl_name_check`: whether the certificate must be for the daemon's address. */
  checksName(daemon: string): boolean;
  /** `client_cert = required`: whether the certificate must be the daemon's own. (Default: false) */
  readonly expectsOwner?: boolean;
}

export interface CheckerOptions {
  /** The cluster's token as it is now; null: none is set. */
  token(): string | null;
  /** null: the system's authorities are trusted, names are checked. */
  readonly tls: CheckerTls | null;
  push(event: CheckerEvent): void;
}

export class Checker {
  readonly #options: CheckerOptions;
  readonly #links = new Map<string, CheckLink>();
  readonly #checks = new Map<string, Check>();
  readonly #wheel: TimerWheel;
  #connectors: Connectors;
  #nextKey = 1;
  #token: string | null = null;
  #headers: readonly string[] = headersWith(null);
  #closed = false;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#connectors = connectors(options.tls);
    this.#wheel = new TimerWheel({
      onFire: (key) => {
        // The poll phase comes between: what has arrived meanwhile is read first.
        setImmediate(() => {
          this.#expire(key);
        });
      },
      onLate: (lateMs) => {
        options.push({ kind: "stalled", lateMs });
      },
    });
  }

  assign(effect: AssignEffect): void {
    if (this.#closed) return;
    // Before a byte of it is sent: what answers it was said after this (see "proof").
    const sentAtMs = nowMs();
    const { daemon, timeoutMs, assignment } = effect;
    let link: CheckLink;
    try {
      link = this.#linkFor(effect);
    } catch (error) {
      const detail = `its url ${effect.url} can't be used: ${String(error)}`;
      this.#fail(daemon, sentAtMs, "unreachable", detail);
      return;
    }
    const key = String(this.#nextKey);
    this.#nextKey++;
    const check = new Check({ daemon, to: assignment.to, sentAtMs, timeoutMs }, link, (ended, end) => {
      this.#checks.delete(key);
      this.#wheel.set(key, null);
      this.#ended(ended, end);
    });
    this.#checks.set(key, check);
    this.#wheel.set(key, sentAtMs + timeoutMs);
    link.send(check, this.#currentHeaders(), JSON.stringify(assignment satisfies Assignment));
  }

  /** The daemon left: its connections are closed, and nothing more is said of it. */
  forget(daemon: string): void {
    const link = this.#links.get(daemon);
    this.#links.delete(daemon);
    for (const [key, check] of this.#checks) {
      if (check.daemon !== daemon) continue;
      check.drop();
      this.#checks.delete(key);
      this.#wheel.set(key, null);
      if (check.link !== link) quietly(check.link.cut());
    }
    if (link !== undefined) quietly(link.cut());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wheel.close();
    const links = new Set(this.#links.values());
    for (const check of this.#checks.values()) links.add(check.link);
    this.#checks.clear();
    this.#links.clear();
    await Promise.allSettled([...links].map((link) => link.cut()));
  }

  #linkFor(effect: AssignEffect): CheckLink {
    const known = this.#links.get(effect.daemon);
    if (known !== undefined && known.url === effect.url && (!effect.fresh || known.isFresh)) return known;
    const link = new CheckLink({
      url: effect.url,
      connect: this.#connectorFor(effect.daemon),
      onClosed: () => {
        if (this.#links.get(effect.daemon) !== link) return;
        this.#options.push({ kind: "connectionClosed", daemon: effect.daemon });
      },
    });
    if (known !== undefined) quietly(known.retire());
    this.#links.set(effect.daemon, link);
    return link;
  }

  /** Chosen at each connection, not once a link: files and certificates change. */
  #connectorFor(daemon: string): buildConnector.connector {
    return (options, callback) => {
      const { tls } = this.#options;
      if (tls !== null && !this.#connectors.areOf(tls)) this.#connectors = connectors(tls);
      const { named, unnamed } = this.#connectors;
      const connect = (tls?.checksName(daemon) ?? true) ? named : unnamed;
      const checked = tls?.expectsOwner === true ? expecting(daemon, connect) : connect;
      checked(options, callback);
    };
  }

  #currentHeaders(): readonly string[] {
    const token = this.#options.token();
    if (token !== this.#token) {
      this.#token = token;
      this.#headers = headersWith(token);
    }
    return this.#headers;
  }

  #expire(key: string): void {
    const check = this.#checks.get(key);
    if (check === undefined) return;
    check.timeOut();
    // Whatever comes over it now would answer the wrong question.
    if (this.#links.get(check.daemon) === check.link) this.#links.delete(check.daemon);
    quietly(check.link.breakOff());
  }

  #ended(check: Check, end: CheckEnd): void {
    const { daemon, sentAtMs } = check;
    if (!end.ok) {
      this.#fail(daemon, sentAtMs, end.cause, end.detail);
      return;
    }
    const body = fromJson(end.text);
    const said = reportIn(end.statusCode, body);
    if (said === undefined) {
      const { cause, detail } = refusedByStatus(end.statusCode, body);
      this.#fail(daemon, sentAtMs, cause, detail);
      return;
    }
    const report = parseReport(said);
    if (!report.ok) {
      this.#fail(daemon, sentAtMs, "invalid", `its answer is no report: ${report.error}`);
    } else if (report.value.name !== check.to) {
      const detail = `${report.value.name} answers at the address of ${check.to}`;
      this.#fail(daemon, sentAtMs, "wrong-daemon", detail);
    } else {
      const isOutdated = isRefusedAsOutdated(body);
      this.#options.push({ kind: "reported", report: report.value, via: "check", sentAtMs, isOutdated });
    }
  }

  #fail(daemon: string, sentAtMs: number, cause: CheckFailure, detail: string): void {
    this.#options.push({ kind: "checkFailed", daemon, sentAtMs, cause, detail });
  }
}

/** The report that an answer carries; undefined: it carries none. */
function reportIn(statusCode: number, body: unknown): unknown {
  if (statusCode === 200) return body;
  if (statusCode !== 409 || typeof body !== "object" || body === null) return undefined;
  if ("report" in body) return body.report;
  return "bootId" in body ? body : undefined;
}

/** A later assignment was there before this one. */
function isRefusedAsOutdated(body: unknown): boolean {
  return typeof body === "object" && body !== null && "because" in body && body.because === "outdated";
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function headersWith(token: string | null): readonly string[] {
  const headers = ["content-type", "application/json", "accept", "application/json"];
  return token === null ? headers : [...headers, "authorization", `Bearer ${token}`];
}

/** Closing a connection that is broken already fails, and means nothing. */
function quietly(closing: Promise<void>): void {
  closing.catch(() => {});
}
