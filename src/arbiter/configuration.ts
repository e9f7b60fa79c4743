/**
 * Reading the files, and what is said of them.
 *
 * Errors that leave this process (log, status, events) carry file, line, column, key and what was
 * expected, but neither the line itself nor a secret key's value: `arbiter config check`, run by
 * who may read the files, shows those.
 */
import { loadConfiguration, planChange, renderProblem } from "../config/index.ts";
import type { Loaded, Problem } from "../config/index.ts";
import { isSecretName } from "../config/keys.ts";
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type { ClusterModel } from "../core/model.ts";
import { ArbiterError } from "../protocol/errors.ts";

export type ValidConfiguration = Loaded & { readonly model: ClusterModel };

export async function readConfiguration(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Loaded> {
  return await loadConfiguration(path, { env });
}

export function isValid(loaded: Loaded): loaded is ValidConfiguration {
  return loaded.model !== null;
}

/** For the terminal of who starts it: everything, with the lines. */
export function configurationError(loaded: Loaded): ArbiterError {
  const errors = loaded.problems.filter(({ severity }) => severity === "error");
  const count = errors.length === 1 ? "an error" : `${errors.length} errors`;
  return new ArbiterError(
    "ERR_ARB_CONFIG",
    `The configuration ${loaded.path} has ${count}; nothing was started.\n${errors.map((problem) => renderProblem(problem)).join("\n")}`,
  );
}

/** For logs, the status and events. */
export function publicText(problem: Problem): string {
  const isSecret = problem.key === null || isSecretName(problem.key);
  return renderProblem({ ...problem, sourceLine: null, found: isSecret ? null : problem.found });
}

export function versionOf(loaded: ValidConfiguration, by: string, atWallMs: number): ConfigurationVersion {
  return {
    // The core numbers it when it is committed.
    version: 0,
    hash: loaded.hash,
    atWallMs,
    by,
    files: Object.fromEntries(loaded.files.map(({ path, content }) => [path, content])),
  };
}

/** A misspelt key is in force as what it says, and its author should hear of it now. */
export function newWarnings(before: ValidConfiguration, after: ValidConfiguration): readonly string[] {
  const warningsOf = ({ problems }: ValidConfiguration): string[] =>
    problems.filter(({ severity }) => severity === "warning").map((problem) => publicText(problem));
  const known = new Set(warningsOf(before));
  return warningsOf(after).filter((text) => !known.has(text));
}

/** What a reload can't change in a running process. */
export function restartNotes(old: Loaded, next: Loaded): readonly string[] {
  const changed: string[] = [];
  if (old.settings.stateDir !== next.settings.stateDir) changed.push("state_dir");
  if (old.settings.store.url !== next.settings.store.url) changed.push("the store's url");
  const { security: before } = old.settings;
  const { security: after } = next.settings;
  if (JSON.stringify(before) !== JSON.stringify(after)) changed.push("[security]");
  return changed.map(
    (what) => `${what} was changed: it comes into force when this arbiter is started again.`,
  );
}

export function planLines(before: ValidConfiguration, after: ValidConfiguration): readonly string[] {
  return planChange(before.model, after.model)
    .filter(({ action }) => action !== "keep")
    .map(({ text }) => text);
}

export function isIn(model: ClusterModel, name: string): boolean {
  return model.arbiters.some((arbiter) => arbiter.name === name);
}

export function errorsOf(loaded: Loaded): readonly string[] {
  return loaded.problems.filter(({ severity }) => severity === "error").map((problem) => publicText(problem));
}
