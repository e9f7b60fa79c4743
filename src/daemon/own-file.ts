/**
 * Which daemon of the configuration this process is, and what the files say of it. One file with
 * one daemon is enough to run; a folder with all of them is, too.
 *
 * Where it isn't clear which one is meant, an error lists them: a daemon that guesses would hold
 * another's service.
 */
import path from "node:path";
import { buildLaunch } from "../config/build-launch.ts";
import {
  defaultLaunch,
  loadConfiguration,
  ownConfigOf,
  renderProblem,
  stateDirOf,
  tlsFilesOf,
  tokenFileOf,
} from "../config/index.ts";
import type { Loaded } from "../config/index.ts";
import type { ClusterModel, DaemonSpec, LaunchSpec } from "../core/model.ts";
import { ArbiterError } from "../protocol/errors.ts";
import type { TlsFiles } from "./options.ts";
import type { Asked, Authored } from "./own-settings.ts";

export interface OwnFile {
  readonly spec: DaemonSpec;
  /** The keys of a launched command, also where only the command line names one. */
  readonly launch: LaunchSpec;
  /** Relative paths start here. */
  readonly directory: string;
  /** Whether its files say something of this key, be it in `[cluster]`. */
  readonly isWritten: (key: string) => boolean;
  /** As written there; null: they don't say it. */
  readonly writtenValue: (key: string) => string | null;
  /** `FILE:LINE` of what makes it a master or a spare. */
  readonly rolePlace: string;
  /** Those that somebody wrote; the implied one is a guess about another machine. */
  readonly arbiters: readonly string[];
  /** Where nobody wrote one, the name that the implied one has. */
  readonly arbiterNames: readonly string[];
  readonly stateDir: string;
  /** The folder's hash; empty for a file alone, which says nothing of the cluster. */
  readonly version: string;
  /** A hash of what this process reads from its own file; empty: nothing stands there. */
  readonly ownConfig: string;
  readonly tokenFile: string | null;
  readonly readTokenFile: string | null;
  readonly tls: TlsFiles;
  /** `[security] bind`; null: its own address. */
  readonly bind: string | null;
  readonly insecure: boolean;
  /** Of the file that the daemon stands in: what concerns the others is for the arbiter to say. */
  readonly warnings: readonly string[];
}

export async function readOwnFile(
  file: string,
  asked: Pick<Asked, "name" | "role">,
  authored: Authored,
  env: NodeJS.ProcessEnv,
): Promise<OwnFile> {
  const loaded = await loadConfiguration(path.resolve(file), { env });
  const { model, settings, problems } = loaded;
  if (model === null) {
    const errors = problems.filter(({ severity }) => severity === "error");
    const shown = errors.map((problem) => renderProblem(problem)).join("\n");
    throw new ArbiterError("ERR_ARB_CONFIG", `The configuration ${file} can't be used:\n${shown}`);
  }
  const spec = chooseDaemon(model, file, asked, authored);
  const { bind, insecure, readTokenFile } = settings.security;
  return {
    spec,
    launch: launchOf(loaded, spec),
    directory: loaded.directory,
    isWritten: (key) => (memberOf(loaded, spec)?.reader.find(key) ?? null) !== null,
    writtenValue: (key) => memberOf(loaded, spec)?.reader.find(key)?.value ?? null,
    rolePlace: rolePlaceOf(loaded, spec),
    arbiters: model.arbiters.filter(({ origin }) => origin !== null).map(({ url }) => url),
    arbiterNames: model.arbiters.map((arbiter) => arbiter.name),
    stateDir: stateDirOf(loaded),
    version: loaded.isLone ? "" : loaded.hash,
    ownConfig: ownConfigIn(loaded, spec),
    tokenFile: tokenFileOf(loaded, spec.name),
    readTokenFile,
    tls: tlsFilesOf(loaded, spec.name),
    bind,
    insecure,
    warnings: problems
      .filter(({ severity, file: where }) => severity === "warning" && where === spec.origin?.file)
      .map((problem) => `${problem.file}:${problem.line}: ${problem.text}`),
  };
}

/** The one named; else the only one of the type; else the only one of the type in that role. */
function chooseDaemon(
  model: ClusterModel,
  file: string,
  asked: Pick<Asked, "name" | "role">,
  authored: Authored,
): DaemonSpec {
  const ofType = model.daemons.filter(({ type }) => authored.type === null || type === authored.type);
  const name = asked.name ?? (ofType.length > 1 ? authored.name : null);
  if (name !== null) {
    const named = ofType.find((spec) => spec.name === name);
    if (named !== undefined) return named;
    throw which(`${file} has no ${kind(authored)} called ${name}.`, model);
  }
  const inRole = ofType.filter(({ role }) => role === asked.role);
  const [only] = ofType.length === 1 ? ofType : inRole;
  if (only !== undefined && (ofType.length === 1 || inRole.length === 1)) return only;
  const why = ofType.length === 0 ? `has no ${kind(authored)}.` : "has several that this could be.";
  throw which(`${file} ${why}`, model);
}

function kind({ type }: Authored): string {
  return type === null ? "daemon" : `daemon of type ${type}`;
}

function which(why: string, { daemons }: ClusterModel): ArbiterError {
  const listed = daemons.map(({ name, type, role }) => `${name} (${type}, ${role})`).join(", ");
  return new ArbiterError(
    "ERR_ARB_WHICH_DAEMON",
    `${why} There ${daemons.length === 1 ? "is" : "are"}: ${listed}. Say which one this is with --name NAME.`,
  );
}

function ownConfigIn(loaded: Loaded, spec: DaemonSpec): string {
  const member = memberOf(loaded, spec);
  return member === undefined ? "" : ownConfigOf(member);
}

function memberOf(loaded: Loaded, spec: DaemonSpec): Loaded["members"][number] | undefined {
  return loaded.members.find(({ spec: own }) => own === spec);
}

/** `user` alone makes no launched daemon of it (other tools have that key too), but it counts. */
function launchOf(loaded: Loaded, spec: DaemonSpec): LaunchSpec {
  const member = memberOf(loaded, spec);
  return spec.launch ?? (member === undefined ? defaultLaunch(spec) : buildLaunch(member.reader).spec);
}

/** The line with `spare`, where one wrote it; else where the daemon begins. */
function rolePlaceOf(loaded: Loaded, spec: DaemonSpec): string {
  const member = memberOf(loaded, spec);
  const entry = member?.reader.find("spare") ?? null;
  const place = entry === null ? spec.origin : { file: entry.source.path, line: entry.line };
  return place === null ? loaded.path : `${place.file}:${place.line}`;
}
