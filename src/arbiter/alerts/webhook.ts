/**
 * Posts a message to a URL, signed as the Standard Webhooks say (`webhook-id`, `webhook-timestamp`,
 * `webhook-signature`), so that receivers can use a ready library to check it: an HMAC with SHA-256
 * over identity, time and body.
 */
import { createHmac } from "node:crypto";
import type { AlertMessage } from "./message.ts";

const TIMEOUT_MS = 10_000;
/** Of an answer that says why not. */
const SHOWN = 200;
/** How the standard writes a secret; any other text is the key as it stands. */
const PREFIX = "whsec_";

export function signatureOf(secret: string, id: string, timestamp: number, body: string): string {
  const key = secret.startsWith(PREFIX)
    ? Buffer.from(secret.slice(PREFIX.length), "base64")
    : Buffer.from(secret);
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

export async function postWebhook(
  url: string,
  secret: string | null,
  message: AlertMessage,
  wallMs: number,
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  const { default: got } = await import("got");
  const body = JSON.stringify(message);
  // At the sending of each try: a receiver may refuse what is old.
  const timestamp = Math.floor(wallMs / 1_000);
  const response = await got.post(url, {
    body,
    headers: {
      "content-type": "application/json",
      "user-agent": "arbiter-ha",
      "webhook-id": message.id,
      "webhook-timestamp": String(timestamp),
      ...(secret === null ? {} : { "webhook-signature": signatureOf(secret, message.id, timestamp, body) }),
    },
    responseType: "text",
    retry: { limit: 0 },
    throwHttpErrors: false,
    // Elsewhere the body would go unsigned for, and a secret in the address with it.
    followRedirect: false,
    timeout: { request: timeoutMs },
  });
  const { statusCode } = response;
  if (statusCode >= 200 && statusCode < 300) return;
  const said = response.body.trim().slice(0, SHOWN);
  throw new Error(`the receiver answered with status ${statusCode}${said === "" ? "" : `: ${said}`}`);
}
