/**
 * One whole request, as a machine writes it that asks the same thing again and again, out of the bytes that came
 * at once: or nothing, and then Node's own server reads them.
 *
 * This is no parser of HTTP, it compares. Whatever isn't exactly one request with the headers below, each
 * once, in lower case, with a length that is the body's, is nothing: another spelling, a header that is unknown here,
 * one byte too few or too many. So nothing is ever taken for something else than Node would take it for.
 */

export interface PlainRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Values that a header must have; null: any. */
const HEADERS: ReadonlyMap<string, string | null> = new Map([
  ["host", null],
  ["connection", "keep-alive"],
  ["authorization", null],
  ["content-type", "application/json"],
  ["accept", "application/json"],
  ["content-length", null],
]);
const NEEDED = ["host", "content-type", "content-length"] as const;
/** A header's value: what can be seen, and spaces between it. */
const VALUE = /^[!-~]+(?: [!-~]+)*$/;
const LENGTH = /^[1-9]\d{0,7}$/;
/** A token of 1,024 characters, and all the rest. */
const LONGEST_HEAD = 2048;

/** `line`: what the request has to begin with, `PUT /v1/assignment HTTP/1.1`. */
export function readPlainRequest(bytes: Buffer, line: string): PlainRequest | null {
  const headLength = bytes.subarray(0, LONGEST_HEAD).indexOf("\r\n\r\n", 0, "latin1");
  if (headLength < 0) return null;
  const [first, ...lines] = bytes.toString("latin1", 0, headLength).split("\r\n");
  if (first !== line) return null;
  const headers: Record<string, string> = {};
  for (const each of lines) {
    const colon = each.indexOf(": ");
    const name = each.slice(0, Math.max(colon, 0));
    const value = each.slice(colon + 2);
    const wanted = HEADERS.get(name);
    if (wanted === undefined || headers[name] !== undefined || !VALUE.test(value)) return null;
    if (wanted !== null && value !== wanted) return null;
    headers[name] = value;
  }
  if (NEEDED.some((name) => headers[name] === undefined)) return null;
  const body = bytes.subarray(headLength + 4);
  const length = headers["content-length"] ?? "";
  return LENGTH.test(length) && Number(length) === body.length ? { headers, body } : null;
}
