/** What a daemon says of itself when it joins: where it is, and what its own file says of it. */
import { JOINED_KEYS } from "../config/joined.ts";
import { ArbiterError } from "../protocol/errors.ts";
import type { OwnFile } from "./own-file.ts";

export interface Member {
  readonly name: string;
  readonly type: string;
  readonly role: string;
  readonly address: string;
}

const NUMBERS = new Set(["priority", "capacity", "max_check_attempts"]);
const YES_OR_NO = new Set(["manage_sub_realms", "use_ssl", "hard_ssl_name_check"]);
/** Said by the command line, or known once it listens. */
const KNOWN = new Set(["address", "port", "spare"]);

/** Body of `POST /v1/daemons`; the port comes once it listens. */
export function memberOf(
  who: Member,
  file: Pick<OwnFile, "writtenValue"> | null,
): Readonly<Record<string, string | number | boolean>> {
  if (["0.0.0.0", "::"].includes(who.address)) {
    throw new ArbiterError(
      "ERR_ARB_USAGE",
      "--join needs an address at which arbiters reach this daemon: say it with --host, or as `address` in its file. See --help.",
    );
  }
  const said: Record<string, string | number | boolean> = { ...who, by: `${who.name} itself` };
  for (const key of JOINED_KEYS) {
    const value = KNOWN.has(key) ? null : (file?.writtenValue(key) ?? null);
    if (value === null) continue;
    said[camelCase(key)] = NUMBERS.has(key)
      ? Number(value)
      : YES_OR_NO.has(key)
        ? /^(?:1|true|yes|on)$/iu.test(value)
        : value;
  }
  return said;
}

function camelCase(key: string): string {
  return key.replaceAll(/_([a-z])/gu, (_, letter: string) => letter.toUpperCase());
}
