/**
 * The command line that every daemon built on the library understands. It only says what was
 * asked for; what the files say, and which of both wins, is decided in `own-settings.ts`.
 */
import { parseArgs } from "node:util";
import type { Role } from "../core/model.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import type { Asked } from "./own-settings.ts";

export const USAGE = `Options:
  --role master|spare     what it is meant to be; must agree with the configuration
  --config FILE or DIR    its .cfg file, or the folder with all of them
  --name NAME             which daemon of the configuration it is
  --host HOST             address to listen at (default: \`address\`, else 127.0.0.1)
  --port PORT             port to listen at (default: \`port\`, else by type)
  --arbiter URL,URL       arbiters to report to before one has called
  --join URL,URL          join the running cluster of these arbiters, in whose files it doesn't stand
  --token-file FILE       the cluster's token (default: $ARBITER_TOKEN_FILE, else \`token_file\`)
  --state-dir DIR         where its own folder is (default: \`state_dir\`)
  --forget-cluster        forget the cluster that it belonged to, and obey another
  --help                  this text
`;

/** Null: help was asked for. Throws `ERR_ARB_USAGE` on anything that it doesn't understand. */
export function readCommandLine(argv: readonly string[]): Asked | null {
  const values = parse(argv);
  if (values.help === true) return null;
  return {
    name: values.name ?? null,
    role: values.role === undefined ? null : readRole(values.role),
    host: values.host ?? null,
    port: values.port === undefined ? null : readPort(values.port),
    arbiters: (values.arbiter ?? []).flatMap((urls) => readUrls(urls, "--arbiter")),
    join: (values.join ?? []).flatMap((urls) => readUrls(urls, "--join")),
    config: values.config ?? null,
    tokenFile: values["token-file"] ?? null,
    stateDir: values["state-dir"] ?? null,
    forgetCluster: values["forget-cluster"] ?? false,
  };
}

function parse(argv: readonly string[]): {
  readonly [key in "name" | "role" | "host" | "port" | "config" | "token-file" | "state-dir"]?:
    | string
    | undefined;
} & {
  readonly arbiter?: string[] | undefined;
  readonly join?: string[] | undefined;
  readonly "forget-cluster"?: boolean | undefined;
  readonly help?: boolean | undefined;
} {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        name: { type: "string" },
        role: { type: "string" },
        host: { type: "string" },
        port: { type: "string" },
        config: { type: "string" },
        arbiter: { type: "string", multiple: true },
        join: { type: "string", multiple: true },
        "token-file": { type: "string" },
        "state-dir": { type: "string" },
        "forget-cluster": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw usage(messageOf(error), error);
  }
}

function readRole(text: string): Role {
  if (text === "master" || text === "spare") return text;
  throw usage(`--role is master or spare; found ${JSON.stringify(text)}.`);
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw usage(`--port is a number from 0 to 65535; found ${JSON.stringify(text)}.`);
}

function readUrls(text: string, option: string): string[] {
  return text.split(",").map((part) => {
    const url = part.trim();
    if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
    throw usage(`${option} takes URLs like http://10.0.0.1:7770; found ${JSON.stringify(url)}.`);
  });
}

function usage(text: string, cause?: unknown): ArbiterError {
  return new ArbiterError("ERR_ARB_USAGE", `${text.replace(/\.?$/u, ".")} See --help.`, { cause });
}
