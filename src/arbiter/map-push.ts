/**
 * Sends the cluster map to whoever has an older one: each daemon and each other arbiter, so that a
 * client that reaches any of them finds the holders.
 *
 * Only the leader sends. It sends the newest map alone, whatever came between; a few at a time, and
 * no more bytes a second than leave the checks alone. One that doesn't take it is tried again later:
 * nothing that is safe rests on it.
 */
import { Agent } from "undici";
import type { ArbiterState } from "../core/arbiter-state.ts";
import { isLeading } from "./cluster-map.ts";
import type { ClusterMap } from "./cluster-map.ts";
import { connectors } from "./connectors.ts";
import type { Connectors } from "./connectors.ts";
import type { CheckerTls } from "./checker.ts";

const AT_ONCE = 4;
const ANSWER_MS = 2_000;
/** Who came back, or could not be reached, is looked for so often. */
const SWEEP_MS = 1_000;
const AGAIN_MS = 3_000;
/** One that doesn't know this route (an older version) is asked again so rarely. */
const UNKNOWN_AGAIN_MS = 60_000;
/** A cluster of a hundred services has a map of 15 KB: this binds only those with thousands. */
const BYTES_A_SECOND = 8 * 1024 * 1024;

export interface MapPushOptions {
  state(): ArbiterState;
  map(): ClusterMap | null;
  token(): string | null;
  readonly tls: CheckerTls;
  /** Somebody has a map of this version. */
  onSeen(version: number): void;
}

interface Receiver {
  readonly name: string;
  readonly url: string;
  /** A new boot has forgotten the map. */
  readonly boot: string;
  readonly checksName: boolean;
}

interface Sent {
  boot: string;
  version: number;
  notBeforeMs: number;
  isSending: boolean;
}

export class MapPush {
  readonly #options: MapPushOptions;
  readonly #sent = new Map<string, Sent>();
  readonly #agents: { readonly named: Agent; readonly unnamed: Agent };
  readonly #timer: NodeJS.Timeout;
  #connectors: Connectors;
  #body: { readonly version: number; readonly term: number; readonly bytes: Buffer } | null = null;
  #sending = 0;
  #budget = BYTES_A_SECOND;
  #isPlanned = false;

  constructor(options: MapPushOptions) {
    this.#options = options;
    this.#connectors = connectors(options.tls);
    this.#agents = { named: this.#agent(true), unnamed: this.#agent(false) };
    this.#timer = setInterval(() => {
      this.#budget = BYTES_A_SECOND;
      this.look();
    }, SWEEP_MS);
    this.#timer.unref();
  }

  /** The map may have changed. */
  look(): void {
    if (this.#isPlanned || !isLeading(this.#options.state())) return;
    this.#isPlanned = true;
    // After what is more urgent in this turn: assignments.
    setImmediate(() => {
      this.#isPlanned = false;
      this.#pump();
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#sending = Infinity;
    await Promise.all([this.#agents.named.destroy(), this.#agents.unnamed.destroy()]);
  }

  #pump(): void {
    const map = this.#options.map();
    if (map === null || !isLeading(this.#options.state())) return;
    if (this.#body === null || this.#body.version !== map.version || this.#body.term !== map.term)
      this.#body = { version: map.version, term: map.term, bytes: Buffer.from(JSON.stringify(map)) };
    const { bytes, version } = this.#body;
    const nowMs = performance.now();
    for (const receiver of receivers(this.#options.state())) {
      if (this.#sending >= AT_ONCE || this.#budget <= 0) return;
      const sent = this.#sentTo(receiver);
      if (sent.isSending || sent.version >= version || sent.notBeforeMs > nowMs) continue;
      this.#budget -= bytes.length;
      void this.#send(receiver, sent, version, bytes);
    }
  }

  #sentTo({ name, boot }: Receiver): Sent {
    const known = this.#sent.get(name);
    if (known !== undefined && known.boot === boot) return known;
    const fresh: Sent = { boot, version: -1, notBeforeMs: 0, isSending: false };
    this.#sent.set(name, fresh);
    return fresh;
  }

  async #send(receiver: Receiver, sent: Sent, version: number, bytes: Buffer): Promise<void> {
    this.#sending += 1;
    sent.isSending = true;
    const token = this.#options.token();
    try {
      const { statusCode, body } = await this.#agents[receiver.checksName ? "named" : "unnamed"].request({
        origin: new URL(receiver.url).origin,
        path: "/v1/map",
        method: "PUT",
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          "content-type": "application/json",
        },
        body: bytes,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const kept = versionIn(await body.text());
      if (statusCode === 200 && kept !== null) {
        sent.version = Math.max(version, sent.version);
        if (kept > version) this.#options.onSeen(kept);
      } else {
        const wait = statusCode === 404 || statusCode === 405 ? UNKNOWN_AGAIN_MS : AGAIN_MS;
        sent.notBeforeMs = performance.now() + wait;
      }
    } catch {
      // Its checks tell of the trouble.
      sent.notBeforeMs = performance.now() + AGAIN_MS;
    } finally {
      sent.isSending = false;
      this.#sending -= 1;
      this.look();
    }
  }

  #agent(checksName: boolean): Agent {
    return new Agent({
      connections: 1,
      pipelining: 1,
      keepAliveTimeout: 4_000,
      connect: (target, done) => {
        const { tls } = this.#options;
        if (!this.#connectors.areOf(tls)) this.#connectors = connectors(tls);
        this.#connectors[checksName ? "named" : "unnamed"](target, done);
      },
    });
  }
}

/** Who answers: whoever is silent is sent nothing until it does. */
function* receivers(state: ArbiterState): Generator<Receiver> {
  for (const { name, url } of state.model.arbiters) {
    const boot = state.leadership.met.get(name);
    if (name !== state.options.name && boot !== undefined) yield { name, url, boot, checksName: true };
  }
  for (const { spec, report, failedChecks } of state.daemons.values()) {
    if (report === null || failedChecks > 0) continue;
    yield { name: spec.name, url: spec.url, boot: report.bootId, checksName: spec.hardSslNameCheck };
  }
}

function versionIn(text: string): number | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("version" in value)) return null;
    return typeof value.version === "number" && Number.isSafeInteger(value.version) ? value.version : null;
  } catch {
    return null;
  }
}
