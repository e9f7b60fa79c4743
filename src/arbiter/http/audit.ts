/**
 * Who did what, from where. A command that was taken says so in its own event (`operator.…`, with
 * the caller as evidence); one that was turned away at the door, or refused by the core, gets an
 * event of its own here. Secrets never get this far: a token is a fingerprint by now.
 */
import type { IncomingMessage } from "node:http";
import { RefusalLog } from "../../protocol/refusals.ts";
import type { Refusal } from "../../protocol/refusals.ts";
import type { Engine } from "../engine.ts";
import { originCaller } from "./origin.ts";

export interface Audit {
  /** No valid token, somebody else's certificate, another site's page, too many requests. */
  readonly turnedAway: RefusalLog;
  /** A command of somebody who may command, not possible as things are. */
  readonly declined: RefusalLog;
}

export function openAudit(engine: Engine, wallMs: () => number): Audit {
  const noting =
    (type: string) =>
    ({ text, evidence }: Refusal): void =>
      engine.push({ kind: "noted", event: { type, atWallMs: wallMs(), text, evidence } });
  return {
    turnedAway: new RefusalLog(noting("security.refused")),
    declined: new RefusalLog(noting("operator.refused")),
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
