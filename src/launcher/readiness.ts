/**
 * Whether this daemon could run its program, asked while it waits: a spare is *ready* only if it was looked
 * at. Each answer is what is missing, for people; none of the questions changes anything here.
 */
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import type { LaunchSpec } from "../core/model.ts";
import { findProgram } from "./account.ts";
import { askCommand } from "./health.ts";
import { takenPorts } from "./taken-ports.ts";

export interface ReadinessOptions {
  readonly spec: LaunchSpec;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Goes before a hook's words. */
  readonly wrap: readonly string[];
}

/** What is missing; empty: nothing. */
export async function missingHere(options: ReadinessOptions, signal: AbortSignal): Promise<string> {
  const missing = [...missingFiles(options), ...(await takenPorts(options.spec))];
  if (missing.length === 0 && options.spec.hookDryRun) missing.push(...(await dryRuns(options, signal)));
  return missing.join("; ");
}

function missingFiles({ spec, env }: ReadinessOptions): string[] {
  const cwd = spec.cwd ?? process.cwd();
  const missing: string[] = [];
  if (spec.cwd !== null && !isFolder(spec.cwd)) missing.push(`\`cwd\` ${spec.cwd} isn't there`);
  const programs: readonly (readonly [string, readonly string[] | null])[] = [
    ["command", spec.command],
    ["health_command", spec.healthCommand],
    ["pre_start", spec.preStart],
    ["post_start", spec.postStart],
    ["pre_stop", spec.preStop],
    ["post_stop", spec.postStop],
  ];
  for (const [key, words] of programs) {
    const word = words?.[0];
    if (word === undefined) continue;
    const file = word.includes("/") ? resolve(cwd, word) : word;
    if (findProgram(file, env["PATH"]) === null)
      missing.push(`\`${key}\`: ${word} isn't there, or isn't executable`);
  }
  if (spec.watchdog !== null && !isWritable(spec.watchdog)) {
    missing.push(`\`watchdog\`: ${spec.watchdog} can't be opened`);
  }
  return missing;
}

function isFolder(folder: string): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Each hook is told that it is only a rehearsal; see `hook_dry_run`. */
async function dryRuns({ spec, env, wrap }: ReadinessOptions, signal: AbortSignal): Promise<string[]> {
  const hooks = {
    pre_start: spec.preStart,
    post_start: spec.postStart,
    pre_stop: spec.preStop,
    post_stop: spec.postStop,
  };
  const missing: string[] = [];
  for (const [name, words] of Object.entries(hooks)) {
    if (words === null) continue;
    const told = { ...env, ARBITER_DRY_RUN: "1", ARBITER_HOOK: name };
    const verdict = await askCommand(
      words,
      { spec, env: told, wrap, title: `the dry run of ${name}` },
      signal,
    );
    if (verdict !== null) missing.push(verdict);
  }
  return missing;
}
