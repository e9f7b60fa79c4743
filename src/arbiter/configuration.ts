/**
 * The files in force: read at the start, followed while the process runs, read again on SIGHUP and
 * on request. A valid edit goes to the core as a whole with its plan; a bad one changes nothing and
 * is told everywhere (I6).
 *
 * Errors that leave this process (log, status, events) carry file, line, column, key and what was
 * expected, but neither the line itself nor a secret key's value: `arbiter config check`, run by
 * who may read the files, shows those.
 */
import { loadConfiguration, planChange, renderProblem, watchConfiguration } from "../config/index.ts";
import type { Loaded, Problem, Watch } from "../config/index.ts";
import { isSecretName } from "../config/keys.ts";
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type { ClusterModel } from "../core/model.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import type { Engine } from "./engine.ts";
import type { ReloadOutcome } from "./http/api.ts";
import type { ProcessLog } from "./log.ts";

export type ValidConfiguration = Loaded & { readonly model: ClusterModel };

/** How long a valid edit waits to be in the store before the caller is told to look later. */
const CONFIRM_MS = 8_000;

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

export interface FollowerOptions {
  readonly path: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly name: string;
  readonly stateDir: string;
  readonly engine: Engine;
  readonly log: ProcessLog;
}

export class ConfigurationFollower {
  readonly #options: FollowerOptions;
  #inForce: ValidConfiguration;
  /** One reading at a time: two at once could take an older one for the newer. */
  #turn: Promise<unknown> = Promise.resolve();
  #refused = "";
  #watch: Watch | null = null;

  constructor(options: FollowerOptions, inForce: ValidConfiguration) {
    this.#options = options;
    this.#inForce = inForce;
  }

  get inForce(): ValidConfiguration {
    return this.#inForce;
  }

  async watch(): Promise<void> {
    const { path, stateDir, log } = this.#options;
    const edited = (): void => void this.reload("an edit of the files");
    this.#watch = await watchConfiguration(path, edited, {
      ignore: stateDir,
      onError: (error) =>
        log.warn(
          `The files can't be watched (${error.message}): after an edit, \`arbiter reload\` has them read.`,
        ),
    });
    // What was edited between the first reading and now.
    edited();
  }

  async close(): Promise<void> {
    await this.#watch?.close();
    await this.#turn;
  }

  /** Reads the files and resolves once it is known what came of it. Never rejects. */
  reload(by: string): Promise<ReloadOutcome> {
    const outcome = this.#turn.then(() => this.#reload(by));
    this.#turn = outcome;
    return outcome;
  }

  async #reload(by: string): Promise<ReloadOutcome> {
    let loaded: Loaded;
    try {
      loaded = await readConfiguration(this.#options.path, this.#options.env);
    } catch (error) {
      return this.#refuse([`The files can't be read: ${messageOf(error)}`]);
    }
    if (!isValid(loaded)) {
      return this.#refuse(
        loaded.problems.filter(({ severity }) => severity === "error").map((problem) => publicText(problem)),
      );
    }
    const { name, engine } = this.#options;
    if (!loaded.model.arbiters.some((arbiter) => arbiter.name === name)) {
      return this.#refuse([
        `This arbiter, ${name}, is no longer in the files. Stop it first (\`arbiter stop\`), or put its file back.`,
      ]);
    }
    const { state } = engine;
    if (loaded.hash === state.configuration.hash && state.refusedEdit === null) {
      this.#inForce = loaded;
      return { kind: "unchanged", version: state.configuration.version, hash: loaded.hash };
    }
    return await this.#apply(loaded, by);
  }

  async #apply(loaded: ValidConfiguration, by: string): Promise<ReloadOutcome> {
    const { engine, log } = this.#options;
    const plan = planChange(this.#inForce.model, loaded.model)
      .filter(({ action }) => action !== "keep")
      .map(({ text }) => text);
    for (const line of restartNotes(this.#inForce, loaded)) log.warn(line);
    const configuration = versionOf(loaded, by, Date.now());
    engine.push({ kind: "configured", model: loaded.model, configuration, plan });
    this.#refused = "";
    const { hash } = loaded;
    const isInForce = await engine.until(
      (state) =>
        state.configuration.hash === hash && state.refusedEdit === null && state.waitingModel === null,
      CONFIRM_MS,
    );
    if (!isInForce) {
      const text =
        "The files are valid, but the store has not taken them yet; they come into force when it does.";
      log.warn(text);
      return { kind: "unconfirmed", text };
    }
    for (const line of newWarnings(this.#inForce, loaded)) log.warn(line);
    this.#inForce = loaded;
    const { version } = engine.state.configuration;
    log.info(
      `Configuration version ${version} is in force${plan.length === 0 ? "" : `: ${plan.join("; ")}`}.`,
    );
    return { kind: "applied", version, hash, plan };
  }

  #refuse(errors: readonly string[]): ReloadOutcome {
    const { engine, log } = this.#options;
    // An editor may write several times: the same errors are told once.
    const all = errors.join("\n");
    if (all !== this.#refused) {
      this.#refused = all;
      log.error(`The edit was refused, the configuration in force stays as it is.\n${all}`);
      engine.push({ kind: "configRefused", errors });
    }
    return { kind: "refused", errors };
  }
}

/** A misspelt key is in force as what it says, and its author should hear of it now. */
function newWarnings(before: ValidConfiguration, after: ValidConfiguration): readonly string[] {
  const warningsOf = ({ problems }: ValidConfiguration): string[] =>
    problems.filter(({ severity }) => severity === "warning").map((problem) => publicText(problem));
  const known = new Set(warningsOf(before));
  return warningsOf(after).filter((text) => !known.has(text));
}

/** What a reload can't change in a running process. */
function restartNotes(old: Loaded, next: Loaded): readonly string[] {
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
