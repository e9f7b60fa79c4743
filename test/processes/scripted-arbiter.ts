/**
 * A small real arbiter for tests of daemons: it speaks the protocol over HTTP, assigns what the
 * test says, renews as long as the test wants it to, and remembers what it was told. It decides
 * nothing and keeps no rule: breaking them is what some tests are about.
 */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { Assignment, Candidate, Report, ServiceAssignment } from "../../src/core/messages.ts";
import { parseReport } from "../../src/protocol/messages.ts";
import { portOf } from "./library-processes.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Record<string, unknown>;
}

export interface Offer {
  readonly service: string;
  readonly epoch: number;
  readonly cleared?: number;
  readonly leaseMs?: number;
  readonly drain?: boolean;
  readonly candidates?: readonly Candidate[];
  readonly bootId?: string;
}

export class ScriptedArbiter {
  readonly #server: Server;
  readonly url: string;
  readonly #term = 1;
  #seq = 0;
  /** Unasked ones, in the order of their arrival. */
  readonly reports: Report[] = [];
  readonly authorizations: (string | undefined)[] = [];
  /** The newest of each daemon, however it came. */
  readonly newest: Map<string, Report> = new Map<string, Report>();
  #renewing: NodeJS.Timeout | null = null;

  constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${portOf(server)}`;
  }

  static async start(): Promise<ScriptedArbiter> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const report = reportIn(JSON.parse(Buffer.concat(chunks).toString("utf8")));
        arbiter.authorizations.push(request.headers.authorization);
        arbiter.reports.push(report);
        arbiter.#note(report);
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const arbiter = new ScriptedArbiter(server);
    return arbiter;
  }

  /** An assignment with the newest nonce; null services: a probe. */
  assignmentFor(name: string, offers: readonly Offer[] | null, nonce?: string | null): Assignment {
    const known = this.newest.get(name);
    this.#seq += 1;
    return {
      protocol: 1,
      clusterId: "cluster-1",
      to: name,
      leader: { name: "arbiter-1", url: this.url },
      arbiters: [{ name: "arbiter-1", url: this.url }],
      term: this.#term,
      seq: this.#seq,
      mapVersion: 1,
      clockDrift: 0.01,
      nonce: nonce === undefined ? (known?.nonce ?? null) : nonce,
      services: offers === null ? null : offers.map((offer) => fill(offer, known)),
    };
  }

  /** One check. The report of the answer becomes the newest. */
  async check(url: string, name: string, offers: readonly Offer[] | null): Promise<Report> {
    const answer = await put(`${url}/v1/assignment`, this.assignmentFor(name, offers));
    if (answer.status !== 200) throw new Error(`check: ${answer.status} ${JSON.stringify(answer.body)}`);
    const report = reportIn(answer.body);
    this.#note(report);
    return report;
  }

  /** Assigns, and renews every `everyMs` until told otherwise. */
  async hold(url: string, name: string, offers: readonly Offer[], everyMs = 100): Promise<void> {
    await this.check(url, name, null);
    this.letGo();
    const once = async (): Promise<void> => {
      await this.check(url, name, offers).catch(() => {});
    };
    await once();
    this.#renewing = setInterval(() => void once(), everyMs);
  }

  letGo(): void {
    if (this.#renewing !== null) clearInterval(this.#renewing);
    this.#renewing = null;
  }

  async close(): Promise<void> {
    this.letGo();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #note(report: Report): void {
    const known = this.newest.get(report.name);
    if (known === undefined || known.bootId !== report.bootId || report.seq > known.seq) {
      this.newest.set(report.name, report);
    }
  }
}

/** The real guard: what a daemon says has to be of the protocol. */
function reportIn(value: unknown): Report {
  const parsed = parseReport(value);
  if (!parsed.ok) throw new Error(`This is no report: ${parsed.error}`);
  return parsed.value;
}

function fill(offer: Offer, known: Report | undefined): ServiceAssignment {
  return {
    service: offer.service,
    epoch: offer.epoch,
    cleared: offer.cleared ?? offer.epoch - 1,
    bootId: offer.bootId ?? known?.bootId ?? "unknown",
    leaseMs: offer.leaseMs ?? 1200,
    drain: offer.drain ?? false,
    candidates: { version: 1, list: offer.candidates ?? [] },
    config: { greeting: "hello" },
  };
}

export async function put(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  method: "PUT" | "POST" = "PUT",
): Promise<Answer> {
  const request: RequestInit = {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
  return await read(await fetch(url, request));
}

export async function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return await read(await fetch(url, { headers }));
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const contentType = response.headers.get("content-type") ?? "";
  const parsed: unknown = contentType.includes("json") ? JSON.parse(text) : { text };
  const body = typeof parsed === "object" && parsed !== null ? { ...parsed } : { parsed };
  return { status: response.status, contentType, body };
}
