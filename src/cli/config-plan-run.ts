/**
 * `arbiter config plan`: what a reload would do, compared with what the running arbiter has in
 * force. Nothing is changed.
 *
 * The arbiter says which version that is; the store, which keeps every version, has its files.
 * Where the store can't be read from here, the plan is of files rather than of keys.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { type Loaded, loadConfiguration } from "../config/load.ts";
import { stateDirOf } from "../config/locate.ts";
import { isEmptyPlan, planChange, type PlanLine } from "../config/plan.ts";
import type { ClusterModel } from "../core/model.ts";
import { messageOf } from "../protocol/errors.ts";
import { openStore } from "../store/open.ts";
import { loadValid, locateConfiguration } from "./configuration.ts";
import { connect } from "./connection.ts";
import { ClearNo } from "./failure.ts";
import type { PlanOptions } from "./config-plan.ts";
import { printable, printJson, standardError, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import type { ReloadMove } from "../simulator/own-reload.ts";
import { movesText } from "./plan-moves-text.ts";
import { isObject, notAnArbiter, readStatus } from "./wire.ts";

/** The version in force is the newest, or a few back where an edit waits for the store. */
const VERSIONS = 10;

interface InForce {
  readonly version: number;
  readonly hash: string;
  /** Path to SHA-256. */
  readonly files: ReadonlyMap<string, string>;
}

interface FileChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export async function plan(path: string | undefined, options: PlanOptions): Promise<void> {
  const loaded = await loadValid(path ?? options.config);
  const inForce = await askInForce(options, loaded.path);
  const isSame = inForce.hash === loaded.hash;
  const before = isSame ? null : await modelInForce(options, inForce);
  const lines = before === null ? null : planChange(before, loaded.model);
  const files = fileChanges(inForce, loaded);
  const moves = before === null ? null : await movesOf(before, loaded.model, options);
  if (options.json === true) {
    printJson({
      changed: !isSame,
      version: inForce.version,
      hash: inForce.hash,
      newHash: loaded.hash,
      files,
      plan: isSame ? [] : lines,
      moves: isSame ? [] : moves,
    });
    return;
  }
  if (isSame) {
    standardOutput.write(`nothing would change: version ${inForce.version} is in force, and says the same\n`);
    return;
  }
  standardOutput.write(`compared with version ${inForce.version}, which is in force:\n`);
  standardOutput.write(lines === null ? fileText(files) : planText(lines));
  if (moves !== null) standardOutput.write(`what moves, as the cluster stands now:\n${movesText(moves)}`);
}

async function movesOf(
  before: ClusterModel,
  after: ClusterModel,
  options: PlanOptions,
): Promise<readonly ReloadMove[]> {
  const status = await readStatus(await connect(await findPlaces(options)));
  const { plannedMoves } = await import("./plan-moves.ts");
  return plannedMoves(before, after, status);
}

async function askInForce(options: PlanOptions, path: string): Promise<InForce> {
  const connection = await connect(await findPlaces(options));
  const answer = await connection.demand("GET", "/v1/config").catch((error: unknown) => {
    if (!(error instanceof ClearNo)) throw error;
    throw new ClearNo(
      `there is nothing to compare with: ${error.message}`,
      `The files are valid; \`arbiter start --config ${path}\` starts with them.`,
    );
  });
  if (!isObject(answer) || !Array.isArray(answer["files"])) throw notAnArbiter("configuration");
  const files = new Map<string, string>();
  for (const file of answer["files"]) {
    if (isObject(file)) files.set(String(file["path"]), String(file["sha256"]));
  }
  return { version: Number(answer["version"]), hash: String(answer["hash"]), files };
}

/** null: it can't be had from here; why is said. */
async function modelInForce(options: PlanOptions, inForce: InForce): Promise<ClusterModel | null> {
  try {
    // The store is where the running arbiter's own folder says, which may not be the folder planned.
    const running = await loadConfiguration(locateConfiguration(options.config));
    const stateDir = stateDirOf(running);
    const { url } = running.settings.store;
    // Opening a file that isn't there would make one.
    if (url.startsWith("sqlite:") && !existsSync(resolve(stateDir, url.slice("sqlite:".length)))) {
      sayWhyNot(`there is no store ${url} in ${stateDir}; is the arbiter on another machine?`);
      return null;
    }
    await using store = disposable(await openStore(url, { stateDir }));
    const versions = await store.value.configurations(VERSIONS);
    const version = versions.find(({ hash }) => hash === inForce.hash);
    if (version !== undefined) return await modelOf(version.files);
    sayWhyNot("the store doesn't have the version in force (yet)");
  } catch (error) {
    sayWhyNot(messageOf(error));
  }
  return null;
}

function sayWhyNot(why: string): void {
  standardError.write(`arbiter: only files are compared, not keys: ${why}\n`);
}

function disposable<T extends { close(): Promise<void> }>(value: T): AsyncDisposable & { readonly value: T } {
  return { value, [Symbol.asyncDispose]: () => value.close() };
}

/** Reads a version's files as if they lay in a folder: in one of their own, gone a moment later. */
async function modelOf(files: Readonly<Record<string, string>>): Promise<ClusterModel | null> {
  // Only its owner may look in: a custom key may be a secret.
  const folder = await mkdtemp(join(tmpdir(), "arbiter-plan-"));
  try {
    for (const [path, content] of Object.entries(files)) {
      const target = resolve(folder, path);
      if (!target.startsWith(folder + sep)) continue;
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content, { mode: 0o600 });
    }
    const { model } = await loadConfiguration(folder);
    if (model === null) sayWhyNot("the version in force can't be read in this environment (its variables?)");
    return model;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function fileChanges(inForce: InForce, loaded: Loaded): FileChanges {
  const now = new Map(
    loaded.files.map(({ path, content }) => [path, createHash("sha256").update(content).digest("hex")]),
  );
  const paths = [...now.keys()];
  return {
    added: paths.filter((path) => !inForce.files.has(path)),
    changed: paths.filter((path) => inForce.files.has(path) && inForce.files.get(path) !== now.get(path)),
    removed: [...inForce.files.keys()].filter((path) => !now.has(path)),
  };
}

function fileText({ added, changed, removed }: FileChanges): string {
  const lines = [
    ...added.map((path) => `+ file ${path}`),
    ...changed.map((path) => `~ file ${path}`),
    ...removed.map((path) => `- file ${path}`),
  ];
  return lines.length === 0
    ? "the same files, with other values of the environment or other settings of the machine\n"
    : lines.map((line) => `  ${printable(line)}\n`).join("");
}

function planText(lines: readonly PlanLine[]): string {
  if (isEmptyPlan(lines)) return "  nothing that concerns a daemon or a service\n";
  return lines.map(({ text }) => `  ${printable(text)}\n`).join("");
}
