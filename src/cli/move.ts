/**
 * What switchover, failover and failback share: ask for the move, wait until it has happened, and
 * say for how long nobody held the service, and what excludes that two did.
 *
 * That it has happened is read from the service itself: held, at a higher epoch than before the
 * request. The events in between are progress for whoever watches; nothing is decided by them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { ServiceStatus } from "../arbiter/status.ts";
import type { Connection } from "./connection.ts";
import { connect } from "./connection.ts";
import { timeoutOption } from "./duration.ts";
import { eventText, readEvents } from "./event-lines.ts";
import { ClearNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withJson } from "./options.ts";
import { durationText, printJson, standardError, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";
import { readAccepted } from "./order.ts";
import { readStatus, serviceIn } from "./wire.ts";

export type MoveVerb = "switchover" | "failover" | "failback";

export interface MoveOptions extends ConnectionOptions, PrintOptions {
  readonly to?: string;
  readonly force?: boolean;
  readonly evenIfAlive?: boolean;
  readonly wait: boolean;
  readonly timeout: number;
}

/** How often the arbiter is asked how far it is. */
const LOOK_EVERY_MS = 50;

export function withMove(command: Command): Command {
  command
    .option("--no-wait", "return as soon as the arbiter has accepted it")
    .addOption(timeoutOption("how long to wait for it", "2m"));
  return withConnection(withJson(command));
}

interface Moved {
  readonly verb: MoveVerb;
  readonly service: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly epoch: number;
  /** From when the old holder was last known to be active until the new one was; null: not measured. */
  readonly gapMs: number | null;
  /** What kind of measure that is. */
  readonly gapIs: ServiceStatus["lastGapIs"];
  /** null: not known. */
  readonly overlapMs: ServiceStatus["lastOverlapMs"];
  /** What excludes an overlap. */
  readonly overlapIs: ServiceStatus["lastOverlapIs"];
  /** From the request until the new holder was active. */
  readonly tookMs: number;
}

export async function move(verb: MoveVerb, name: string, options: MoveOptions): Promise<void> {
  const connection = await connect(await findPlaces(options));
  const before = serviceIn(await readStatus(connection), name);
  const startedMs = performance.now();
  const accepted = readAccepted(
    await connection.demand("POST", `/v1/services/${encodeURIComponent(name)}/${verb}`, {
      by: requester(),
      ...(options.to === undefined ? {} : { to: options.to }),
      ...(options.force === true ? { force: true } : {}),
      ...(options.evenIfAlive === true ? { evenIfAlive: true } : {}),
    }),
  );
  if (!options.wait) {
    if (options.json === true) printJson({ verb, service: name, event: accepted.event, text: accepted.text });
    else standardOutput.write(`${accepted.text}\n`);
    return;
  }
  const after = await new MoveWatch(connection, before, accepted.event).untilMoved(options.timeout);
  const moved: Moved = {
    verb,
    service: name,
    from: before.holder,
    to: after.holder,
    epoch: after.epoch,
    gapMs: after.lastGapMs,
    gapIs: after.lastGapIs,
    overlapMs: after.lastOverlapMs,
    overlapIs: after.lastOverlapIs,
    tookMs: Math.round(performance.now() - startedMs),
  };
  if (options.json === true) printJson(moved);
  else standardOutput.write(`${movedText(moved)}\n`);
}

function movedText(moved: Moved): string {
  const { service, from, to, epoch, tookMs } = moved;
  const what =
    from === null || from === to ? `${service} is held by ${to}` : `${service} moved from ${from} to ${to}`;
  return `${what} at epoch ${epoch}, after ${durationText(tookMs)}; ${gapOf(moved)}${overlapOf(moved)}`;
}

function gapOf({ gapMs, gapIs, from }: Moved): string {
  if (gapMs === null) return "for how long nobody held it is not known";
  const gap = durationText(gapMs);
  if (gapIs === "at-least") return `nobody held it for at least ${gap} (${from} had been started anew)`;
  if (gapIs === "at-most")
    return `nobody held it for ${gap} at most, counted from the last answer of ${from}`;
  return `nobody held it for ${gap}`;
}

function overlapOf({ overlapIs, from, to }: Moved): string {
  if (from === null || from === to) return "";
  switch (overlapIs) {
    case "proof":
      return `, and at no instant did both: ${from} had said that it had let go before ${to} was told`;
    case "lease":
      return `, and at no instant did both: every lease of ${from} had ended before ${to} was told`;
    case "unknown":
    case null:
      return "; whether both held it at one time is not known";
  }
}

/** Looks at the service until it has been moved. */
class MoveWatch {
  readonly #connection: Connection;
  readonly #before: ServiceStatus;
  #shownUpTo: number | null;
  #phase: string;

  constructor(connection: Connection, before: ServiceStatus, acceptedAt: number | null) {
    this.#connection = connection;
    this.#before = before;
    this.#shownUpTo = acceptedAt;
    this.#phase = before.phase;
  }

  async untilMoved(timeoutMs: number): Promise<ServiceStatus> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      // A moment without an answer (the lead moves) is no reason to give up before the time is over.
      const { service, refusal } = await this.#look();
      if (service !== null && service.epoch > this.#before.epoch && service.phase === "held") return service;
      if (service !== null) this.#refuseIfKept(service);
      if (performance.now() > deadlineMs) {
        throw new ClearNo(
          `${this.#before.name} has not been moved after ${durationText(timeoutMs)}: ${refusal ?? `it is ${service?.phase ?? "unknown"}`}.`,
          "The request stands. `arbiter status` says what it waits for.",
        );
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #look(): Promise<{ service: ServiceStatus | null; refusal: string | null }> {
    try {
      await this.#showProgress();
      return { service: serviceIn(await readStatus(this.#connection), this.#before.name), refusal: null };
    } catch (error) {
      if (!(error instanceof ClearNo)) throw error;
      return { service: null, refusal: error.message };
    }
  }

  /** It began to move and went back: the holder answered, at its own epoch, before it was over. */
  #refuseIfKept(service: ServiceStatus): void {
    const wasUnderWay = this.#phase !== "held";
    this.#phase = service.phase;
    if (!wasUnderWay || this.#before.phase !== "held") return;
    if (service.phase !== "held" || service.epoch !== this.#before.epoch) return;
    throw new ClearNo(
      `${service.name} was not moved: ${service.holder} still holds it at epoch ${service.epoch} (${service.reason}).`,
      `\`arbiter events --service ${service.name}\` has the details.`,
    );
  }

  async #showProgress(): Promise<void> {
    if (!standardError.isTerminal || this.#shownUpTo === null) return;
    for (const event of await readEvents(this.#connection, { after: this.#shownUpTo, limit: 100 })) {
      this.#shownUpTo = event.seq;
      if (event.service === this.#before.name) standardError.write(eventText(event, standardError));
    }
  }
}
