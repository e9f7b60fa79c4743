/** What is sent: one message with one alert, or with several where they come faster than the rate. */
import type { Notice, NoticeKind } from "../../core/alerts.ts";
import { iso } from "../status-facts.ts";

export interface Alert {
  /** The same on each repeat and from each arbiter: who gets it twice can tell. */
  readonly id: string;
  readonly kind: NoticeKind;
  readonly subject: string;
  readonly seq: number;
  readonly type: string;
  /** When it happened, ISO 8601. */
  readonly at: string;
  /** One sentence. */
  readonly text: string;
  /** Of a recovery: the number of the event that began the trouble. */
  readonly since?: number;
  readonly service?: string;
  readonly daemon?: string;
  readonly epoch?: number;
}

export interface AlertMessage {
  /** The same on each repeat of this message. */
  readonly id: string;
  readonly cluster: string;
  /** The arbiter that sends it. */
  readonly arbiter: string;
  /** One line for people. */
  readonly text: string;
  readonly isTest: boolean;
  readonly alerts: readonly Alert[];
}

export interface Sender {
  readonly clusterId: string;
  readonly cluster: string;
  readonly arbiter: string;
}

const WORDS: Readonly<Record<NoticeKind, string>> = {
  problem: "PROBLEM",
  recovery: "RECOVERY",
  information: "INFO",
};

export function messageOf(target: string, notices: readonly Notice[], sender: Sender): AlertMessage {
  const alerts = notices.map((notice) => alertOf(notice, sender.clusterId));
  const [first] = alerts;
  const last = alerts.at(-1);
  const id = `${sender.clusterId}-${target}-${first?.seq ?? 0}-${last?.seq ?? 0}`;
  const { cluster, arbiter } = sender;
  return { id, cluster, arbiter, text: lineOf(alerts, cluster), isTest: false, alerts };
}

/** For `arbiter alert test`: marked as one, so that no program takes it for trouble. */
export function testMessage(id: string, by: string, wallMs: number, sender: Sender): AlertMessage {
  const text = `This is a test, sent by ${by}. Nothing is wrong.`;
  const alert: Alert = {
    id,
    kind: "information",
    subject: "test",
    seq: 0,
    type: "alert.test",
    at: iso(wallMs),
    text,
  };
  const { cluster, arbiter } = sender;
  return { id, cluster, arbiter, text: `[${cluster}] TEST: ${text}`, isTest: true, alerts: [alert] };
}

/** For mail and for people: one line each. */
export function bodyText({ alerts, cluster, arbiter }: AlertMessage): string {
  const lines = alerts.map(
    ({ kind, at, type, text, seq }) => `${at}  ${WORDS[kind]}  ${type} (event ${seq})\n  ${text}`,
  );
  const from = `Sent by the arbiter ${arbiter} of the cluster ${cluster}. \`arbiter status\` shows how things are now.`;
  return `${lines.join("\n\n")}\n\n-- \n${from}\n`;
}

function alertOf({ kind, subject, event, since }: Notice, clusterId: string): Alert {
  const { seq, type, atWallMs, text, service, daemon, epoch } = event;
  return {
    id: `${clusterId}-${seq}`,
    kind,
    subject,
    seq,
    type,
    at: iso(atWallMs),
    text,
    ...(since === null ? {} : { since }),
    ...(service === undefined ? {} : { service }),
    ...(daemon === undefined ? {} : { daemon }),
    ...(epoch === undefined ? {} : { epoch }),
  };
}

function lineOf(alerts: readonly Alert[], cluster: string): string {
  const worst =
    alerts.find(({ kind }) => kind === "problem") ??
    alerts.find(({ kind }) => kind === "recovery") ??
    alerts[0];
  const word = worst === undefined ? "INFO" : WORDS[worst.kind];
  const more = alerts.length > 1 ? ` (and ${alerts.length - 1} more)` : "";
  return `[${cluster}] ${word}: ${worst?.text ?? ""}${more}`;
}
