/**
 * Keeps the arbiters' configurations the same, or says that they aren't.
 *
 * Each arbiter asks the others for their manifests, every second, and compares all with what is in
 * force: the leader's configuration, or the newest version in the store while nobody leads. So each
 * comes to the same result by itself; the leader alone writes it to the log. What follows depends on
 * `config_sync`: nothing; a drifted arbiter leaves the lead to others; or it gets the leader's files.
 */
import type { ConfigurationVersion } from "../../core/arbiter-io.ts";
import { programVersion } from "../../protocol/version.ts";
import { messageOf } from "../../protocol/errors.ts";
import { leaderOf } from "../cluster-map.ts";
import type { Store } from "../../store/contract.ts";
import type { ConfigurationFollower } from "../configuration-follower.ts";
import type { Engine } from "../engine.ts";
import type { ProcessLog } from "../log.ts";
import type { Drift, Reference } from "./drift.ts";
import { driftOf } from "./drift.ts";
import { hashesOf } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import type { PeerManifests } from "./peer-manifests.ts";
import { PeerSilence, SILENT_TIMES } from "./peer-silence.ts";

/** What it needs of this arbiter, and of its files. */
export interface ConfigSyncOptions {
  readonly engine: Pick<Engine, "state" | "drift" | "silent" | "push" | "command"> & {
    readonly around: Pick<Engine["around"], "nowMs">;
  };
  readonly follower: Pick<
    ConfigurationFollower,
    "manifest" | "reload" | "replicate" | "confirm" | "keepUp"
  > & { readonly copies: Pick<ConfigurationFollower["copies"], "isLeadersFolder"> };
  readonly peers: Pick<PeerManifests, "ask">;
  readonly store: Pick<Store, "configurations" | "load">;
  readonly log: ProcessLog;
  readonly wallMs: () => number;
  /** The newest version in the store when this arbiter was started. */
  readonly committed: ConfigurationVersion | null;
  onCompared?(): void;
}

const EVERY_MS = 1_000;
/** An edit reaches several folders one after the other: so many comparisons must agree. */
const SEEN_TIMES = 3;
/** The lead isn't offered to the same arbiter again and again. */
const OFFER_EVERY_MS = 10_000;

export class ConfigSync {
  readonly #options: ConfigSyncOptions;
  readonly #program = programVersion();
  readonly #peers = new Map<string, Manifest>();
  /** How often in a row each was seen to differ, in this way. */
  readonly #seen = new Map<string, { key: string; times: number }>();
  /** What was told of each. */
  readonly #told = new Map<string, string>();
  readonly #refusals = new Map<string, string>();
  readonly #silence: PeerSilence = new PeerSilence();
  #reference: Reference | null;
  #yields = false;
  #offeredAtMs = -Infinity;
  #replicaTrouble = "";
  #turn: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: ConfigSyncOptions) {
    this.#options = options;
    const { committed } = options;
    this.#reference =
      committed === null ? null : { ...committed, program: this.#program, files: hashesOf(committed.files) };
    this.#judgeOwn();
  }

  start(): void {
    this.#timer = setInterval(() => void this.compare(), EVERY_MS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#turn;
  }

  /** One comparison at a time; those asked for meanwhile are the next one. */
  compare(): Promise<void> {
    this.#turn = this.#turn
      .then(async () => {
        if (this.#isClosed) return;
        await this.#compare();
        this.#options.onCompared?.();
      })
      .catch((error: unknown) => {
        this.#options.log.warn(`The arbiters' configurations could not be compared: ${messageOf(error)}`);
      });
    return this.#turn;
  }

  /** `config_sync_schedule`: everything is read from disk again, and the result is told. */
  async audit(): Promise<void> {
    const { engine, follower, wallMs } = this.#options;
    await follower.reload("config_sync_schedule");
    await this.compare();
    if (!this.#isLeading) return;
    const { version, hash } = engine.state.configuration;
    const heard = [...this.#peers.keys()].filter((name) => this.#silence.missed(name) === 0);
    const drifted = engine.drift.map(({ arbiter }) => arbiter);
    const text =
      drifted.length === 0
        ? `${heard.length + 1} of ${engine.state.model.arbiters.length} arbiters were compared; all hold version ${version} of the configuration.`
        : `${drifted.join(", ")} ${drifted.length === 1 ? "does" : "do"} not hold version ${version} of the configuration.`;
    engine.push({
      kind: "noted",
      event: {
        type: "config.compared",
        atWallMs: wallMs(),
        text,
        evidence: { version, hash, heard, drifted },
      },
    });
  }

  get #isLeading(): boolean {
    return this.#options.engine.state.leadership.mode === "leading";
  }

  async #compare(): Promise<void> {
    const { engine } = this.#options;
    const own = this.#ownManifest();
    await this.#askAll();
    const leader = leaderOf(engine.state);
    const leading = leader === engine.state.options.name ? own : this.#heard(leader);
    if (leading !== null && leading.version > 0) await this.#refer(leading);
    const list = await this.#drifts(own);
    engine.drift = list;
    engine.silent = this.#silence.silent;
    this.#judgeOwn();
    if (this.#isLeading) {
      for (const { type, text, arbiter } of this.#silence.news(engine.state.options.name))
        this.#note(type, text, { arbiter });
      this.#tell(list);
      this.#tellRefusals();
      this.#offerLead(list);
    } else if (leading !== null) await this.#follow(leading);
  }

  #ownManifest(): Manifest {
    return this.#options.follower.manifest();
  }

  #heard(name: string | null): Manifest | null {
    if (name === null || this.#silence.missed(name) > 0) return null;
    return this.#peers.get(name) ?? null;
  }

  async #askAll(): Promise<void> {
    const { engine, peers } = this.#options;
    const { model, options } = engine.state;
    const others = model.arbiters.filter(({ name }) => name !== options.name);
    const names = new Set(others.map(({ name }) => name));
    for (const name of this.#peers.keys()) if (!names.has(name)) this.#peers.delete(name);
    this.#silence.keep(names);
    await Promise.all(
      others.map(async ({ name, url }) => {
        const found = await peers.ask(url, false);
        const known = this.#peers.get(name);
        // Another one may listen at that address by now.
        const isThere = found !== null && found.name === name;
        this.#silence.note(name, isThere);
        if (!isThere) return;
        const isSame = known?.own.hash === found.own.hash;
        const files = isSame ? known.own.files : [];
        this.#peers.set(name, { ...found, own: { ...found.own, files } });
      }),
    );
  }

  /** What all are compared with. Its files are fetched once for each version. */
  async #refer(leading: Manifest): Promise<void> {
    const { version, hash, program } = leading;
    const before = this.#reference;
    if (before !== null && before.hash === hash && before.files !== null) {
      this.#reference = { ...before, version, program };
      return;
    }
    const { engine, store } = this.#options;
    const { configuration } = engine.state;
    const [newest] =
      configuration.hash === hash ? [configuration] : await store.configurations(1).catch(() => []);
    const files = newest?.hash === hash ? hashesOf(newest.files) : null;
    this.#reference = { version, hash, program, files };
  }

  async #drifts(own: Manifest): Promise<readonly Drift[]> {
    const reference = this.#reference;
    if (reference === null) return [];
    const found: Drift[] = [];
    const { engine, peers } = this.#options;
    for (const { name, url } of engine.state.model.arbiters) {
      const isOwn = name === own.name;
      let manifest = isOwn ? own : this.#peers.get(name);
      if (manifest === undefined || this.#silence.missed(name) > SILENT_TIMES) continue;
      if (!isOwn && manifest.own.hash !== reference.hash && manifest.own.files.length === 0) {
        manifest = (await peers.ask(url, true)) ?? manifest;
        if (manifest.name === name && this.#peers.has(name)) this.#peers.set(name, manifest);
      }
      const drift = driftOf(manifest, reference);
      if (this.#isLasting(name, drift)) found.push(...(drift === null ? [] : [drift]));
    }
    return found;
  }

  #isLasting(name: string, drift: Drift | null): boolean {
    if (drift === null) {
      this.#seen.delete(name);
      return false;
    }
    const key = `${drift.hash} ${drift.version}`;
    const before = this.#seen.get(name);
    const times = before?.key === key ? before.times + 1 : 1;
    this.#seen.set(name, { key, times });
    // One that was told of already doesn't come to be in order by another edit.
    return times >= SEEN_TIMES || this.#options.engine.drift.some(({ arbiter }) => arbiter === name);
  }

  /** Without asking anyone: right from the start, before the first campaign. */
  #judgeOwn(): void {
    const { engine } = this.#options;
    const own = this.#ownManifest();
    const reference = this.#reference;
    const yields = this.#mode(own) === "enforce" && reference !== null && driftOf(own, reference) !== null;
    if (yields === this.#yields) return;
    this.#yields = yields;
    engine.push({ kind: "driftJudged", yieldsLead: yields });
  }

  /** The leader's word counts: whoever has drifted may have another one. */
  #mode(own: Manifest): string {
    return (this.#heard(leaderOf(this.#options.engine.state)) ?? own).configSync;
  }

  #tell(list: readonly Drift[]): void {
    const now = new Map(list.map((drift) => [drift.arbiter, drift]));
    for (const drift of list) {
      const { arbiter, hash, version, added, changed, removed, text } = drift;
      const key = `${hash} ${version}`;
      if (this.#told.get(arbiter) === key) continue;
      this.#told.set(arbiter, key);
      this.#note("config.drift", text, { arbiter, hash, version, added, changed, removed });
    }
    const { version } = this.#options.engine.state.configuration;
    for (const arbiter of this.#told.keys()) {
      const isSilent = this.#peers.has(arbiter) && this.#silence.missed(arbiter) > 0;
      if (now.has(arbiter) || isSilent) continue;
      this.#told.delete(arbiter);
      this.#note("config.in-sync", `${arbiter} holds version ${version} of the configuration again.`, {
        arbiter,
        version,
      });
    }
  }

  /** A standby can't write to the log: what it has refused is told for it. */
  #tellRefusals(): void {
    for (const [arbiter, { refusedEdit }] of this.#peers) {
      if (refusedEdit === null || this.#silence.missed(arbiter) > 0) continue;
      if (this.#refusals.get(arbiter) === refusedEdit.at) continue;
      this.#refusals.set(arbiter, refusedEdit.at);
      const text = `${arbiter} has refused an edit of its files. ${refusedEdit.errors[0] ?? ""}`.trim();
      this.#note("config.refused", text, { arbiter, errors: refusedEdit.errors.slice(0, 20) });
    }
  }

  #note(type: string, text: string, evidence: Readonly<Record<string, unknown>>): void {
    const { engine, log, wallMs } = this.#options;
    const { term } = engine.state;
    log.warn(text);
    engine.push({ kind: "noted", event: { type, atWallMs: wallMs(), term, text, evidence } });
  }

  /** `enforce`: it leads since nobody else could; now somebody can. */
  #offerLead(list: readonly Drift[]): void {
    const { engine } = this.#options;
    const { state } = engine;
    if (!this.#yields || engine.around.nowMs < this.#offeredAtMs + OFFER_EVERY_MS) return;
    const drifted = new Set(list.map(({ arbiter }) => arbiter));
    const listed = new Set(state.leadership.record?.electable.map(({ name }) => name));
    const next = state.model.arbiters.find(
      ({ name, electable }) =>
        electable &&
        name !== state.options.name &&
        listed.has(name) &&
        !drifted.has(name) &&
        this.#heard(name)?.state === "standing-by" &&
        this.#heard(name)?.own.hash === this.#reference?.hash,
    );
    if (next === undefined) return;
    this.#offeredAtMs = engine.around.nowMs;
    void engine.command("config_sync = enforce", { verb: "transfer", to: next.name });
  }

  /** On a standby. */
  async #follow(leading: Manifest): Promise<void> {
    const { follower, store, log } = this.#options;
    const { version, hash, configSync, joined } = leading;
    const own = this.#ownManifest();
    const isShared = own.folder !== "" && own.folder === leading.folder;
    follower.copies.isLeadersFolder = isShared;
    try {
      if (configSync === "replicate" && own.own.hash !== hash && !isShared) {
        const [newest] = await store.configurations(1);
        if (newest?.hash === hash) await follower.replicate(newest, leading.name);
      }
      if (own.own.hash === hash && own.version !== version) follower.confirm(version, hash);
      if (own.joined !== joined) await follower.keepUp((await store.load()).settings.joined);
      this.#replicaTrouble = "";
    } catch (error) {
      const text = messageOf(error);
      if (text !== this.#replicaTrouble) log.warn(`The leader's configuration was not taken: ${text}`);
      this.#replicaTrouble = text;
    }
  }
}
