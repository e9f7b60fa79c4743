/**
 * Who did what, from where. A command of the core's says so in its own event (`operator.…`, with
 * the caller as evidence); what the core doesn't decide, what was turned away at the door, and what
 * the core refused get an event of their own here. Secrets never get this far: a token is a
 * fingerprint by now.
 *
 * An arbiter that stands by keeps such events until it leads, in its memory: so it says them in its
 * log, too.
 */
import type { IncomingMessage } from "node:http";
import { RefusalLog } from "../../protocol/refusals.ts";
import type { Refusal } from "../../protocol/refusals.ts";
import { isLeading } from "../cluster-map.ts";
import type { Engine } from "../engine.ts";
import type { ProcessLog } from "../log.ts";
import { originCaller } from "./origin.ts";

export interface Audit {
  /** No valid token, somebody else's certificate, another site's page, too many requests. */
  readonly turnedAway: RefusalLog;
  /** A command of somebody who may command, not possible as things are. */
  readonly declined: RefusalLog;
  /** What isn't the core's to decide was asked for, by somebody who may, and this came of it. */
  done(type: DoneType, request: IncomingMessage, by: string, outcome: Outcome): void;
}

export type DoneType = "operator.reload" | "operator.rollback" | "operator.alert-test";

export interface Outcome {
  /** A sentence's rest, behind who asked. */
  readonly text: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

export function openAudit(engine: Engine, log: ProcessLog, wallMs: () => number): Audit {
  const note = (type: string, text: string, evidence: Readonly<Record<string, unknown>>): void => {
    if (!isLeading(engine.state)) log.warn(text);
    engine.push({ kind: "noted", event: { type, atWallMs: wallMs(), text, evidence } });
  };
  const noting =
    (type: string) =>
    ({ text, evidence }: Refusal): void =>
      note(type, text, evidence);
  return {
    turnedAway: new RefusalLog(noting("security.refused")),
    declined: new RefusalLog(noting("operator.refused")),
    done: (type, request, by, { text, evidence }) =>
      note(type, `${by} ${text}`, { by, ...originOf(request), ...evidence }),
  };
}

/** For the event of a command. */
export function originOf(request: IncomingMessage): Readonly<Record<string, string>> {
  const { from, certificate, token, via } = originCaller(request);
  return {
    from,
    ...(via === null ? {} : { via }),
    ...(certificate === null ? {} : { certificate }),
    ...(token === null ? {} : { token }),
  };
}
