/**
 * The files in force: read at the start, followed while the process runs, read again on SIGHUP and
 * on request. A valid edit goes to the core as a whole with its plan; a bad one changes nothing and
 * is told everywhere (I6). Other arbiters' versions come in here too: the leader's files
 * (`config_sync = replicate`), an older version that is rolled back to, and the committed version
 * where this arbiter takes the lead with files that are older.
 */
import { watchConfiguration } from "../config/index.ts";
import type { Loaded, Watch } from "../config/index.ts";
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type { ClusterModel } from "../core/model.ts";
import { messageOf } from "../protocol/errors.ts";
import type { Store, StoreContents } from "../store/contract.ts";
import { holderOf } from "./cluster-map.ts";
import { errorsOf, isIn, isValid, newWarnings, planLines, restartNotes, versionOf } from "./configuration.ts";
import type { ValidConfiguration } from "./configuration.ts";
import type { Engine } from "./engine.ts";
import type { ReloadOutcome } from "./http/api.ts";
import type { ProcessLog } from "./log.ts";
import { committedInstead, readVersion } from "./sync/committed.ts";
import { Copies } from "./sync/copies.ts";
import { areSameFiles, fileDifferences } from "./sync/drift.ts";
import type { Joined, MembersChange, MembersOutcome } from "./sync/joined.ts";
import { digestOf, withJoined } from "./sync/joined.ts";
import type { Manifest } from "./sync/manifest.ts";
import { hashesOf, manifestOf } from "./sync/manifest.ts";
import { OwnFolder } from "./sync/own-folder.ts";

/** How long a valid edit waits to be in the store before the caller is told to look later. */
const CONFIRM_MS = 8_000;
const UNCONFIRMED =
  "The files are valid, but the store has not taken them yet; they come into force when it does.";

export interface FollowerOptions {
  readonly path: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly name: string;
  readonly stateDir: string;
  readonly engine: Engine;
  readonly store: Pick<Store, "configurations">;
  readonly log: ProcessLog;
  /** A version is in force on the leader; `held`: the services that had a holder before it. */
  onApplied?(version: number, held: readonly string[]): void;
}

interface Edit {
  readonly loaded: ValidConfiguration;
  readonly version: ConfigurationVersion;
}

export class ConfigurationFollower {
  readonly #options: FollowerOptions;
  #inForce: ValidConfiguration;
  readonly #folder: OwnFolder;
  /** What they are where `config_sync = replicate`. */
  readonly copies: Copies;
  /** Daemons that joined beside the files, as far as this arbiter knows. */
  #joined: Joined = {};
  /** Files that the committed version went before when this arbiter took the lead: an edit they are not. */
  #passedOver: string | null = null;
  /** The last refusal was of an edit on a standby whose files are copies. */
  #refusedCopy = false;
  /** One reading at a time: two at once could take an older one for the newer. */
  #turn: Promise<unknown> = Promise.resolve();
  #refused = "";
  #watch: Watch | null = null;

  constructor(options: FollowerOptions, inForce: ValidConfiguration) {
    this.#options = options;
    this.#inForce = inForce;
    const { path, env, log } = options;
    this.#folder = new OwnFolder(path, env, log, inForce);
    this.copies = new Copies({ ...options, folder: this.#folder });
  }

  /** A leader's own state knows it first, also where an answer was late. */
  get #whoJoined(): Joined {
    const { leadership, settings } = this.#options.engine.state;
    return leadership.mode === "leading" ? settings.joined : this.#joined;
  }

  get inForce(): ValidConfiguration {
    return this.#inForce;
  }

  manifest(): Manifest {
    return manifestOf(this.#options.engine.state, {
      configSync: this.#inForce.settings.configSync,
      joined: digestOf(this.#whoJoined),
      own: this.#folder.own,
      folder: this.#folder.identity,
    });
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
    return this.#inTurn(() => this.#reload(by));
  }

  /** On a standby: the leader's version, in this arbiter's folder and in force. */
  replicate(version: ConfigurationVersion, leader: string): Promise<void> {
    return this.#inTurn(() => this.#replicate(version, leader));
  }

  /** On the leader: an older version, as a new one. The files in the folder follow. */
  rollBack(version: ConfigurationVersion, by: string): Promise<ReloadOutcome> {
    return this.#inTurn(() => this.#rollBack(version, by));
  }

  /** On the leader: daemons joined or left. What changes is decided once no edit is under way. */
  changeMembers(
    by: string,
    origin: Readonly<Record<string, string>>,
    decide: (joined: Joined, model: ClusterModel) => MembersChange,
  ): Promise<MembersOutcome> {
    return this.#inTurn(async () => {
      const { engine, env } = this.#options;
      const change = decide(engine.state.settings.joined, engine.state.model);
      if (change.kind !== "change") return change;
      const { daemon, joined, type, text } = change;
      const { loaded, leftOut } = await withJoined(this.#inForce, joined, env);
      const wrong = leftOut.find(({ name }) => name === daemon);
      if (wrong !== undefined)
        return { kind: "refused", status: 422, text: `${daemon} can't join.`, errors: [wrong.why] };
      const command = { verb: "members", daemon, joined, model: loaded.model, type, text } as const;
      const answer = await engine.command(by, command, origin);
      if (answer.status !== 202)
        return { kind: "refused", status: answer.status, text: answer.text, errors: [] };
      this.#joined = joined;
      this.#inForce = loaded;
      return { kind: "changed", text: answer.text, event: answer.eventSeq };
    });
  }

  /** On a standby: the same daemons as the leader. */
  keepUp(joined: Joined): Promise<void> {
    return this.#inTurn(async () => {
      const { engine } = this.#options;
      if (engine.state.leadership.mode === "leading") return;
      this.#joined = joined;
      this.#inForce = await this.#withJoined(this.#inForce);
      const { configuration } = engine.state;
      engine.push({ kind: "configured", model: this.#inForce.model, configuration, plan: [] });
    });
  }

  /** A standby's files are the leader's version: from now on it says so. */
  confirm(version: number, hash: string): void {
    const { engine } = this.#options;
    const { model, configuration } = engine.state;
    if (configuration.hash !== hash || engine.state.leadership.mode === "leading") return;
    // It would count as the good edit that ends the refusal.
    if (engine.state.refusedEdit !== null) return;
    engine.push({ kind: "configured", model, configuration: { ...configuration, version }, plan: [] });
  }

  /** What to lead with; null: what was read. Asked before anything is adopted. */
  async leadWith({ configuration, settings }: StoreContents): Promise<{
    readonly model: ClusterModel;
    readonly configuration: ConfigurationVersion;
  } | null> {
    const committed =
      configuration === null
        ? null
        : await committedInstead({
            ...this.#options,
            version: configuration,
            inForce: this.#inForce,
          });
    const hadJoined = this.#joined;
    this.#joined = settings.joined;
    const isUnchanged = digestOf(hadJoined) === digestOf(this.#joined);
    if (committed === null && isUnchanged) return null;
    if (committed !== null) this.#passedOver = this.#inForce.hash;
    this.#inForce = await this.#withJoined(committed ?? this.#inForce);
    const { model } = this.#inForce;
    if (committed === null || configuration === null)
      return { model, configuration: this.#options.engine.state.configuration };
    if (committed.settings.configSync === "replicate")
      void this.#inTurn(() => this.#bringUp(configuration, committed));
    return { model, configuration };
  }

  async #withJoined(files: ValidConfiguration): Promise<ValidConfiguration> {
    const { loaded, leftOut } = await withJoined(files, this.#whoJoined, this.#options.env);
    for (const { name, why } of leftOut)
      this.#options.log.warn(`${name}, which has joined, is left out: ${why}`);
    return loaded;
  }

  /** The folder of one that leads with the committed version. */
  async #bringUp(version: ConfigurationVersion, loaded: Loaded): Promise<void> {
    const kept = await this.#folder.write(version, loaded);
    if (kept === null) return;
    this.#passedOver = null;
    this.#options.log.info(
      `The folder now has version ${version.version}; the files before it are in ${kept}.`,
    );
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const outcome = this.#turn.then(act);
    this.#turn = outcome.catch(() => {});
    return outcome;
  }

  #read(version: ConfigurationVersion): Promise<Loaded> {
    return readVersion(version, this.#inForce.directory, this.#options.env);
  }

  async #reload(by: string): Promise<ReloadOutcome> {
    let loaded: Loaded;
    try {
      loaded = await this.#folder.read();
    } catch (error) {
      return this.#refuse([`The files can't be read: ${messageOf(error)}`]);
    }
    if (!isValid(loaded)) {
      const refused = this.#refuse(errorsOf(loaded));
      const leader = this.copies.leader(this.#inForce);
      if (leader !== null && (await this.copies.restore(leader.name, this.#inForce.directory)) !== null)
        this.#refusedCopy = true;
      return refused;
    }
    const { name, engine } = this.#options;
    if (!isIn(loaded.model, name)) {
      return this.#refuse([
        `This arbiter, ${name}, is no longer in the files. Stop it first (\`arbiter stop\`), or put its file back.`,
      ]);
    }
    const { state } = engine;
    const isKnown = loaded.hash === state.configuration.hash || loaded.hash === this.#passedOver;
    if (isKnown && (state.refusedEdit === null || this.#refusedCopy)) {
      const { model: inForce, members } = this.#inForce;
      if (loaded.hash === state.configuration.hash) this.#inForce = { ...loaded, model: inForce, members };
      return { kind: "unchanged", version: state.configuration.version, hash: loaded.hash };
    }
    const leader = this.copies.leader(this.#inForce);
    if (leader !== null && !isKnown) return await this.#refuseCopy(loaded, leader);
    this.#passedOver = null;
    return await this.#apply({ loaded, version: versionOf(loaded, by, Date.now()) });
  }

  async #refuseCopy(
    loaded: ValidConfiguration,
    leader: { readonly name: string; readonly url: string },
  ): Promise<ReloadOutcome> {
    const newest = await this.copies.newestOnceItIs(loaded.hash);
    // The leader's own edit, which came here another way.
    if (newest?.hash === loaded.hash) return await this.#apply({ loaded, version: newest });
    const kept = await this.copies.restore(leader.name, this.#inForce.directory);
    this.#refusedCopy = true;
    const { name } = this.#options;
    return this.#refuse([
      `${name} stands by, and its files are copies of the leader's (config_sync = replicate). Edit them on ${leader.name} (${leader.url}).${kept === null ? "" : ` The edit was taken away again; it is kept in ${kept}.`}`,
    ]);
  }

  async #replicate(version: ConfigurationVersion, leader: string): Promise<void> {
    const { name, engine, log } = this.#options;
    if (engine.state.leadership.mode === "leading" || this.copies.isDeclined(version)) return;
    if (areSameFiles(fileDifferences(this.#folder.own.files, hashesOf(version.files)))) return;
    const loaded = await this.#read(version);
    if (!isValid(loaded)) {
      this.copies.decline(version);
      this.#refuse([`${leader}'s files can't be used here.`, ...errorsOf(loaded)]);
      return;
    }
    if (!isIn(loaded.model, name)) {
      this.copies.decline(version);
      this.#refuse([
        `This arbiter, ${name}, is no longer in ${leader}'s files: it goes on with its own. Stop it (\`arbiter stop\`), or put its file back there.`,
      ]);
      return;
    }
    if (loaded.hash !== version.hash)
      log.warn(
        `${leader}'s files mean something else on this machine (its environment variables?): they are taken all the same.`,
      );
    const kept = await this.#folder.write(version, loaded);
    if (kept === null) {
      this.copies.decline(version);
      return;
    }
    log.info(`Version ${version.version} was taken over from ${leader}; the files before it are in ${kept}.`);
    this.#refusedCopy = false;
    this.#refused = "";
    this.#passedOver = null;
    const next = await this.#withJoined(loaded);
    const plan = planLines(this.#inForce, next);
    for (const line of restartNotes(this.#inForce, next)) log.warn(line);
    this.#inForce = next;
    const configuration = { ...version, hash: loaded.hash };
    engine.push({ kind: "configured", model: next.model, configuration, plan });
  }

  async #rollBack(version: ConfigurationVersion, by: string): Promise<ReloadOutcome> {
    const { name } = this.#options;
    const loaded = await this.#read(version);
    const errors = isValid(loaded)
      ? isIn(loaded.model, name)
        ? []
        : [`This arbiter, ${name}, is not in version ${version.version}.`]
      : errorsOf(loaded);
    if (!isValid(loaded) || errors.length > 0) return { kind: "refused", errors };
    const { configuration } = this.#options.engine.state;
    if (loaded.hash === configuration.hash)
      return { kind: "unchanged", version: configuration.version, hash: loaded.hash };
    const next = { ...version, version: 0, hash: loaded.hash, atWallMs: Date.now(), by };
    // In force first: the service that it is to bring back doesn't wait for the folder.
    const outcome = await this.#apply({ loaded, version: next });
    if (outcome.kind === "applied") await this.#bringUp(version, loaded);
    return outcome;
  }

  async #apply({ loaded: files, version: configuration }: Edit): Promise<ReloadOutcome> {
    const { engine, log } = this.#options;
    const loaded = await this.#withJoined(files);
    const plan = planLines(this.#inForce, loaded);
    for (const line of restartNotes(this.#inForce, loaded)) log.warn(line);
    const held = [...engine.state.services.values()]
      .filter((view) => holderOf(view) !== null)
      .map(({ row }) => row.service);
    engine.push({ kind: "configured", model: loaded.model, configuration, plan });
    this.#refused = "";
    this.#refusedCopy = false;
    const { hash } = loaded;
    const isInForce = await engine.until(
      (state) =>
        state.configuration.hash === hash && state.refusedEdit === null && state.waitingModel === null,
      CONFIRM_MS,
    );
    if (!isInForce) {
      log.warn(UNCONFIRMED);
      return { kind: "unconfirmed", text: UNCONFIRMED };
    }
    for (const line of newWarnings(this.#inForce, loaded)) log.warn(line);
    this.#inForce = loaded;
    const { version } = engine.state.configuration;
    if (engine.state.leadership.mode !== "leading") {
      log.info(
        "The edit of the files was read; this arbiter stands by, and in force is what the leader has.",
      );
      return { kind: "applied", version, hash, plan };
    }
    log.info(
      `Configuration version ${version} is in force${plan.length === 0 ? "" : `: ${plan.join("; ")}`}.`,
    );
    this.#options.onApplied?.(version, held);
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
