/**
 * Where the arbiters are, and the token to show them: from the command line, the environment, or
 * the configuration, in this order.
 *
 * A token of the configuration goes only to the arbiters of that configuration, or to a `--url`
 * that was given together with `--config`: a typed address alone never gets it.
 */
import { WrongUsage } from "./failure.ts";
import type { ConnectionOptions } from "./options.ts";

export interface ArbiterPlaces {
  readonly urls: readonly string[];
  /** The daemons' addresses, where a configuration names them: they have the cluster map, too. */
  readonly daemons: readonly string[];
  readonly tokenFile: string | null;
  readonly tls: ClientTls;
  /** Where the addresses come from: shown when none of them answers. */
  readonly because: string;
  /**
   * No address could be read, and the default one is only a guess: why. It may be another cluster's, so
   * nothing may be changed there. (Default: they were read, or given.)
   */
  readonly guess?: string;
}

/** Files in PEM form: who vouches for the arbiters (null: the system's own), and what to show them. */
export interface ClientTls {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export async function findPlaces(options: ConnectionOptions): Promise<ArbiterPlaces> {
  const tokenFile = options.tokenFile ?? fromEnvironment("ARBITER_TOKEN_FILE");
  if (options.url !== undefined) {
    const trusted = options.config === undefined ? null : await fromFolder(options.config);
    return {
      urls: urlsOf(options.url, "--url"),
      daemons: trusted?.daemons ?? [],
      tokenFile: tokenFile ?? trusted?.tokenFile ?? null,
      tls: withEnvironment(trusted?.tls ?? NO_FILES),
      because: "--url was given.",
    };
  }
  const named = fromEnvironment("ARBITER_URL");
  if (named !== null && options.config === undefined) {
    return {
      urls: urlsOf(named, "$ARBITER_URL"),
      daemons: [],
      tokenFile,
      tls: withEnvironment(NO_FILES),
      because: "$ARBITER_URL is set.",
    };
  }
  const places = await fromFolder(options.config);
  return { ...places, tokenFile: tokenFile ?? places.tokenFile, tls: withEnvironment(places.tls) };
}

const NO_FILES: ClientTls = { ca: null, cert: null, key: null };

/** A person's own certificate goes before the arbiter's that stands in the files. */
function withEnvironment(tls: ClientTls): ClientTls {
  const cert = fromEnvironment("ARBITER_TLS_CERT");
  const own = cert === null ? tls : { cert, key: fromEnvironment("ARBITER_TLS_KEY") ?? cert };
  return { ca: fromEnvironment("ARBITER_TLS_CA") ?? tls.ca, cert: own.cert, key: own.key };
}

/** Loaded only here: reading a configuration costs more than asking an arbiter. */
async function fromFolder(given: string | undefined): Promise<ArbiterPlaces> {
  const { locateConfiguration, placesIn } = await import("./configuration.ts");
  return placesIn(locateConfiguration(given, "Or name an arbiter: --url URL, or $ARBITER_URL."));
}

function fromEnvironment(name: string): string | null {
  const value = process.env[name];
  return value === undefined || value === "" ? null : value;
}

/** Each one without a slash at its end, so that paths can be put behind it. */
export function urlsOf(text: string, from: string): readonly string[] {
  const urls = text
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
  for (const url of urls) {
    if (URL.canParse(url) && /^https?:$/u.test(new URL(url).protocol)) continue;
    throw new WrongUsage(
      `${from}: \`${url}\` is no URL of an arbiter.`,
      `Did you mean http://${url.replace(/^[a-z]+:\/\//iu, "")}?`,
    );
  }
  if (urls.length === 0) throw new WrongUsage(`${from} names no URL.`, "For example: http://10.0.0.1:7770");
  return urls.map((url) => url.replace(/\/+$/u, ""));
}
