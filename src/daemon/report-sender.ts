/**
 * Sends reports that nobody asked for. They are what makes the fast cases fast: a crash, a finished
 * drain, a failed activation reaches the leader in one round trip instead of at the next check.
 *
 * Each known arbiter has a slot with the newest report that it hasn't got. A newer one replaces it
 * (a report says everything; old ones are worthless), an undelivered one is tried again for a short
 * while, and one that an answered check has overtaken is dropped. Losing all of them is safe: the
 * next check brings the same.
 */
import { Agent } from "undici";
import type { Report } from "../core/messages.ts";
import type { CallOptions } from "./calls.ts";
import { bearerHeaders, connectorOf } from "./calls.ts";

/** A connection that the arbiter closed while it was idle fails at once: the first retry is short. */
const RETRY_AFTER_MS = [5, 50, 100, 250, 500, 1000, 2000] as const;
/** An arbiter that is frozen must not hold up the next report for longer. */
const ANSWER_TIMEOUT_MS = 1000;
/** Kept for as long as an arbiter's server keeps it, so that a crash finds it open. */
const KEEP_ALIVE_MS = 60_000;

interface Slot {
  readonly url: string;
  report: Report | null;
  isSending: boolean;
  attempt: number;
  retry: NodeJS.Timeout | null;
}

export class ReportSender {
  readonly #slots = new Map<string, Slot>();
  readonly #agent: Agent;
  readonly #options: CallOptions;
  readonly #onSent: (wasDelivered: boolean) => void;
  #leader: string | null = null;
  #known = "";
  #idle: PromiseWithResolvers<void> | null = null;

  constructor(options: CallOptions, onSent: (wasDelivered: boolean) => void) {
    this.#options = options;
    this.#onSent = onSent;
    this.#agent = new Agent({
      connections: 1,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      connect: connectorOf(options, ANSWER_TIMEOUT_MS),
    });
  }

  /** The arbiters as they are now known. Those not listed any more get nothing more. */
  setArbiters(urls: readonly string[], leader: string | null): void {
    // Said with each assignment, and nearly always the same.
    const known = [leader, ...urls].join(" ");
    if (known === this.#known) return;
    this.#known = known;
    this.#leader = leader;
    const wanted = new Set(urls.map((url) => originOf(url)).filter((url) => url !== null));
    for (const [url, slot] of this.#slots) {
      if (wanted.has(url)) continue;
      dropReport(slot);
      this.#slots.delete(url);
    }
    for (const url of wanted) {
      if (this.#slots.has(url)) continue;
      this.#slots.set(url, { url, report: null, isSending: false, attempt: 0, retry: null });
    }
  }

  send(report: Report): void {
    const slots = [...this.#slots.values()];
    const leader = this.#leader === null ? null : originOf(this.#leader);
    // The leader's bytes leave first: it alone decides.
    slots.sort((a, b) => Number(b.url === leader) - Number(a.url === leader));
    for (const slot of slots) {
      dropReport(slot);
      slot.report = report;
      slot.attempt = 0;
      void this.#deliver(slot);
    }
  }

  /** An answered check carried a report that is newer than all that wait. */
  overtake(): void {
    for (const slot of this.#slots.values()) if (!slot.isSending) dropReport(slot);
    this.#settle();
  }

  /** Resolves when every arbiter has the newest report, was given up, or the time is over. */
  async flush(timeoutMs: number): Promise<void> {
    this.#idle = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.#idle?.resolve(), timeoutMs);
    this.#settle();
    await this.#idle.promise;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    for (const slot of this.#slots.values()) dropReport(slot);
    this.#slots.clear();
    await this.#agent.destroy();
  }

  async #deliver(slot: Slot): Promise<void> {
    const { report } = slot;
    if (report === null || slot.isSending) return;
    slot.isSending = true;
    const outcome = await this.#post(slot.url, report);
    slot.isSending = false;
    this.#onSent(outcome === "delivered");
    if (slot.report !== null && slot.report !== report) {
      slot.attempt = 0;
      void this.#deliver(slot);
    } else if (slot.report !== null) {
      if (outcome === "failed") this.#retryLater(slot);
      else slot.report = null;
    }
    this.#settle();
  }

  #retryLater(slot: Slot): void {
    const afterMs = RETRY_AFTER_MS[slot.attempt];
    slot.attempt += 1;
    if (afterMs === undefined) {
      slot.report = null;
      return;
    }
    slot.retry = setTimeout(() => {
      slot.retry = null;
      void this.#deliver(slot);
    }, afterMs);
  }

  /** An arbiter that refuses it (another cluster, a token) won't take it a moment later either. */
  async #post(url: string, report: Report): Promise<"delivered" | "refused" | "failed"> {
    try {
      const { body, statusCode } = await this.#agent.request({
        origin: url,
        path: "/v1/reports",
        method: "POST",
        headers: { ...bearerHeaders(this.#options), "content-type": "application/json" },
        body: JSON.stringify(report),
      });
      await body.dump();
      if (statusCode < 300) return "delivered";
      return statusCode < 500 ? "refused" : "failed";
    } catch {
      return "failed";
    }
  }

  #settle(): void {
    for (const slot of this.#slots.values()) if (slot.report !== null || slot.isSending) return;
    this.#idle?.resolve();
  }
}

function dropReport(slot: Slot): void {
  slot.report = null;
  if (slot.retry !== null) clearTimeout(slot.retry);
  slot.retry = null;
}

/** Null where an arbiter gave a url that is none: it can't be reached then. */
function originOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).origin : null;
}
