/**
 * A scripted daemon: a small HTTP server that speaks the protocol's daemon side and does what the
 * test says. It obeys assignments unless it is told to be unhealthy, silent or stubborn.
 */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Assignment, DaemonPhase, Report } from "../../src/core/messages.ts";
import { MapKeeper } from "../../src/daemon/map-keeper.ts";
import { parseAssignment } from "../../src/protocol/messages.ts";

export class ScriptedDaemon {
  readonly name: string;
  readonly role: "master" | "spare";
  readonly port: number;
  /** Every assignment that came, newest last. */
  readonly assignments: Assignment[] = [];
  /** What it keeps of the maps that came; a crash forgets it. */
  map: MapKeeper = new MapKeeper();
  /** Token that it wants; null: none. */
  token: string | null = null;
  healthy = true;
  ready = true;
  /** What it says is left of its lease. */
  leaseRemainingMs = 1_000;
  /** Where it listens. */
  address = "127.0.0.1";
  /** The arbiter that it doesn't hear, as if the cable between them were cut; null: none. */
  deafTo: string | null = null;
  /** false: it answers nobody, as if its machine were gone. */
  answers = true;
  bootId: string;
  clusterId: string | null = null;
  held: { service: string; epoch: number } | null = null;
  state: DaemonPhase = "waiting";
  readonly seenEpochs: Record<string, number> = {};
  #seq = 0;
  #term = 0;
  #boots = 1;
  #server: Server | null = null;

  constructor(name: string, role: "master" | "spare", port: number) {
    this.name = name;
    this.role = role;
    this.port = port;
    this.bootId = `${name}-boot-1`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    this.#server = server;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    server.once("error", reject);
    server.listen(this.port, this.address, () => resolve(undefined));
    await promise;
  }

  /** As `kill -9`: the port is closed, what it held is gone. */
  async crash(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.#boots += 1;
    this.bootId = `${this.name}-boot-${this.#boots}`;
    this.#seq = 0;
    this.held = null;
    this.state = "waiting";
    this.map = new MapKeeper();
    if (server === null) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    server.close(() => resolve(undefined));
    server.closeAllConnections();
    await promise;
  }

  report(): Report {
    this.#seq += 1;
    return {
      protocol: 1,
      clusterId: this.clusterId,
      name: this.name,
      stateId: `${this.name}-state`,
      type: "scheduler",
      role: this.role,
      bootId: this.bootId,
      seq: this.#seq,
      nonce: `${this.bootId}.${performance.now()}.tag`,
      term: this.#term,
      state: this.state,
      healthy: this.healthy,
      ready: this.ready,
      reason: this.healthy ? (this.ready ? "" : "told not to be ready") : "told to be unhealthy",
      launched: false,
      configVersion: "",
      dataVersion: 0,
      services:
        this.held === null
          ? []
          : [
              {
                ...this.held,
                state: "active",
                leaseRemainingMs: this.leaseRemainingMs,
                candidatesVersion: this.#setVersion(),
              },
            ],
      seenEpochs: this.seenEpochs,
      promises: [],
      refusesExpiryForMs: 0,
      refusals: [],
    };
  }

  #setVersion(): number {
    const services = this.assignments.at(-1)?.services ?? [];
    return services.find(({ service }) => service === this.held?.service)?.candidates.version ?? 0;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.answers) return;
    if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`) {
      response.writeHead(401).end();
      return;
    }
    let text = "";
    for await (const chunk of request) text += String(chunk);
    if (request.url === "/v1/map") {
      const kept = this.map.offer(JSON.parse(text));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ version: kept }));
      return;
    }
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
      return;
    }
    const assignment = parseAssignment(JSON.parse(text));
    if (!assignment.ok || request.method !== "PUT" || request.url !== "/v1/assignment") {
      response.writeHead(400).end();
      return;
    }
    if (assignment.value.leader.name === this.deafTo) return;
    this.#obey(assignment.value);
    const body = JSON.stringify(this.report());
    response.writeHead(200, { "content-type": "application/json" }).end(body);
  }

  #obey(assignment: Assignment): void {
    this.assignments.push(assignment);
    this.clusterId = assignment.clusterId;
    this.#term = Math.max(this.#term, assignment.term);
    if (assignment.services === null) return;
    const { held } = this;
    const wanted = assignment.services.find(({ drain, bootId }) => !drain && bootId === this.bootId);
    if (wanted === undefined) {
      this.held = null;
      this.state = "waiting";
      return;
    }
    const isNew = held?.service !== wanted.service || held.epoch !== wanted.epoch;
    // No lease without a nonce of this boot, and no epoch twice.
    if (isNew && !(assignment.nonce ?? "").startsWith(this.bootId)) return;
    if (isNew && (this.seenEpochs[wanted.service] ?? -1) >= wanted.epoch) return;
    this.held = { service: wanted.service, epoch: wanted.epoch };
    this.seenEpochs[wanted.service] = wanted.epoch;
    this.state = "active";
  }
}
