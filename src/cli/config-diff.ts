/**
 * `arbiter config diff`: how another arbiter's files differ from this folder's, file by file and key
 * by key. They are read from that arbiter's own folder at that moment, not from what is in force.
 */
import { Command } from "commander";
import type { Loaded } from "../config/index.ts";
import type { ShownConfiguration } from "../config/show.ts";
import { connect } from "./connection.ts";
import { ClearNo, SaidNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { printable, printJson, standardError, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { isObject, notAnArbiter, readStatus, unknownName } from "./wire.ts";

interface DiffOptions extends ConnectionOptions, PrintOptions {
  readonly with?: string;
}

interface Difference {
  /** `scheduler-master.lease`, `[cluster].name` */
  readonly key: string;
  /** Undefined: it isn't there. */
  readonly here?: unknown;
  readonly there?: unknown;
}

interface Others {
  readonly name: string;
  readonly hash: string;
  readonly errors: readonly string[];
  readonly files: ReadonlyMap<string, string>;
  readonly shown: unknown;
}

export function configDiffCommand(): Command {
  const command = new Command("diff")
    .description("how another arbiter's files differ from this folder's, file by file and key by key")
    .option("--with <arbiter>", "the other arbiter's name (default: the one that leads)")
    .action(diff)
    .addHelpText("after", "\nExit code: 0 they say the same; 1 they differ, or the other doesn't answer.\n");
  return withExamples(withConnection(withJson(command)), [
    "arbiter config diff --with arbiter-2",
    "arbiter config diff --with arbiter-2 --json",
  ]);
}

async function diff(options: DiffOptions): Promise<void> {
  // Loaded only now: the readers of three dialects would make every `arbiter config …` slower.
  const { showConfiguration } = await import("../config/index.ts");
  const { loadValid } = await import("./configuration.ts");
  const loaded = await loadValid(options.config);
  const other = await readOther(options, loaded);
  const files = fileDifferences(loaded, other);
  const keys = other.shown === null ? null : keyDifferences(showConfiguration(loaded), other.shown);
  const equal = other.errors.length === 0 && loaded.hash === other.hash;
  if (options.json === true) {
    const { name, hash, errors } = other;
    printJson({ equal, with: name, hash: loaded.hash, otherHash: hash, files, keys, errors });
  } else standardOutput.write(textOf(other, { equal, files, keys }));
  if (!equal) throw new SaidNo();
}

async function readOther(options: DiffOptions, loaded: Loaded): Promise<Others> {
  const places = await findPlaces(options);
  const url = await urlOf(options, loaded);
  const connection = await connect({ ...places, urls: [url], because: "It was asked for by name." });
  const answer = await connection.demand("GET", "/v1/config/keys");
  if (!isObject(answer) || !Array.isArray(answer["files"]) || !Array.isArray(answer["errors"]))
    throw notAnArbiter("configuration");
  const files = new Map<string, string>();
  for (const file of answer["files"])
    if (isObject(file)) files.set(String(file["path"]), String(file["sha256"]));
  const name = String(answer["name"]);
  if (options.with !== undefined && name !== options.with)
    throw new ClearNo(`${name} answers at ${url}, not ${options.with}.`, "Correct the address in the files.");
  const errors = answer["errors"].map(String);
  return { name, hash: String(answer["hash"]), errors, files, shown: answer["shown"] };
}

/** As this folder says; else as an arbiter that runs says. */
async function urlOf(options: DiffOptions, loaded: Loaded): Promise<string> {
  const written = loaded.model?.arbiters.find(({ name }) => name === options.with)?.url;
  if (written !== undefined) return written;
  const { arbiters, leader } = await readStatus(await connect(await findPlaces(options)));
  const name = options.with ?? leader;
  if (name === null) throw new ClearNo("no arbiter leads.", "Say whose files are meant: --with NAME.");
  const found = arbiters.find((arbiter) => arbiter.name === name);
  if (found !== undefined) return found.url;
  throw unknownName(
    "arbiter",
    name,
    arbiters.map((arbiter) => arbiter.name),
  );
}

function fileDifferences(
  loaded: Loaded,
  other: Others,
): Record<"onlyHere" | "onlyThere" | "different", string[]> {
  const here = new Map(loaded.files.map(({ path, sha256 }) => [path, sha256]));
  return {
    onlyHere: [...here.keys()].filter((path) => !other.files.has(path)),
    onlyThere: [...other.files.keys()].filter((path) => !here.has(path)),
    different: [...here.keys()].filter(
      (path) => other.files.has(path) && other.files.get(path) !== here.get(path),
    ),
  };
}

/** Where something stands is no difference in what it says; what the machine alone knows isn't either. */
const NOT_COMPARED = new Set(["file", "line", "hash", "state_dir", "warnings"]);

function keyDifferences(here: ShownConfiguration, there: unknown): readonly Difference[] {
  const [ours, theirs] = [flat(here), flat(there)];
  const keys = new Set([...ours.keys(), ...theirs.keys()]);
  return [...keys].toSorted().flatMap((key) => {
    const [a, b] = [ours.get(key), theirs.get(key)];
    if (JSON.stringify(a) === JSON.stringify(b)) return [];
    return [{ key, ...(a === undefined ? {} : { here: a }), ...(b === undefined ? {} : { there: b }) }];
  });
}

/** Each value under its path; members of lists by their name. */
function flat(value: unknown): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const walk = (inner: unknown, path: string): void => {
    if (isObject(inner)) {
      for (const [key, one] of Object.entries(inner))
        if (!NOT_COMPARED.has(key)) walk(one, path === "" ? key : `${path}.${key}`);
    } else if (Array.isArray(inner) && inner.some(isObject)) {
      for (const one of inner) if (isObject(one)) walk(one, `${path} ${String(one["name"])}`);
    } else found.set(path, inner);
  };
  walk(value, "");
  return found;
}

interface Found {
  readonly equal: boolean;
  readonly files: ReturnType<typeof fileDifferences>;
  readonly keys: readonly Difference[] | null;
}

function textOf(other: Others, { equal, files, keys }: Found): string {
  const { name } = other;
  for (const error of other.errors) standardError.write(`${printable(error)}\n`);
  if (equal) return `the same: this folder and that of ${name}, hash ${other.hash}\n`;
  const lines = [
    ...files.different.map((path) => `~ file ${path}: differs`),
    ...files.onlyHere.map((path) => `+ file ${path}: only here`),
    ...files.onlyThere.map((path) => `- file ${path}: only on ${name}`),
    ...(keys ?? []).map((key) => keyLine(key, name)),
  ];
  if (keys === null) lines.push(`${name}'s files have errors, so their keys can't be compared`);
  if (lines.length === 0)
    lines.push("the same files, with other values of the environment, or a secret that differs");
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function keyLine({ key, here, there }: Difference, name: string): string {
  return `  ${key}: ${wordOf(here)} here, ${wordOf(there)} on ${name}`;
}

function wordOf(value: unknown): string {
  if (value === undefined) return "(not there)";
  return typeof value === "string" ? value : JSON.stringify(value);
}
