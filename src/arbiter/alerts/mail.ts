/** Sends a message as mail. Its `Message-ID` is the message's own, so that a repeat is seen as one. */
import { hostname } from "node:os";
import { bodyText } from "./message.ts";
import type { AlertMessage } from "./message.ts";

const TIMEOUT_MS = 15_000;
/** What stands in the subject; mail programs cut longer ones. */
const SUBJECT = 150;

export interface MailPlace {
  /** `smtp://user:password@host:587`, `smtps://…`. */
  readonly smtp: string;
  readonly to: readonly string[];
  /** null: `arbiter@` this host. */
  readonly from: string | null;
}

export async function sendMail(
  { smtp, to, from }: MailPlace,
  message: AlertMessage,
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  const { createTransport } = await import("nodemailer");
  const timeouts = { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs };
  const transport = createTransport({ url: smtp, ...timeouts });
  try {
    await transport.sendMail({
      from: from ?? `arbiter@${hostname()}`,
      to: [...to],
      subject: message.text.length > SUBJECT ? `${message.text.slice(0, SUBJECT)}…` : message.text,
      text: bodyText(message),
      messageId: `<${message.id}@arbiter>`,
      headers: { "Auto-Submitted": "auto-generated", "X-Arbiter-Cluster": message.cluster },
    });
  } finally {
    transport.close();
  }
}
