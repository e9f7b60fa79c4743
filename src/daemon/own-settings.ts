/**
 * Which daemon this process is, and how it is set up: the command line over its own file over what
 * its author wrote over the defaults. Used by the library and by the launcher.
 *
 * A role is the one thing in which the command line doesn't win: a spare that was started as a
 * master would be a surprise for whoever reads the files, so a contradiction is an error that
 * names the place.
 */
import path from "node:path";
import { defaultPortOf } from "../config/keys.ts";
import type { DaemonSpec, LaunchSpec, Role } from "../core/model.ts";
import { ArbiterError } from "../protocol/errors.ts";
import type { RuntimeOptions } from "./options.ts";
import { memberOf } from "./member.ts";
import type { OwnFile } from "./own-file.ts";

/** What a command line asked for; null: nothing was said. */
export interface Asked {
  readonly name: string | null;
  readonly role: Role | null;
  readonly host: string | null;
  readonly port: number | null;
  readonly arbiters: readonly string[];
  /** Arbiters of the running cluster that it joins; empty: it stands in their files. */
  readonly join: readonly string[];
  readonly config: string | null;
  readonly tokenFile: string | null;
  readonly stateDir: string | null;
  readonly forgetCluster: boolean;
}

/** What the program itself says of itself. */
export interface Authored {
  /** Null: only the configuration or the command line says (the launcher). */
  readonly type: string | null;
  readonly name: string | null;
}

export interface OwnSettings {
  /** Everything but how to log. */
  readonly runtime: Omit<RuntimeOptions, "logger">;
  /** The daemon as its file has it; null: it has none. */
  readonly spec: DaemonSpec | null;
  /** How its file wants a command run, and where relative paths of it start; null: it has none. */
  readonly launch: { readonly spec: LaunchSpec; readonly directory: string } | null;
  /** For the log: what the files say that isn't an error. */
  readonly warnings: readonly string[];
}

export async function ownSettings(
  asked: Asked,
  authored: Authored,
  env: NodeJS.ProcessEnv,
): Promise<OwnSettings> {
  const file = asked.config === null ? null : await readFile(asked.config, asked, authored, env);
  const spec = file?.spec ?? null;
  const role = roleOf(asked, file);
  const type = spec?.type ?? authored.type;
  if (type === null) {
    throw usage("It isn't clear of what type this daemon is. Say --type TYPE, or --config FILE.");
  }
  const name = asked.name ?? spec?.name ?? authored.name ?? `${type}-${role}`;
  const host = asked.host ?? file?.bind ?? spec?.address ?? "127.0.0.1";
  const address = asked.host ?? spec?.address ?? host;
  const known = [...asked.arbiters, ...asked.join];
  return {
    runtime: {
      name,
      type,
      role,
      host,
      port: asked.port ?? spec?.port ?? defaultPort(type),
      arbiters: known.length > 0 ? known : (file?.arbiters ?? []),
      join:
        asked.join.length === 0
          ? null
          : { urls: asked.join, member: memberOf({ name, type, role, address }, file) },
      stateDir: path.resolve(asked.stateDir ?? file?.stateDir ?? "var"),
      forgetCluster: asked.forgetCluster,
      ...securityOf(asked, file, env),
      ...(file === null ? {} : timingOf(file.spec, file.isWritten)),
      configVersion: file?.version ?? "",
      ownConfig: file?.ownConfig ?? "",
      cpuPriority: spec?.cpuPriority ?? "auto",
    },
    spec,
    launch: file === null ? null : { spec: file.launch, directory: file.directory },
    warnings: file?.warnings ?? [],
  };
}

/** The readers of three dialects are loaded only where there is something to read. */
async function readFile(
  config: string,
  asked: Asked,
  authored: Authored,
  env: NodeJS.ProcessEnv,
): Promise<OwnFile> {
  const { readOwnFile } = await import("./own-file.ts");
  return await readOwnFile(config, asked, authored, env);
}

function roleOf(asked: Asked, file: OwnFile | null): Role {
  if (file === null) {
    if (asked.role !== null) return asked.role;
    throw usage("It isn't clear what this daemon is meant to be. Say --role master or --role spare.");
  }
  const { spec, rolePlace } = file;
  if (asked.role === null || asked.role === spec.role) return spec.role;
  const written = spec.role === "spare" ? "a spare (`spare 1`)" : "a master (`spare 0`)";
  throw new ArbiterError(
    "ERR_ARB_ROLE",
    `--role ${asked.role} contradicts ${rolePlace}, where ${spec.name} is ${written}. ` +
      `Start it with --role ${spec.role}, or change \`spare\` there.`,
  );
}

function defaultPort(type: string): number {
  const port = defaultPortOf(type);
  if (port !== undefined) return port;
  throw usage(
    `A daemon of type ${type} has no default port. Say --port PORT, or write \`port\` in its file.`,
  );
}

function securityOf(
  asked: Asked,
  file: OwnFile | null,
  env: NodeJS.ProcessEnv,
): Pick<RuntimeOptions, "tokenFile" | "readTokenFile" | "useSsl" | "tls" | "arbiterNames" | "insecure"> {
  const fromEnvironment = env["ARBITER_TOKEN_FILE"];
  const named = asked.tokenFile ?? (fromEnvironment === "" ? undefined : fromEnvironment);
  return {
    tokenFile: named === undefined ? (file?.tokenFile ?? null) : path.resolve(named),
    readTokenFile: file?.readTokenFile ?? null,
    useSsl: file?.spec.useSsl ?? false,
    tls: file?.tls ?? null,
    arbiterNames: file?.arbiterNames ?? [],
    insecure: file?.insecure ?? false,
  };
}

/** A file alone knows nothing of the cluster's defaults: only what it says itself counts. */
function timingOf(
  spec: DaemonSpec,
  isWritten: (key: string) => boolean,
): Pick<
  RuntimeOptions,
  "killGraceMs" | "drainMarginMs" | "drainTimeoutMs" | "onArbiterLoss" | "keepAliveMs"
> {
  return {
    killGraceMs: isWritten("kill_grace") ? spec.killGraceMs : null,
    drainMarginMs: isWritten("drain_margin") ? spec.drainMarginMs : null,
    drainTimeoutMs: isWritten("drain_timeout") ? spec.drainTimeoutMs : null,
    onArbiterLoss: isWritten("on_arbiter_loss") ? spec.onArbiterLoss : null,
    keepAliveMs: 4 * spec.checkIntervalMs,
  };
}

function usage(text: string): ArbiterError {
  return new ArbiterError("ERR_ARB_USAGE", `${text} See --help.`);
}
