/** The arbiters' addresses as a user writes them, and which addresses that are heard of later may be used. */
import { ArbiterError } from "../protocol/errors.ts";

/**
 * URLs, or `host:port` (then `https` where an authority is given to trust, else `http`), as a list or
 * as one text with commas. Throws `ERR_ARB_USAGE` at what is neither.
 */
export function readAddresses(given: string | readonly string[], isSecure: boolean): readonly string[] {
  const texts = (typeof given === "string" ? given.split(",") : given).map((text) => text.trim());
  const read = texts.filter((text) => text !== "").map((text) => originOf(text, isSecure));
  if (read.length > 0) return [...new Set(read)];
  throw new ArbiterError(
    "ERR_ARB_USAGE",
    "connect() takes arbiters' addresses, like http://10.0.0.1:7770 or 10.0.0.1:7770,10.0.0.2:7770; found nothing. " +
      "Without an argument it takes them from $ARBITER_URL.",
  );
}

function originOf(text: string, isSecure: boolean): string {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//iu.test(text);
  const url = hasScheme ? text : `${isSecure ? "https" : "http"}://${text}`;
  // A host alone would silently mean port 80.
  const isWhole = hasScheme || /:\d+\/?$/u.test(text);
  if (isWhole && URL.canParse(url)) {
    const { protocol, origin } = new URL(url);
    if (protocol === "http:" || protocol === "https:") return origin;
  }
  throw new ArbiterError(
    "ERR_ARB_USAGE",
    `connect() takes arbiters' addresses, like http://10.0.0.1:7770 or 10.0.0.1:7770; found ${JSON.stringify(text)}.`,
  );
}

/**
 * Addresses that the cluster itself told. One that began with `https` alone is not led to plain
 * HTTP: neither its token nor its trust would be worth anything there.
 */
export function usable(heard: readonly string[], given: readonly string[]): readonly string[] {
  const isSecure = given.every((url) => url.startsWith("https:"));
  const origins = heard.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin);
  return [...new Set(origins)].filter((url) => url.startsWith(isSecure ? "https:" : "http"));
}
