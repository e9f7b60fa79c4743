/**
 * Reads a request's body: bounded, of the media type it should be, valid UTF-8, valid JSON.
 *
 * A body that is too large is refused as soon as that is known, by its announced length if it has
 * one; the connection is then closed, since what follows can't be told from the next request.
 * How long a client may take is the server's `requestTimeout`, not decided here.
 */
import type { IncomingMessage } from "node:http";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";

export type BodyRead =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly problem: Problem;
      /** The rest of the body was not read: answer with `connection: close`. */
      readonly close: boolean;
    };

export type BytesRead =
  | { readonly ok: true; readonly bytes: Buffer }
  /** The rest of the body was not read: answer with `connection: close`. */
  | { readonly ok: false; readonly problem: Problem; readonly close: true };

/** What is written by hand, or made by a program that means it, has a dozen. */
const MOST_LEVELS = 100;

const code = "ERR_ARB_BODY";
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads a body as it is. */
export async function readBytes(request: IncomingMessage, limitBytes: number): Promise<BytesRead> {
  const announced = Number(request.headers["content-length"] ?? "0");
  if (announced > limitBytes) return tooLarge(limitBytes);
  // One that ended before anyone listened says nothing more.
  if (request.destroyed) return cutShort();
  // Events, not an iterator: that one costs more than all the rest of the reading, at every check.
  return await new Promise<BytesRead>((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limitBytes) {
        chunks.push(chunk);
        return;
      }
      request.pause();
      resolve(tooLarge(limitBytes));
    });
    request.once("end", () => resolve({ ok: true, bytes: joined(chunks) }));
    request.once("error", () => resolve(cutShort()));
    request.once("close", () => resolve(cutShort()));
  });
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  return first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks);
}

/** Reads and parses a JSON body. An empty body is `undefined` where `mayBeEmpty` says so. */
export async function readJson(
  request: IncomingMessage,
  limitBytes: number,
  mayBeEmpty = false,
): Promise<BodyRead> {
  const read = await readBytes(request, limitBytes);
  if (!read.ok) return read;
  if (read.bytes.length === 0 && mayBeEmpty) return { ok: true, value: undefined };
  if (!isJson(request.headers["content-type"])) {
    return refused(415, "Unsupported Media Type", "Send the body as `content-type: application/json`.");
  }
  return decodeJson(read.bytes);
}

/** Bytes to a JSON value. */
export function decodeJson(bytes: Uint8Array): BodyRead {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    const why = error instanceof SyntaxError ? "" : " (it isn't valid UTF-8)";
    return refused(400, "Bad Request", `The body is not valid JSON${why}.`);
  }
  if (isDeeperThan(MOST_LEVELS, value))
    return refused(400, "Bad Request", `The body may be nested ${MOST_LEVELS} levels deep at most.`);
  return { ok: true, value };
}

/** Parsing knows no depth, but whatever writes a value again, or copies it, runs out of stack. */
function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const member of Object.values(value)) if (isDeeperThan(levels - 1, member)) return true;
  return false;
}

function isJson(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  if (type.trim() !== "application/json") return false;
  // Only one encoding exists for JSON; `charset=latin1` would be misread.
  return parameters.every((parameter) => {
    const [key = "", value = ""] = parameter.split("=");
    return key.trim() !== "charset" || value.trim().replaceAll('"', "") === "utf-8";
  });
}

function tooLarge(limitBytes: number): BytesRead & { ok: false } {
  const detail = `The body may have ${limitBytes} bytes at most.`;
  return { ok: false, problem: problem(413, "Content Too Large", detail, { code }), close: true };
}

function cutShort(): BytesRead & { ok: false } {
  const detail = "The body ended before it was complete.";
  return { ok: false, problem: problem(400, "Bad Request", detail, { code }), close: true };
}

function refused(status: number, title: string, detail: string): BodyRead {
  return { ok: false, problem: problem(status, title, detail, { code }), close: false };
}
