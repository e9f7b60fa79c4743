/**
 * The configuration as the commands use it: which folder is meant, what is wrong in it, where its
 * arbiters are, where they keep their state.
 *
 * Asking a running arbiter must not need a flawless configuration: the one who asks may be about to
 * find out what is wrong. So addresses and folders are taken from whatever could be read, and only
 * commands about the configuration itself insist that all of it is right.
 */
import { accessSync, constants } from "node:fs";
import type { ArbiterSpec, ClusterModel } from "../core/model.ts";
import { IMPLIED_ARBITER, loadConfiguration, type Loaded } from "../config/load.ts";
import {
  resolveConfigPath,
  stateDirOf as stateDirOfLoaded,
  tlsFilesOf,
  tokenFileOf,
} from "../config/locate.ts";
import { type Problem, renderProblem } from "../config/problem.ts";
import { ClearNo, SaidNo } from "./failure.ts";
import { counted, standardError } from "./output.ts";
import type { ArbiterPlaces, ClientTls } from "./places.ts";

/** The folder or file that is meant; that there is none is a clear no. */
export function locateConfiguration(
  given: string | undefined,
  next = "`arbiter init DIR` writes a sample; --config DIR names a folder.",
): string {
  const located = resolveConfigPath({ flag: given });
  if (!located.ok) throw new ClearNo(located.error, next);
  return located.path;
}

export async function stateDirOf(given: string | undefined): Promise<string> {
  const path = locateConfiguration(given);
  return stateDirOfLoaded(await loadReadable(path));
}

/** Right or wrong, but there: a folder that can't be read at all has no state folder and no address. */
async function loadReadable(path: string): Promise<Loaded> {
  const loaded = await loadConfiguration(path);
  if (loaded.files.length > 0 || loaded.ok) return loaded;
  sayProblems(loaded.problems);
  throw new SaidNo();
}

/** What makes its address: where one of them can't be read, the default that stands in is nobody's. */
const ADDRESS_KEYS = ["address", "port", "use_ssl"];

/** Those of which the address could be read. */
function arbitersOf(loaded: Loaded): readonly ArbiterSpec[] {
  if (loaded.model !== null) return loaded.model.arbiters;
  return loaded.members.flatMap((member) =>
    member.is === "arbiter" && ADDRESS_KEYS.every((key) => member.reader.isReadable(key))
      ? [member.spec]
      : [],
  );
}

/** For `findPlaces`. */
export async function placesIn(path: string): Promise<ArbiterPlaces> {
  const loaded = await loadReadable(path);
  const read = arbitersOf(loaded);
  const arbiters = read.length > 0 ? read : [IMPLIED_ARBITER];
  const [first] = arbiters;
  const name = first?.name ?? IMPLIED_ARBITER.name;
  return {
    urls: arbiters.map((arbiter) => arbiter.url),
    daemons: loaded.model?.daemons.map((daemon) => daemon.url) ?? [],
    tokenFile: tokenFileOf(loaded, name),
    tls: clientTls(loaded, name),
    because: `The addresses are those of ${path}.`,
    ...(read.length > 0 ? {} : { guess: whyGuessed(loaded) }),
  };
}

/** The files have errors, and what they say of arbiters may be among what couldn't be read. */
function whyGuessed({ path, problems }: Loaded): string {
  const [first, ...more] = problems.filter(({ severity }) => severity === "error");
  if (first === undefined) return `${path} names no arbiter`;
  const others = more.length === 0 ? "" : `, and ${counted(more.length, "more error")}`;
  return `${path} has errors, and no arbiter could be read from it (${first.file}:${first.line}: ${first.text}${others})`;
}

/** An arbiter's own certificate is shown only where one is asked for, and only by who may read its key. */
function clientTls(loaded: Loaded, arbiter: string): ClientTls {
  const { caFile: ca, certFile, keyFile, clientCert } = tlsFilesOf(loaded, arbiter);
  const mayShow = clientCert === "required" && certFile !== null && keyFile !== null && isReadable(keyFile);
  return { ca, cert: mayShow ? certFile : null, key: mayShow ? keyFile : null };
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** To standard error, as a compiler would: each with its line and a caret. */
export function sayProblems(problems: readonly Problem[]): void {
  // As `styleText` decides it: NO_COLOR and what the terminal can do.
  const color = standardError.paint("red", "x") !== "x";
  for (const problem of problems) standardError.write(`${renderProblem(problem, { color })}\n`);
}

export function countProblems(problems: readonly Problem[]): { errors: number; warnings: number } {
  const of = (severity: Problem["severity"]): number =>
    problems.filter((problem) => problem.severity === severity).length;
  return { errors: of("error"), warnings: of("warning") };
}

/** A configuration without errors; its warnings are said. One with errors is a clear no. */
export async function loadValid(
  given: string | undefined,
): Promise<Loaded & { readonly model: ClusterModel }> {
  const loaded = await loadConfiguration(locateConfiguration(given));
  sayProblems(loaded.problems.filter(({ severity }) => severity !== "information"));
  const { model } = loaded;
  if (model !== null) return { ...loaded, model };
  standardError.write(
    `arbiter: ${loaded.path} has ${counted(countProblems(loaded.problems).errors, "error")}, so it can't be used.\n`,
  );
  throw new SaidNo();
}
